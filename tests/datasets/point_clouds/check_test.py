"""Tests of datasets/point_clouds/check.py."""

import os

import numpy as np
from absl.testing import absltest

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import (
  check,
  kitti_object,
  kitti_tracking,
  point_cloud_source,
  sweep_folder,
)
from tf_taskology.geometry import bev_grid


class CheckTest(absltest.TestCase):
  def folder(self, **arguments):
    return fixtures.sweep_folder(self.create_tempdir().full_path, **arguments)

  def report(self, folder, **arguments):
    return check.check(sweep_folder.SweepFolder(folder, **arguments))

  def assertFinds(self, report, severity, pattern):
    found = [item.text for item in report.findings if item.severity == severity]
    self.assertRegex("\n".join(found), pattern)

  def test_nothing_to_complain_about(self):
    report = self.report(self.folder())
    self.assertIn("Nothing to complain about", str(report))
    summary = dict(report.summary)
    self.assertEqual(summary["clips"], "1, of 5 to 5 sweeps, 5 in all")
    self.assertEqual(summary["labels"], "boxes, classes, tracks, box_points; 5 sweeps")
    self.assertRegex(summary["points"], r"ground near the sensor at z = -?0\.0\d m")
    self.assertStartsWith(summary["boxes"], "10 of class 1 (vehicle); 0 neither found")
    self.assertIn(f"median {fixtures.INSIDE}, none in 0%", summary["boxes"])
    self.assertStartsWith(summary["poses"], "median step 2.0")

  def test_a_wrong_sensor_height(self):
    report = self.report(self.folder(), sensor_height=1.5)
    self.assertFinds(report, "warning", r"at z = 1\.\d* m, but should be at 0: is sensor_height")

  def test_boxes_and_points_in_different_frames(self):
    folder = self.folder()
    for index in range(5):
      points = fixtures.points(index) + (0, 100, 0, 0)
      fixtures.save_points(os.path.join(folder, f"{index}.bin"), points)
    report = self.report(folder)
    self.assertFinds(report, "error", "100% of 10 boxes hold no point: .* not in one frame")

  def test_a_track_in_two_places(self):
    folder = self.folder()
    path = os.path.join(folder, "boxes.csv")
    with open(path, encoding="utf-8") as file:
      text = file.read()
    fixtures.save_text(path, text.replace("v1", "v0"))
    report = self.report(folder)
    self.assertFinds(
      report, "error", "5 tracks have two boxes in one sweep: .*boxes.csv', 0: .*'v0'"
    )

  def test_bad_files(self):
    folder = self.folder()
    fixtures.save_points(os.path.join(folder, "1.bin"), np.zeros((0, 4)))
    fixtures.save_points(os.path.join(folder, "2.bin"), np.full((9, 4), np.nan))
    report = self.report(folder)
    self.assertTrue(report.has_errors)
    self.assertFinds(report, "error", "1 bad file.s. of points: '.*1.bin': is empty")
    self.assertFinds(report, "error", "2.bin' .2.: none of 9 has finite")
    report = check.check(sweep_folder.SweepFolder(os.path.join(folder, "nowhere")))
    self.assertFinds(report, "error", "nowhere' does not exist")

  def test_no_labels_no_poses_no_sequences(self):
    report = self.report(self.folder(boxes=False, poses=False, count=1))
    self.assertFinds(report, "note", "no labels: the data can serve as a mediator")
    self.assertFinds(report, "note", "no poses")
    self.assertFinds(report, "warning", "no clip has two sweeps")
    folder = fixtures.kitti_object(self.create_tempdir().full_path)
    report = check.check(kitti_object.KittiObject(folder))
    self.assertFinds(report, "note", "do not follow each other")
    self.assertFalse(report.has_errors)

  def test_labels_of_other_scans(self):
    folder = fixtures.kitti_tracking(self.create_tempdir().full_path)
    fixtures.save_text(
      os.path.join(folder, "training", "label_02", "0003.txt"), "0 1 Ship" + " 1" * 14 + "\n"
    )
    report = check.check(kitti_tracking.KittiTracking(folder))
    self.assertFinds(report, "error", "0003.txt', line 1: unknown class 'Ship'")

  def test_training_says_what_is_left_out(self):
    grid = bev_grid.BevGrid((0.0, 32.0), (-16.0, 16.0), (-1.0, 3.0), 0.5)
    data = sweep_folder.SweepFolder(self.folder())
    source = point_cloud_source.PointCloudSource(data, max_points=100, max_boxes=1, grid=grid)
    with self.assertLogs(level="WARNING") as logs:
      source.prepare()
    text = "\n".join(logs.output)
    self.assertRegex(text, "5 of 5 opened sweeps have more than max_points = 100 points .up to 2")
    self.assertRegex(text, "up to 2 boxes a sweep, more than max_boxes = 1: only the nearest")
    far = bev_grid.BevGrid((500.0, 516.0), (0.0, 16.0), (-1.0, 3.0), 0.5)
    source = point_cloud_source.PointCloudSource(data, grid=far)
    with self.assertRaisesRegex(ValueError, "no point of the opened sweeps lies in the grid"):
      source.prepare()


if __name__ == "__main__":
  absltest.main()
