"""Tests of datasets/video/kitti_raw.py."""

import os
import shutil

import numpy as np
from absl.testing import absltest, parameterized

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import kitti_raw, views

_DRIVE = os.path.join("2011_09_26", "2011_09_26_drive_0001_sync")


def _view(size=None):
  resize = views.plan(fixtures.SIZE, size, True)
  return views.View(resize, resize.intrinsics(fixtures.CAMERA))


class KittiRawTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = fixtures.kitti_raw(self.create_tempdir().full_path)
    self.drive = os.path.join(self.folder, _DRIVE)

  @parameterized.parameters("", "2011_09_26", _DRIVE)
  def test_any_level_of_folders(self, level):
    (clip,) = kitti_raw.KittiRaw(os.path.join(self.folder, level)).clips()
    self.assertEqual(clip.name, "2011_09_26_drive_0001_sync/image_02")
    self.assertLen(clip.frames, 6)
    np.testing.assert_allclose(clip.intrinsics, fixtures.CAMERA)
    self.assertEqual(clip.calibrated_size, fixtures.SIZE)

  def test_lidar_is_projected(self):
    data = kitti_raw.KittiRaw(self.folder)
    (clip,) = data.clips()
    depth = data.read_label("depth", clip, clip.frames[2], _view())
    np.testing.assert_allclose(depth, np.full((*fixtures.SIZE, 1), 10.0), rtol=1e-5)

  def test_oxts_move_the_camera_ahead_and_to_the_left(self):
    (clip,) = kitti_raw.KittiRaw(self.folder).clips()
    np.testing.assert_allclose(clip.frames[0].pose, np.eye(4), atol=1e-9)
    for index, frame in enumerate(clip.frames):
      angle = 0.02 * index
      ahead = frame.pose[:3, :3] @ (0, 0, 1)
      np.testing.assert_allclose(ahead, (-np.sin(angle), 0, np.cos(angle)), atol=1e-6)
      # The IMU moves along z; the camera sits off its axis: position = R(angle) arm - arm.
      from_imu = np.linalg.inv(clip.extra) @ np.array(
        [0.0, 0.0, 0.0, 1.0]
      )  # camera in the LiDAR's axes
      arm = from_imu[:3] + (0.8, -0.3, 0.8)
      turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
      along, left = turn @ arm[:2] - arm[:2]
      np.testing.assert_allclose(frame.pose[:3, 3], (-left, 0, index + along), atol=1e-5)

  def test_without_oxts_or_with_a_pose_file(self):
    folder = fixtures.kitti_raw(self.create_tempdir().full_path, oxts=False, count=2)
    self.assertFalse(kitti_raw.KittiRaw(folder).clips()[0].has_poses)
    pose = fixtures.words([[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, 3]])
    fixtures.save_text(os.path.join(folder, "poses.txt"), f"{pose}\n{pose}\n")
    (clip,) = kitti_raw.KittiRaw(folder, pose_file="../../poses.txt").clips()
    np.testing.assert_array_equal(clip.frames[1].pose[:3, 3], [1, 2, 3])

  def test_depth_maps(self):
    stored = np.zeros(fixtures.SIZE, np.uint16)
    stored[5, 7] = 256 * 3
    path = os.path.join(self.drive, "proj_depth", "groundtruth", "image_02", "0000000002.png")
    fixtures.save(path, stored)
    data = kitti_raw.KittiRaw(self.folder, depth="groundtruth")
    (clip,) = data.clips()
    self.assertEqual([len(frame.files) for frame in clip.frames], [0, 0, 1, 0, 0, 0])
    depth = data.read_label("depth", clip, clip.frames[2], _view())
    self.assertEqual(depth[5, 7, 0], 3.0)
    self.assertEqual(np.count_nonzero(depth), 1)
    fixtures.save(path, stored.astype(np.uint8))
    with self.assertRaisesRegex(ValueError, "one channel of 16 bits. Received: uint8"):
      data.read_label("depth", clip, clip.frames[2], _view())

  def test_a_gap_in_the_numbers_cuts_the_clip(self):
    os.remove(os.path.join(self.drive, "image_02", "data", "0000000002.png"))
    clips = kitti_raw.KittiRaw(self.folder).clips()
    self.assertEqual([len(clip.frames) for clip in clips], [2, 3])
    self.assertEqual(clips[1].name, "2011_09_26_drive_0001_sync/image_02@0000000003")

  def test_several_dates_and_drives_that_lack_parts(self):
    other = self.create_tempdir().full_path
    fixtures.kitti_raw(other, count=3, scans=False, first=5)
    drive = os.path.join(self.folder, "2011_10_03", "2011_10_03_drive_0034_sync")
    shutil.copytree(os.path.join(other, _DRIVE), drive)
    for name in ("cam_to_cam", "velo_to_cam", "imu_to_velo"):
      path = os.path.join("2011_09_26", f"calib_{name}.txt")
      shutil.copy(os.path.join(other, path), os.path.join(self.folder, "2011_10_03"))
    os.remove(os.path.join(self.drive, "velodyne_points", "data", "0000000003.bin"))
    first, second = kitti_raw.KittiRaw(self.folder).clips()
    self.assertEqual([len(frame.files) for frame in first.frames], [1, 1, 1, 0, 1, 1])
    self.assertEqual(second.name, "2011_10_03_drive_0034_sync/image_02")
    self.assertEqual([len(frame.files) for frame in second.frames], [0, 0, 0])
    np.testing.assert_allclose(second.frames[0].pose, np.eye(4), atol=1e-9)

  def test_cameras_that_a_drive_lacks_are_named(self):
    with self.assertLogs(level="WARNING") as logs:
      clips = kitti_raw.KittiRaw(self.folder, cameras=(2, 3)).clips()
    self.assertLen(clips, 1)
    self.assertIn("no images in 2011_09_26_drive_0001_sync/image_03", logs.output[0])

  def test_drives_as_recorded_are_left_out(self):
    raw = self.drive.replace("_sync", "_extract")
    shutil.copytree(self.drive, raw)
    with self.assertLogs(level="WARNING") as logs:
      (clip,) = kitti_raw.KittiRaw(self.folder).clips()
    self.assertEqual(clip.name, "2011_09_26_drive_0001_sync/image_02")
    self.assertIn("1 drives are neither synchronised nor rectified", logs.output[0])
    with self.assertRaisesRegex(ValueError, "_extract' is a drive as recorded.* is expected"):
      kitti_raw.KittiRaw(raw).clips()

  def test_from_within_the_drive(self):
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(self.drive)
    (clip,) = kitti_raw.KittiRaw(".").clips()
    self.assertEqual(clip.name, "2011_09_26_drive_0001_sync/image_02")

  def test_missing_files_are_named(self):
    date = os.path.join(self.folder, "2011_09_26")
    with self.assertRaisesRegex(ValueError, r"no images in image_0N/data of the cameras \(3,\)"):
      kitti_raw.KittiRaw(self.folder, cameras=(3,)).clips()
    os.remove(os.path.join(date, "calib_imu_to_velo.txt"))
    with self.assertRaisesRegex(ValueError, "calib_imu_to_velo.txt' is missing"):
      kitti_raw.KittiRaw(self.folder).clips()
    os.remove(os.path.join(date, "calib_cam_to_cam.txt"))
    with self.assertRaisesRegex(ValueError, "calib_cam_to_cam.txt' is missing"):
      kitti_raw.KittiRaw(self.folder).clips()
    with self.assertRaisesRegex(ValueError, "holds no drive of KITTI raw"):
      kitti_raw.KittiRaw(self.create_tempdir().full_path).clips()

  def test_arguments(self):
    with self.assertRaisesRegex(ValueError, "cameras must be some of"):
      kitti_raw.KittiRaw("", cameras=(4,))
    with self.assertRaisesRegex(ValueError, r"cameras must be some of .*\(2,\). Received: 2"):
      kitti_raw.KittiRaw("", cameras=2)
    with self.assertRaisesRegex(ValueError, "depth must be one of .*'lidar'"):
      kitti_raw.KittiRaw("", depth="lidar")


if __name__ == "__main__":
  absltest.main()
