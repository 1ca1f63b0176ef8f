"""Tests of datasets/point_clouds/kitti_object.py."""

import os

import numpy as np
from absl.testing import absltest

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import box_frames, kitti_object


class KittiObjectTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = fixtures.kitti_object(self.create_tempdir().full_path)
    self.training = os.path.join(self.folder, "training")

  def test_boxes_hold_their_points(self):
    data = kitti_object.KittiObject(self.folder)
    (clip,) = data.clips()
    self.assertLen(clip.frames, 5)
    for index, sweep in enumerate(clip.frames):
      boxes = data.read_boxes(clip, sweep)
      self.assertEqual(list(boxes.names), ["Car", "Pedestrian"])
      np.testing.assert_array_equal(boxes.difficulty, [1, 1])
      truth = np.array([fixtures.box(track, index) for track in (0, 1)])
      truth[:, 2] -= fixtures.SENSOR_HEIGHT
      np.testing.assert_allclose(boxes.boxes, truth, atol=2e-3)
      points = kitti_object.KittiObject(self.folder, field_of_view=False).read_points(clip, sweep)
      counts = box_frames.count_points(boxes.boxes, points)
      self.assertTrue(np.all(np.abs(counts - fixtures.INSIDE) <= 1), counts)

  def test_points_outside_of_the_image_are_left_out(self):
    data = kitti_object.KittiObject(self.folder)
    (clip,) = data.clips()
    seen = data.read_points(clip, clip.frames[0])
    self.assertTrue(np.all(seen[:, 0] > 0))
    pixels = (
      np.c_[seen[:, :3], np.ones(len(seen))] @ fixtures.kitti_to_camera().T @ fixtures.PROJECTION.T
    )
    pixels = pixels[:, :2] / pixels[:, 2:]
    self.assertTrue(np.all((pixels > -0.01) & (pixels < (1242.01, 375.01))))
    everything = kitti_object.KittiObject(self.folder, field_of_view=False)
    self.assertGreater(len(everything.read_points(clip, clip.frames[0])), len(seen) + 10)

  def test_any_level_of_folders_and_lists(self):
    fixtures.save_text(os.path.join(self.folder, "ImageSets", "val.txt"), "000003\n000001\n")
    lists = {"validation": "ImageSets/val.txt"}
    data = kitti_object.KittiObject(self.folder, lists=lists)
    (clip,) = data.clips()
    self.assertEqual([sweep.name for sweep in clip.frames], ["000003", "000001"])
    self.assertEqual(data.splits, {"validation": ("validation",)})
    self.assertLen(kitti_object.KittiObject(self.training).clips()[0].frames, 5)
    fixtures.save_text(os.path.join(self.folder, "ImageSets", "val.txt"), "000009\n")
    with self.assertRaisesRegex(ValueError, "1 are missing.*000009"):
      data.clips()

  def test_bad_files(self):
    data = kitti_object.KittiObject(self.folder)
    calibration = os.path.join(self.training, "calib", "000001.txt")
    (clip,) = data.clips()
    fixtures.save_text(calibration, fixtures.kitti_calibration().replace("P2: ", "P2: 0 "))
    with self.assertRaisesRegex(
      ValueError, "P2 of .*000001.txt' must hold 12 numbers. Received: 13"
    ):
      data.read_points(clip, clip.frames[1])
    os.remove(calibration)
    with self.assertRaisesRegex(ValueError, "1 of 5 scans have no calibration, .*calib/000001.txt"):
      data.clips()
    with self.assertRaisesRegex(ValueError, r"no scan .*velodyne_reduced.*\['calib', 'label_2'"):
      kitti_object.KittiObject(self.folder, scans="velodyne_reduced").clips()
    with self.assertRaisesRegex(FileNotFoundError, "KITTI object folder"):
      kitti_object.KittiObject(os.path.join(self.folder, "nowhere")).clips()


if __name__ == "__main__":
  absltest.main()
