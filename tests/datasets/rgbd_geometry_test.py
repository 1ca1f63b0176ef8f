"""Tests of datasets/rgbd_geometry.py."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets import rgbd_geometry

_CAMERA = np.array([[500.0, 0.0, 310.0], [0.0, 510.0, 250.0], [0.0, 0.0, 1.0]])


class ResizeTest(parameterized.TestCase):
  def test_halving_by_hand(self):
    camera = rgbd_geometry.plan((480, 640), (240, 320), True).intrinsics(_CAMERA)
    np.testing.assert_allclose(camera, [[250, 0, 154.75], [0, 255, 124.75], [0, 0, 1]])

  @parameterized.parameters(
    ((480, 640), (48, 64)), ((480, 640), (96, 96)), ((240, 320), (480, 960)), ((101, 77), (13, 31))
  )
  def test_edges_of_the_crop_go_to_edges_of_the_result(self, original, size):
    resize = rgbd_geometry.plan(original, size, True)
    camera = resize.intrinsics(_CAMERA)
    for corner, pixel in (
      ((resize.left - 0.5, resize.top - 0.5), (-0.5, -0.5)),
      (
        (resize.left + resize.crop[1] - 0.5, resize.top + resize.crop[0] - 0.5),
        (size[1] - 0.5, size[0] - 0.5),
      ),
    ):
      ray = np.linalg.inv(_CAMERA) @ [*corner, 1.0]
      np.testing.assert_allclose((camera @ ray)[:2], pixel, atol=1e-9)

  def test_keep_aspect_crops_the_centre(self):
    resize = rgbd_geometry.plan((480, 640), (48, 48), True)
    self.assertEqual((resize.top, resize.left, resize.crop), (0, 80, (480, 480)))
    camera = resize.intrinsics(_CAMERA)
    self.assertAlmostEqual(camera[0, 0] / camera[1, 1], 500 / 510)

  def test_stretch(self):
    resize = rgbd_geometry.plan((480, 640), (48, 48), False)
    self.assertEqual(resize.crop, (480, 640))
    self.assertAlmostEqual(resize.intrinsics(_CAMERA)[0, 0], 500 * 48 / 640)

  def test_round_trip(self):
    there = rgbd_geometry.scaled_intrinsics(_CAMERA, (480, 640), (48, 80))
    back = rgbd_geometry.scaled_intrinsics(there, (48, 80), (480, 640))
    np.testing.assert_allclose(back, _CAMERA)

  def test_no_size_leaves_all_as_it_is(self):
    np.testing.assert_allclose(
      rgbd_geometry.plan((48, 64), None, True).intrinsics(_CAMERA), _CAMERA
    )


class LookupTest(absltest.TestCase):
  def test_same_camera_is_the_identity(self):
    rows, columns = rgbd_geometry.lookup(_CAMERA, (480, 640), _CAMERA, (480, 640))
    np.testing.assert_array_equal(rows, np.arange(480))
    np.testing.assert_array_equal(columns, np.arange(640))

  def test_odd_reduction_takes_the_middle_pixel_of_each_block(self):
    small = rgbd_geometry.scaled_intrinsics(_CAMERA, (480, 640), (96, 128))
    rows, columns = rgbd_geometry.lookup(small, (96, 128), _CAMERA, (480, 640))
    np.testing.assert_array_equal(rows, np.arange(96) * 5 + 2)
    np.testing.assert_array_equal(columns, np.arange(128) * 5 + 2)

  def test_outside_is_minus_one(self):
    wide = np.array([[250.0, 0, 310.0], [0, 255.0, 250.0], [0, 0, 1]])
    rows, columns = rgbd_geometry.lookup(wide, (480, 640), _CAMERA, (480, 640))
    self.assertEqual(columns[0], -1)
    self.assertEqual(rows[-1], -1)
    self.assertEqual(columns[310], 310)
    self.assertEqual(rows[251], 252)


if __name__ == "__main__":
  absltest.main()
