"""Tests of datasets/video/kitti_odometry.py."""

import os
import shutil

import numpy as np
from absl.testing import absltest

from tests.datasets.video import fixtures
from tf_taskology.datasets import element
from tf_taskology.datasets.video import kitti_odometry, video_source, views


class KittiOdometryTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = fixtures.kitti_odometry(self.create_tempdir().full_path)
    self.sequence = os.path.join(self.folder, "sequences", "06")

  def test_poses_are_those_of_the_camera(self):
    (clip,) = kitti_odometry.KittiOdometry(self.folder).clips()
    self.assertEqual(clip.name, "06")
    for index, frame in enumerate(clip.frames):
      # Camera 2 stands BASELINE to the left of camera 0, whose pose the file has.
      c, s = np.cos(0.02 * index), np.sin(0.02 * index)
      expected = (-fixtures.BASELINE * c, 0, index + fixtures.BASELINE * s)
      np.testing.assert_allclose(frame.pose[:3, 3], expected, atol=1e-9)
      np.testing.assert_allclose(frame.pose[:3, :3], [[c, 0, s], [0, 1, 0], [-s, 0, c]], atol=1e-9)

  def test_lidar_is_projected(self):
    data = kitti_odometry.KittiOdometry(self.folder)
    (clip,) = data.clips()
    resize = views.plan(fixtures.SIZE, None, True)
    depth = data.read_label("depth", clip, clip.frames[3], views.View(resize, clip.intrinsics))
    np.testing.assert_allclose(depth, np.full((*fixtures.SIZE, 1), 11.0), rtol=1e-5)

  def test_without_poses_and_lidar(self):
    folder = self.create_tempdir().full_path
    fixtures.kitti_odometry(folder, poses=False, scans=False)
    (clip,) = kitti_odometry.KittiOdometry(folder).clips()
    self.assertFalse(clip.has_poses)
    self.assertFalse(any(frame.files for frame in clip.frames))

  def test_sequences_are_chosen(self):
    shutil.copytree(self.sequence, os.path.join(self.folder, "sequences", "07"))
    names = [clip.name for clip in kitti_odometry.KittiOdometry(self.folder).clips()]
    self.assertEqual(names, ["06", "07"])
    names = [clip.name for clip in kitti_odometry.KittiOdometry(self.folder, ("07",)).clips()]
    self.assertEqual(names, ["07"])
    with self.assertRaisesRegex(ValueError, r"for \['08'\]. sequences/ holds \['06', '07'\]"):
      kitti_odometry.KittiOdometry(self.folder, ("08",)).clips()

  def test_what_the_downloads_bring_besides(self):
    # Calibrations and LiDAR come with folders for all sequences, 00-21.
    for name in ("07", "11"):
      fixtures.save_text(os.path.join(self.folder, "sequences", name, "times.txt"), "0\n0.1\n")
    fixtures.save_text(os.path.join(self.folder, "sequences", "readme.txt"), "x")
    with self.assertLogs(level="WARNING") as logs:
      (clip,) = kitti_odometry.KittiOdometry(self.folder).clips()
    self.assertEqual(clip.name, "06")
    self.assertIn("without images in image_2 are left out: 07, 11", logs.output[0])
    with self.assertRaisesRegex(
      ValueError, r"07' has no images in image_2; it holds \['times.txt'"
    ):
      kitti_odometry.KittiOdometry(self.folder, ("06", "07")).clips()
    with self.assertRaisesRegex(
      ValueError, r"for a sequence. It holds \['06', '07', '11', 'readme.txt'\]"
    ):
      kitti_odometry.KittiOdometry(os.path.join(self.folder, "sequences")).clips()

  def test_part_of_the_images_of_a_sequence(self):
    (whole,) = kitti_odometry.KittiOdometry(self.folder).clips()
    for number in (0, 1, 5):
      os.remove(os.path.join(self.sequence, "image_2", f"{number:06d}.png"))
    with self.assertLogs(level="WARNING") as logs:
      (clip,) = kitti_odometry.KittiOdometry(self.folder).clips()
    self.assertIn("06.txt' has 6 poses for 3 images: taken by their numbers", logs.output[0])
    for frame, same in zip(clip.frames, whole.frames[2:5], strict=True):
      self.assertEqual(frame.name, same.name)
      np.testing.assert_array_equal(frame.pose, same.pose)
    poses = os.path.join(self.folder, "poses", "06.txt")
    with open(poses, encoding="utf-8") as file:
      lines = file.readlines()
    fixtures.save_text(poses, "".join(lines[2:5]))  # cut as the images are
    (clip,) = kitti_odometry.KittiOdometry(self.folder).clips()
    np.testing.assert_array_equal(clip.frames[0].pose, whole.frames[2].pose)
    fixtures.save_text(poses, "".join(lines[:4]))
    with self.assertRaisesRegex(ValueError, "has 4 poses, but there are 3 images, of '000002' to"):
      kitti_odometry.KittiOdometry(self.folder).clips()

  def test_sequences_without_poses_matter_only_where_they_are_read(self):
    shutil.copytree(self.sequence, os.path.join(self.folder, "sequences", "11"))
    data = kitti_odometry.KittiOdometry(self.folder)
    source = video_source.VideoSource(data, splits={"train": ("0*",)})
    self.assertIn(element.POSE, source.element_spec)
    source = video_source.VideoSource(data, splits={"train": ("0*",), "test": ("11",)})
    self.assertNotIn(element.POSE, source.element_spec)

  def test_missing_files_are_named(self):
    with self.assertRaisesRegex(ValueError, "no images in image_0; .*KittiOdometry.camera"):
      kitti_odometry.KittiOdometry(self.folder, camera=0).clips()
    os.rename(os.path.join(self.sequence, "image_2"), os.path.join(self.sequence, "image_3"))
    with self.assertRaisesRegex(ValueError, "calib.txt' has no field P3. It has: P2, Tr"):
      kitti_odometry.KittiOdometry(self.folder, camera=3).clips()
    os.remove(os.path.join(self.sequence, "calib.txt"))
    with self.assertRaisesRegex(ValueError, "calib.txt' is missing"):
      kitti_odometry.KittiOdometry(self.folder, camera=3).clips()

  def test_arguments(self):
    with self.assertRaisesRegex(ValueError, "camera must be"):
      kitti_odometry.KittiOdometry("", camera=4)
    with self.assertRaisesRegex(ValueError, "sequences must be a list"):
      kitti_odometry.KittiOdometry("", sequences="06")


if __name__ == "__main__":
  absltest.main()
