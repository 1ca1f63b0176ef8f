"""Tests of datasets/data_check.py."""

import os

from absl.testing import absltest

from tests.datasets import rgbd_fixtures
from tests.datasets.point_clouds import fixtures as points_fixtures
from tests.datasets.video import fixtures
from tf_taskology.datasets import data_check


class DataCheckTest(absltest.TestCase):
  def test_rgbd_and_video_are_told_apart(self):
    folder = rgbd_fixtures.plain(self.create_tempdir().full_path, 60)
    report = data_check.check(folder, data_check.Options())
    self.assertIn(("layout", "plain"), report.summary)
    folder = fixtures.kitti_odometry(self.create_tempdir().full_path)
    report = data_check.check(folder, data_check.Options())
    self.assertIn("KITTI odometry", dict(report.summary)["data"])

  def test_point_clouds(self):
    for write, name in (
      (points_fixtures.kitti_object, "KITTI object"),
      (points_fixtures.kitti_tracking, "KITTI tracking"),
      (points_fixtures.dgp, "DGP"),
      (points_fixtures.sweep_folder, "sweeps"),
    ):
      folder = write(self.create_tempdir().full_path)
      report = data_check.check(folder, data_check.Options())
      self.assertStartsWith(dict(report.summary)["data"], name)
      self.assertFalse(report.has_errors, report)
    options = data_check.Options(arguments=("sensor_height=-3",), max_images=2)
    self.assertIn("sensor_height", str(data_check.check(folder, options)))
    with self.assertRaisesRegex(data_check.OptionError, "has no depth_scale or frame_step"):
      data_check.check(folder, data_check.Options(depth_scale=5.0, frame_step=2))
    with self.assertRaisesRegex(data_check.OptionError, "columns must be >= 3"):
      data_check.check(folder, data_check.Options(arguments=("columns=1",)))

  def test_options_reach_the_check(self):
    folder = fixtures.frames_folder(self.create_tempdir().full_path, intrinsics=False)
    options = data_check.Options(intrinsics=(30, 31, 19, 12), frame_step=3)
    report = data_check.check(folder, options)
    self.assertEqual(dict(report.summary)["camera"], "fx 30.0, fy 31.0")

  def test_options_of_another_layout(self):
    folder = rgbd_fixtures.plain(self.create_tempdir().full_path, 3)
    with self.assertRaisesRegex(data_check.OptionError, "frame_step .* are for video layouts"):
      data_check.check(folder, data_check.Options(frame_step=2))
    folder = fixtures.kitti_raw(self.create_tempdir().full_path)
    with self.assertRaisesRegex(data_check.OptionError, "depth_scale for RGB-D layouts"):
      data_check.check(folder, data_check.Options(depth_scale=1000.0))
    with self.assertRaisesRegex(data_check.OptionError, "no argument 'x=1'"):
      data_check.check(folder, data_check.Options(arguments=("x=1",)))

  def test_unknown_folders_are_an_error_of_the_report(self):
    folder = self.create_tempdir().full_path
    fixtures.save_text(os.path.join(folder, "notes.txt"), "nothing")
    report = data_check.check(folder, data_check.Options())
    self.assertTrue(report.has_errors)
    self.assertIn("notes.txt", str(report))
    report = data_check.check(os.path.join(folder, "nowhere"), data_check.Options())
    self.assertIn("does not exist", str(report))


if __name__ == "__main__":
  absltest.main()
