"""Tests of datasets/video/calibration.py."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import calibration, footage

_CLIP = footage.Clip("drive", (footage.Frame("0", "0.png"),), fixtures.CAMERA, "calib.txt")


class CalibrationTest(parameterized.TestCase):
  def test_matching_intrinsics_stay(self):
    np.testing.assert_array_equal(calibration.camera(_CLIP, fixtures.SIZE), fixtures.CAMERA)

  @parameterized.parameters((12, 20), (48, 80), (6, 10))
  def test_intrinsics_for_another_resolution_are_refused(self, *size):
    with self.assertRaisesRegex(ValueError, "calib.txt: fx 30.0.*about 38x24"):
      calibration.camera(_CLIP, size)

  def test_a_picture_that_lost_its_upper_half_is_allowed(self):
    camera = fixtures.CAMERA - [[0, 0, 0], [0, 0, 10], [0, 0, 0]]
    self.assertEqual(calibration.problem(camera, (14, 40)), "")

  def test_a_known_size_is_compared(self):
    clip = dataclasses.replace(_CLIP, calibrated_size=(48, 80))
    with self.assertRaisesRegex(ValueError, "calib.txt is for images of 80x48 .* '0.png' is 40x24"):
      calibration.camera(clip, fixtures.SIZE)
    camera = calibration.camera(clip, fixtures.SIZE, rescale=True)
    np.testing.assert_allclose(camera[0], [15, 0, (19 + 0.5) / 2 - 0.5])

  @parameterized.parameters(0.0, -1.0, float("nan"))
  def test_no_camera(self, focal):
    camera = fixtures.CAMERA.copy()
    camera[0, 0] = focal
    self.assertIn("no camera's", calibration.problem(camera, fixtures.SIZE))

  def test_missing_calibration_names_the_file_and_the_way_out(self):
    clip = dataclasses.replace(_CLIP, intrinsics=None)
    with self.assertRaisesRegex(ValueError, "'drive'.*calib.txt.*assumed_field_of_view"):
      calibration.camera(clip, fixtures.SIZE)
    camera = calibration.camera(clip, fixtures.SIZE, assumed_field_of_view=90.0)
    np.testing.assert_allclose(camera, [[20, 0, 19.5], [0, 20, 11.5], [0, 0, 1]])


if __name__ == "__main__":
  absltest.main()
