"""Tests of datasets/point_clouds/point_cloud_source.py."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import (
  dgp,
  kitti_object,
  kitti_tracking,
  point_cloud_source,
  sweep_folder,
)
from tf_taskology.geometry import bev_grid, boxes as boxes_lib

_ALL = {"train": (0.0, 1.0)}
_CONSECUTIVE = {
  "tracking": (
    fixtures.kitti_tracking,
    lambda path: kitti_tracking.KittiTracking(path, field_of_view=False),
  ),
  "dgp": (fixtures.dgp, lambda path: dgp.DgpScenes(path, sensor_height=0.0)),
  "folder": (fixtures.sweep_folder, sweep_folder.SweepFolder),
}


class PointCloudSourceTest(tf.test.TestCase, parameterized.TestCase):
  def source(self, name, **arguments):
    write, read = _CONSECUTIVE[name]
    folder = write(self.create_tempdir().full_path)
    return point_cloud_source.PointCloudSource(
      read(folder), **{"splits": _ALL, "max_points": 400, "max_boxes": 4, **arguments}
    )

  @parameterized.parameters(*_CONSECUTIVE)
  def test_all_sweeps_and_boxes_are_in_the_frame_of_the_first(self, name):
    source = self.source(name, num_frames=3)
    source.prepare()
    samples = list(source.dataset("train").as_numpy_iterator())
    self.assertLen(samples, source.num_samples("train"))
    for first, sample in enumerate(samples):
      labels = sample["labels"]
      for frame in range(3):
        truth = [fixtures.box(track, first + frame, frame=first) for track in (0, 1)]
        # KITTI's boxes stand upright in the camera's axes, which are tilted by a degree.
        self.assertAllClose(
          labels["boxes"][frame, :2], truth, atol=0.05 if name == "tracking" else 2e-3
        )
        self.assertAllEqual(labels["boxes"][frame, 2:], np.zeros((2, 7)))
        self.assertAllEqual(labels["tracks"][frame], [1, 2, 0, 0])
        self.assertAllEqual(labels["classes"][frame], [1, 1, 0, 0])
        self.assertAllInRange(
          labels["box_points"][frame, :2], fixtures.INSIDE - 2, fixtures.INSIDE + 2
        )
        points = sample["points"][frame, : sample["num_points"][frame], :3]
        inside = boxes_lib.contains(labels["boxes"][frame, :2], points)
        self.assertAllInRange(np.sum(inside, axis=0), fixtures.INSIDE - 2, fixtures.INSIDE + 2)
        self.assertAllEqual(
          sample["points"][frame, sample["num_points"][frame] :],
          np.zeros_like(sample["points"][frame, sample["num_points"][frame] :]),
        )
      relative = np.linalg.inv(sample["pose"][0]) @ sample["pose"]
      wanted = [
        np.linalg.inv(fixtures.car_pose(first)) @ fixtures.car_pose(first + i) for i in range(3)
      ]
      self.assertAllClose(relative, wanted, atol=2e-3)

  @parameterized.parameters(*_CONSECUTIVE)
  def test_each_in_its_own_frame(self, name):
    source = self.source(name, num_frames=2, frame_step=2, common_frame=False, sample_step=3)
    sample = next(source.dataset("train").as_numpy_iterator())
    for frame, index in enumerate((0, 2)):
      truth = [fixtures.box(track, index) for track in (0, 1)]
      self.assertAllClose(
        sample["labels"]["boxes"][frame, :2], truth, atol=0.05 if name == "tracking" else 2e-3
      )

  def test_element_spec_is_that_of_the_elements(self):
    for labels in (True, False):
      source = self.source("folder", labels=labels, num_frames=2)
      self.assertEqual(source.dataset("train").element_spec, source.element_spec)
      self.assertEqual("labels" in source.element_spec, labels)
      self.assertEqual(set(source.element_spec.get("labels", ())), set(source.labels))

  def test_without_poses(self):
    folder = fixtures.sweep_folder(self.create_tempdir().full_path, poses=False)
    data = sweep_folder.SweepFolder(folder)
    source = point_cloud_source.PointCloudSource(data, num_frames=2, splits=_ALL)
    self.assertNotIn("pose", source.element_spec)
    with self.assertRaisesRegex(ValueError, "has no poses, which sweeps need to be in one frame"):
      source.prepare()
    point_cloud_source.PointCloudSource(data, splits=_ALL).prepare()

  def test_grid_and_limits(self):
    grid = bev_grid.BevGrid((0.0, 16.0), (-4.0, 4.0), (0.3, 3.0), 0.5)
    whole = next(self.source("folder").dataset("train").as_numpy_iterator())
    cut = next(self.source("folder", grid=grid).dataset("train").as_numpy_iterator())
    points = whole["points"][0, : whole["num_points"][0]]
    low, high = zip(grid.x_range, grid.y_range, grid.z_range, strict=True)
    inside = np.all((points[:, :3] >= low) & (points[:, :3] < high), axis=-1)
    self.assertAllEqual(cut["points"][0, : cut["num_points"][0]], points[inside])
    # Vehicle 0 is 4 m to the left, just outside of the grid; its points in it stay.
    self.assertAllEqual(cut["labels"]["classes"][0], [1, 0, 0, 0])
    self.assertAllClose(cut["labels"]["boxes"][0, 0], fixtures.box(1, 0), atol=1e-4)
    self.assertAllEqual(cut["labels"]["box_points"], [[fixtures.INSIDE, 0, 0, 0]])
    few = self.source("folder", max_points=50, max_boxes=1)
    first, again = (next(few.dataset("train").as_numpy_iterator()) for _ in range(2))
    self.assertAllEqual(first["points"], again["points"])
    self.assertAllEqual(first["num_points"], [50])
    rows = {tuple(row) for row in points.tolist()}
    self.assertTrue(all(tuple(row) in rows for row in first["points"][0].tolist()))
    self.assertAllClose(first["labels"]["boxes"][0, 0], fixtures.box(1, 0), atol=1e-4)
    self.assertAllEqual(first["labels"]["box_points"], [[fixtures.INSIDE]])

  def test_boxes_with_few_points_do_not_matter_in_training_alone(self):
    halves = {"train": (0.0, 0.5), "test": (0.5, 1.0)}
    source = self.source("folder", splits=halves, min_points=fixtures.INSIDE + 1)
    for split, number in (("train", -1), ("test", 1)):
      for sample in source.dataset(split).as_numpy_iterator():
        self.assertAllEqual(sample["labels"]["classes"], [[number, number, 0, 0]])
        self.assertAllEqual(sample["labels"]["box_points"][0, :2], [fixtures.INSIDE] * 2)

  def test_classes(self):
    folder = fixtures.kitti_object(self.create_tempdir().full_path)
    data = kitti_object.KittiObject(folder)
    for classes, numbers in (
      (None, [1, 0]),
      ({"Pedestrian": 2}, [1, 2]),
      ({"Pedestrian": -1}, [1, -1]),
    ):
      source = point_cloud_source.PointCloudSource(data, classes=classes, splits=_ALL, max_boxes=2)
      sample = next(source.dataset("train").as_numpy_iterator())
      self.assertAllEqual(sample["labels"]["classes"], [numbers])
    with self.assertRaisesRegex(ValueError, "classes must be numbers of at least -1.*'Car': -2"):
      point_cloud_source.PointCloudSource(data, classes={"Car": -2})

  def test_unlabelled_sweeps_are_no_empty_ones(self):
    folder = fixtures.kitti_object(self.create_tempdir().full_path)
    os.remove(os.path.join(folder, "training", "label_2", "000002.txt"))
    data = kitti_object.KittiObject(folder)
    source = point_cloud_source.PointCloudSource(data, splits=_ALL)
    ids = [sample["sample_id"] for sample in source.dataset("train").as_numpy_iterator()]
    self.assertEqual(ids, [f"training/00000{i}".encode() for i in (0, 1, 3, 4)])
    unlabelled = point_cloud_source.PointCloudSource(data, splits=_ALL, labels=False)
    self.assertEqual(unlabelled.num_samples("train"), 5)

  def test_points_without_a_place_are_left_out(self):
    folder = fixtures.sweep_folder(self.create_tempdir().full_path, count=2)
    points = fixtures.points(0)
    points[3, 1], points[7, 3] = np.nan, np.inf
    path = fixtures.save_points(os.path.join(folder, "0.bin"), points)
    source = point_cloud_source.PointCloudSource(sweep_folder.SweepFolder(folder), splits=_ALL)
    with self.assertLogs(level="WARNING") as logs:
      source.prepare()
      sample = next(source.dataset("train").as_numpy_iterator())
    self.assertAllEqual(sample["num_points"], [len(points) - 2])
    self.assertAllClose(
      sample["points"][0, : len(points) - 2], np.delete(points, (3, 7), axis=0), atol=1e-5
    )
    self.assertIn("2 points without a finite place", "".join(logs.output))
    fixtures.save_points(path, np.full((10, 4), np.nan))
    with self.assertRaisesRegex(ValueError, "0.bin.* none of 10 has finite"):
      source.prepare()

  def test_bad_files_stop_before_training(self):
    folder = fixtures.sweep_folder(self.create_tempdir().full_path)
    for bad, message in ((b"", "is empty"), (b"x" * 47, "47 bytes, no whole number of points")):
      with open(os.path.join(folder, "3.bin"), "wb") as file:
        file.write(bad)
      source = point_cloud_source.PointCloudSource(sweep_folder.SweepFolder(folder), splits=_ALL)
      with self.assertRaisesRegex(ValueError, f"3.bin': (has )?{message}"):
        source.prepare()

  @parameterized.parameters(
    ({"num_frames": 0}, "num_frames must be 1 or more. Received: 0"),
    ({"max_points": 0}, "max_points must be 1 or more"),
    ({"splits": {"train": (0.5, 0.2)}}, "PointCloudSource: split 'train' must be shares"),
  )
  def test_arguments(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      self.source("folder", **arguments)

  def test_samples_there_are_not(self):
    source = self.source("folder", num_frames=9)
    with self.assertRaisesRegex(ValueError, "no sample of 9 sweep.* has 5 sweep"):
      source.prepare()
    with self.assertRaisesRegex(ValueError, "no split 'test'. It has: train"):
      source.num_samples("test")
    folder = fixtures.kitti_object(self.create_tempdir().full_path)
    with self.assertRaisesRegex(ValueError, "do not follow each other. Received: 2"):
      point_cloud_source.PointCloudSource(kitti_object.KittiObject(folder), num_frames=2)
    folder = fixtures.sweep_folder(self.create_tempdir().full_path, boxes=False)
    with self.assertRaisesRegex(ValueError, "has no labels; .*labels = False"):
      point_cloud_source.PointCloudSource(sweep_folder.SweepFolder(folder)).prepare()


if __name__ == "__main__":
  tf.test.main()
