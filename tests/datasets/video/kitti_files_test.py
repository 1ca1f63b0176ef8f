"""Tests of datasets/video/kitti_files.py."""

import os

import numpy as np
from absl.testing import absltest

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import kitti_files


class KittiFilesTest(absltest.TestCase):
  def file(self, text):
    return fixtures.save_text(os.path.join(self.create_tempdir().full_path, "a.txt"), text)

  def test_calibration(self):
    path = self.file("calib_time: 09-Jan-2012 13:57:47\nT: 1 2 3e0\nP0: 1 2\n")
    fields = kitti_files.read_calibration(path)
    self.assertEqual(sorted(fields), ["P0", "T"])
    np.testing.assert_array_equal(kitti_files.field(fields, "T", (3,), path), [1, 2, 3])
    with self.assertRaisesRegex(ValueError, "no field P2. It has: T, P0"):
      kitti_files.field(fields, "P2", (3, 4), path)
    with self.assertRaisesRegex(ValueError, "field P0 .* must hold 12 numbers. Received: 2"):
      kitti_files.field(fields, "P0", (3, 4), path)
    with self.assertRaisesRegex(ValueError, "'/nowhere/c.txt' is missing"):
      kitti_files.read_calibration("/nowhere/c.txt")

  def test_projection_splits_into_camera_and_baseline(self):
    # KITTI's own numbers for camera 2 of 2011_09_26: it stands 6 cm to the left of camera 0.
    projection = np.array(
      [[721.5377, 0, 609.5593, 44.85728], [0, 721.5377, 172.854, 0.2163791], [0, 0, 1, 0.002745884]]
    )
    intrinsics, from_first = kitti_files.split_projection(projection)
    np.testing.assert_array_equal(intrinsics, projection[:, :3])
    np.testing.assert_allclose(intrinsics @ from_first[:3], projection, atol=1e-9)
    self.assertAlmostEqual(from_first[0, 3], 0.0598, places=3)

  def test_oxts_angles(self):
    at = lambda *angles: kitti_files.oxts_pose(
      self.file(fixtures.words([49.0, 8.0, 100.0, *angles])), 49.0
    )[:3, :3]
    np.testing.assert_allclose(
      at(0, 0, np.pi / 2) @ (1, 0, 0), (0, 1, 0), atol=1e-12
    )  # to the left
    np.testing.assert_allclose(at(0, np.pi / 2, 0) @ (1, 0, 0), (0, 0, -1), atol=1e-12)  # down
    np.testing.assert_allclose(
      at(np.pi / 2, 0, 0) @ (0, 1, 0), (0, 0, 1), atol=1e-12
    )  # left side up

  def test_oxts_metres(self):
    def place(latitude, longitude):
      path = self.file(fixtures.words([latitude, longitude, 1.0, 0, 0, 0]))
      return kitti_files.oxts_pose(path, 49.0)[:3, 3]

    step = place(49.00001, 8.00001) - place(49.0, 8.0)
    metre = 6378137.0 * np.radians(1e-5)
    np.testing.assert_allclose(step, [metre * np.cos(np.radians(49)), metre, 0], rtol=1e-5)

  def test_bad_files(self):
    with self.assertRaisesRegex(ValueError, "must begin with"):
      kitti_files.read_oxts(self.file("49.0 8.0 nan 0 0 0"))
    with self.assertRaisesRegex(ValueError, "line 2: a pose is 12 numbers.* Received: 3"):
      kitti_files.read_poses(self.file(f"{fixtures.words(np.eye(4)[:3])}\n1 2 3\n"), 2)
    with self.assertRaisesRegex(ValueError, "has 5 bytes; expected some points"):
      kitti_files.read_scan(self.file("12345"))
    with self.assertRaisesRegex(ValueError, "Cannot read LiDAR scan '/nowhere.bin'"):
      kitti_files.read_scan("/nowhere.bin")


if __name__ == "__main__":
  absltest.main()
