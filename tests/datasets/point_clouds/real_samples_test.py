"""What the readers make of real samples, where TASKOLOGY_SAMPLES names a folder that has them."""

import json
import os

import numpy as np
import tensorflow as tf

from tf_taskology.datasets.point_clouds import (
  box_frames,
  dgp,
  kitti_object,
  point_cloud_source,
)

_ALL = {"train": (0.0, 1.0)}
# Points that public tools count in the boxes of the first scans.
_KITTI_COUNTS = {"000000": [377], "000001": [72, 9, 18], "000003": [674]}


class RealSamplesTest(tf.test.TestCase):
  def folder(self, name):
    samples = os.environ.get("TASKOLOGY_SAMPLES")
    if not samples or not os.path.isdir(os.path.join(samples, name)):
      self.skipTest(f"TASKOLOGY_SAMPLES does not name a folder with {name} in it")
    return os.path.join(samples, name)

  def test_kitti_boxes_hold_points_and_stand_on_the_ground(self):
    folder = self.folder("kitti_object")
    data = kitti_object.KittiObject(folder, scans="velodyne_reduced")
    (clip,) = data.clips()
    self.assertLen(clip.frames, 6)
    shifts = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    totals = np.zeros(len(shifts))
    for sweep in clip.frames:
      points, boxes = data.read_points(clip, sweep), data.read_boxes(clip, sweep).boxes
      counts = [
        box_frames.count_points(boxes + np.array([*shift, 0, 0, 0, 0]), points) for shift in shifts
      ]
      if sweep.name in _KITTI_COUNTS:
        self.assertAllEqual(counts[0], _KITTI_COUNTS[sweep.name])
      totals += np.sum(counts, axis=1)
    # Boxes that were put elsewhere by a metre would lose many of their points.
    self.assertAllLess(totals[1:], 0.8 * totals[0])

  def test_kitti_scans_are_cut_as_other_tools_cut_them(self):
    folder = self.folder("kitti_object")
    whole = kitti_object.KittiObject(folder)
    reduced = kitti_object.KittiObject(folder, scans="velodyne_reduced", field_of_view=False)
    (clip,), (cut,) = whole.clips(), reduced.clips()
    for index in range(2):
      self.assertAllEqual(
        whole.read_points(clip, clip.frames[index]), reduced.read_points(cut, cut.frames[index])
      )

  def test_dgp_counts_follow_those_of_the_labels(self):
    data = dgp.DgpScenes(self.folder("dgp_driving_scene"))
    (clip,) = data.clips()
    for sweep in clip.frames:
      points, labels = data.read_points(clip, sweep), data.read_boxes(clip, sweep)
      counts = box_frames.count_points(labels.boxes, points)
      with open(sweep.files["boxes"], encoding="utf-8") as file:
        given = np.array([a["num_points"] for a in json.load(file)["annotations"]])
      self.assertGreater(np.corrcoef(counts, given)[0, 1], 0.998)
      self.assertLess(np.mean((counts == 0) & (given > 20)), 0.04)
      self.assertGreater(np.sum(counts > 20), 35)

  def test_dgp_samples(self):
    source = point_cloud_source.PointCloudSource(
      dgp.DgpScenes(self.folder("dgp_driving_scene")), num_frames=3, splits=_ALL
    )
    source.prepare()
    (sample,) = source.dataset("train").as_numpy_iterator()
    self.assertAllInRange(sample["num_points"], 40000, 41000)
    labels = sample["labels"]
    tracks = [
      track
      for track in labels["tracks"][0][labels["classes"][0] > 0]
      if np.all(np.any(labels["tracks"] == track, axis=1))
    ]
    first, last = (
      np.array([labels["boxes"][f, labels["tracks"][f].tolist().index(t)] for t in tracks])
      for f in (0, 2)
    )
    moved = np.linalg.norm(last[:, :2] - first[:, :2], axis=-1)
    self.assertGreater(np.sum(moved < 0.1), 10)  # parked
    self.assertBetween(np.sum(moved > 0.6), 5, 25)  # driving
    self.assertLess(np.max(moved), 8)  # 0.2 s


if __name__ == "__main__":
  tf.test.main()
