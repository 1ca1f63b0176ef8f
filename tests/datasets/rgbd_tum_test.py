"""Tests of datasets/rgbd_tum.py."""

import os

import numpy as np
from absl.testing import absltest

from tests.datasets import rgbd_fixtures
from tf_taskology.datasets import rgbd_files, rgbd_tum


class RgbdTumTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = rgbd_fixtures.tum(self.create_tempdir().full_path)

  def write(self, name, text):
    with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
      file.write(text)

  def test_takes_the_nearest_in_time(self):
    recording = rgbd_tum.read(self.folder)
    self.assertEqual(recording.depth_scale, 5000.0)
    self.assertEqual(os.path.basename(recording.frames[0].depth), "100.008000.png")
    self.assertAlmostEqual(recording.frames[1].time, 100.033333)

  def test_what_is_too_far_away_is_missing(self):
    self.write("depth.txt", "100.0 depth/100.008000.png\n101.0 depth/101.png\n")
    recording = rgbd_tum.read(self.folder)
    self.assertIsNotNone(recording.frames[0].depth)
    self.assertIsNone(recording.frames[1].depth)
    self.assertEqual([os.path.basename(path) for path in recording.orphans], ["101.png"])

  def test_without_lists_the_names_are_times(self):
    os.remove(os.path.join(self.folder, "rgb.txt"))
    self.assertLen(rgbd_tum.read(self.folder).frames, 10)

  def test_quaternion_by_hand(self):
    half = np.sqrt(0.5)
    self.write("groundtruth.txt", f"100.0 1 2 3 0 0 {half} {half}\n")
    pose = rgbd_tum.read(self.folder).frames[0].pose
    # A quarter turn about z takes x to y.
    np.testing.assert_allclose(pose[:3, :3] @ [1, 0, 0], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3])

  def test_a_malformed_pose_is_no_pose(self):
    for line in ("100.0 1 2 3\n", "100.0 1 2 3 a b c d\n", "100.0 1 2 3 0 0 0 0\n"):
      self.write("groundtruth.txt", line)
      pose = rgbd_tum.read(self.folder).frames[0].pose
      self.assertFalse(rgbd_files.is_pose(pose), line)

  def test_a_malformed_line_is_named(self):
    self.write("rgb.txt", "# times\nnow rgb/1.png\n")
    with self.assertRaisesRegex(ValueError, r"rgb\.txt', line 2: .*'now'"):
      rgbd_tum.read(self.folder)


if __name__ == "__main__":
  absltest.main()
