"""Tests of datasets/point_clouds/kitti_tracking.py."""

import os

import numpy as np
from absl.testing import absltest

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import kitti_tracking


class KittiTrackingTest(absltest.TestCase):
  def write(self, **arguments):
    return fixtures.kitti_tracking(self.create_tempdir().full_path, **arguments)

  def test_poses_and_tracks(self):
    data = kitti_tracking.KittiTracking(self.write())
    (clip,) = data.clips()
    self.assertEqual(clip.name, "0003")
    origin = fixtures.car_pose(0)
    for index, sweep in enumerate(clip.frames):
      np.testing.assert_allclose(
        sweep.pose, np.linalg.inv(origin) @ fixtures.car_pose(index), atol=1e-3
      )
      boxes = data.read_boxes(clip, sweep)
      self.assertEqual(list(boxes.tracks), ["7", "8"])

  def test_a_missing_scan_cuts_the_clip(self):
    data = kitti_tracking.KittiTracking(self.write(count=8, missing=(3,)))
    clips = data.clips()
    self.assertEqual([clip.name for clip in clips], ["0003@000000", "0003@000004"])
    truth = fixtures.box(1, 4) - (0, 0, fixtures.SENSOR_HEIGHT, 0, 0, 0, 0)
    np.testing.assert_allclose(
      data.read_boxes(clips[1], clips[1].frames[0]).boxes[1], truth, atol=2e-3
    )
    np.testing.assert_allclose(
      clips[1].frames[0].pose, np.linalg.inv(fixtures.car_pose(0)) @ fixtures.car_pose(4), atol=1e-3
    )

  def test_without_labels_and_poses(self):
    (clip,) = kitti_tracking.KittiTracking(self.write(labels=False, packets=False)).clips()
    self.assertFalse(clip.has_poses)
    self.assertEmpty(clip.frames[0].files)

  def test_objects_without_a_track_and_scans_without_objects(self):
    folder = self.write()
    labels = os.path.join(folder, "training", "label_02", "0003.txt")
    lines = [f"1 {track} {fixtures.kitti_line(i, 1)}" for i, track in enumerate((-1, 4))]
    lines += [f"2 -1 {fixtures.kitti_line(i, 2)} 0.9" for i in (0, 1)]
    fixtures.save_text(labels, "\r\n".join(lines) + "\r\n")
    data = kitti_tracking.KittiTracking(folder)
    (clip,) = data.clips()
    none, two, lost = (data.read_boxes(clip, sweep) for sweep in clip.frames[:3])
    self.assertEqual((len(none.boxes), len(two.boxes), len(lost.boxes)), (0, 2, 2))
    self.assertEqual(list(two.tracks), ["", "4"])
    self.assertIsNone(lost.tracks)
    fixtures.save_text(labels, "")  # a file that has changed is read again
    self.assertEmpty(data.read_boxes(clip, clip.frames[1]).boxes)

  def test_unequal_lengths(self):
    folder = self.write()
    packets = os.path.join(folder, "training", "oxts", "0003.txt")
    fixtures.save_text(packets, "\n".join(fixtures.oxts(i) for i in range(4)))
    with self.assertRaisesRegex(ValueError, "0003.txt' has 4 packets.*the last scan .* is 000005"):
      kitti_tracking.KittiTracking(folder).clips()
    fixtures.save_text(packets, "\n".join("1 2 3" for _ in range(6)))
    with self.assertRaisesRegex(ValueError, "oxts/0003.txt, line 1' must begin with"):
      kitti_tracking.KittiTracking(folder).clips()
    folder = self.write()
    labels = os.path.join(folder, "training", "label_02", "0003.txt")
    fixtures.save_text(labels, f"9 1 {fixtures.kitti_line(0, 0)}\n")
    with self.assertLogs(level="WARNING") as logs:
      kitti_tracking.KittiTracking(folder).clips()
    self.assertRegex(logs.output[0], "labels up to scan 000009, but the last scan .* is 000005")
    folder = self.write()
    calibration = os.path.join(folder, "training", "calib", "0003.txt")
    fixtures.save_text(
      calibration, fixtures.kitti_calibration().replace("R0_rect: ", "R0_rect: 1 ")
    )
    with self.assertRaisesRegex(
      ValueError, "R0_rect of .*0003.txt' must hold 9 numbers. Received: 10"
    ):
      kitti_tracking.KittiTracking(folder).clips()


if __name__ == "__main__":
  absltest.main()
