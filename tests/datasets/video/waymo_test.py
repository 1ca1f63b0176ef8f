"""Tests of datasets/video/waymo.py and waymo_records.py."""

import os

import numpy as np
import tensorflow as tf

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import video_source, waymo, waymo_records

_ALL = {"train": (0.0, 1.0)}


class WaymoTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = fixtures.waymo(self.create_tempdir().full_path)
    self.file = os.path.join(self.folder, "segment-1.tfrecord")

  def test_frames_poses_and_labels(self):
    data = waymo.Waymo(self.folder)
    source = video_source.VideoSource(data, num_frames=2, labels=("segmentation",), splits=_ALL)
    source.prepare()
    samples = list(source.dataset("train").as_numpy_iterator())
    self.assertLen(samples, 3)
    for index, sample in enumerate(samples):
      self.assertEqual(sample["sample_id"], f"segment-1/FRONT/{index:06d}".encode())
      jpeg = tf.io.decode_jpeg(fixtures.encoded(fixtures.image(index), "jpeg")).numpy()
      self.assertLess(np.abs(sample["image"][0].astype(int) - jpeg).mean(), 4.0)
      # The car drives along its x axis, which is the camera's z.
      self.assertAllClose(sample["pose"][:, :3, 3], [[0, 0, index], [0, 0, index + 1]])
      self.assertAllClose(sample["pose"][:, :3, :3], np.stack([np.eye(3)] * 2))
      self.assertAllClose(sample["intrinsics"][0], fixtures.CAMERA)
      labelled = sample["labels"]["segmentation"][index % 2, ..., 0]
      self.assertAllEqual(labelled[:, 9], [13] * 12 + [0] * 12)
      self.assertAllEqual(
        sample["labels"]["segmentation"][1 - index % 2], np.full((24, 40, 1), 255)
      )

  def test_the_parser_agrees_with_tensorflow(self):
    (record,) = tf.data.TFRecordDataset(self.file).skip(1).take(1).as_numpy_iterator()
    self.assertEqual(record, fixtures.waymo_frame(1, panoptic=False))
    frames = waymo_records.read_frames(self.file)
    self.assertLen(frames, 4)
    image = waymo_records.read_bytes(self.file, frames[1].images[1].image)
    self.assertIn(image, record)
    self.assertEqual(image[:2], b"\xff\xd8")
    self.assertIsNone(frames[1].images[1].panoptic)

  def test_a_missing_camera(self):
    with self.assertRaisesRegex(ValueError, r"no calibration of the camera SIDE_LEFT.*\[1\]"):
      waymo.Waymo(self.folder, ("SIDE_LEFT",)).clips()
    with self.assertRaisesRegex(ValueError, "cameras must be some of"):
      waymo.Waymo(self.folder, ("BACK",))

  def test_folders_of_segments(self):
    for name in ("training", "validation"):
      fixtures.waymo(os.path.join(self.folder, "all", name))
    self.assertLen(waymo.Waymo(os.path.join(self.folder, "all")).clips(), 2)

  def test_bad_files(self):
    with open(self.file, "r+b") as file:
      file.truncate(os.path.getsize(self.file) - 10)
    with self.assertRaisesRegex(ValueError, "segment-1.tfrecord' is truncated or no TFRecord"):
      waymo.Waymo(self.folder).clips()
    with tf.io.TFRecordWriter(self.file) as writer:
      writer.write(b"something else")
    with self.assertRaisesRegex(ValueError, "at byte 12 (is no Frame|has no camera)"):
      waymo.Waymo(self.folder).clips()
    with open(self.file, "wb"):
      pass
    with self.assertRaisesRegex(ValueError, "is empty"):
      waymo.Waymo(self.folder).clips()
    os.remove(self.file)
    with self.assertRaisesRegex(ValueError, "holds no .tfrecord files"):
      waymo.Waymo(self.folder).clips()


if __name__ == "__main__":
  tf.test.main()
