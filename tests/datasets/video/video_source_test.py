"""Tests of datasets/video/video_source.py."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import camvid, frames_folder, kitti_raw, video_source

_ALL = {"train": (0.0, 1.0)}


class VideoSourceTest(parameterized.TestCase, tf.test.TestCase):
  def frames(self, **arguments):
    return fixtures.frames_folder(self.create_tempdir().full_path, **arguments)

  def source(self, folder=None, **arguments):
    data = frames_folder.FramesFolder(folder or self.frames())
    return video_source.VideoSource(data, **{"splits": _ALL, "num_frames": 3, **arguments})

  def test_elements_have_their_spec_and_are_consecutive(self):
    source = self.source(frame_step=2, sample_step=3)
    source.prepare()
    dataset = source.dataset("train")
    self.assertEqual(dataset.element_spec, source.element_spec)
    elements = list(dataset.as_numpy_iterator())
    self.assertLen(elements, source.num_samples("train"))
    self.assertLen(elements, 2)
    for start, sample in zip((0, 3), elements, strict=True):
      for position in range(3):
        expected = fixtures.image(start + 2 * position)
        self.assertAllEqual(sample["image"][position], expected)
      self.assertAllClose(sample["intrinsics"], np.stack([fixtures.CAMERA] * 3))
      self.assertTrue(sample["sample_id"].decode().endswith(f"/{start}"))

  def test_order_is_the_same_every_time(self):
    source = self.source()
    first, second = (
      [sample["sample_id"] for sample in source.dataset("train").as_numpy_iterator()]
      for _ in range(2)
    )
    self.assertEqual(first, second)

  def test_resized_samples_show_points_where_the_camera_says(self):
    folder = fixtures.kitti_raw(self.create_tempdir().full_path)
    source = video_source.VideoSource(
      kitti_raw.KittiRaw(folder), image_size=(8, 12), labels=("depth",), splits=_ALL
    )
    sample = next(iter(source.dataset("train").as_numpy_iterator()))
    expected = fixtures.image(0)[:, 2:38].reshape(8, 3, 12, 3, 3).mean((1, 3))
    self.assertAllClose(sample["image"][0], np.round(expected), atol=1)
    # Of each 3 x 3 pixels the crop (2 columns) and the resize keep the middle: (19 - 2 + .5) / 3 - .5.
    self.assertAllClose(sample["intrinsics"][0, 0], [10, 0, 17.5 / 3 - 0.5])
    self.assertAllClose(sample["labels"]["depth"], np.full((1, 8, 12, 1), 8.0), atol=1e-4)

  def test_splits_of_the_data_set_and_ones_own(self):
    folder = fixtures.camvid(self.create_tempdir().full_path)
    data = camvid.CamVid(folder)
    source = video_source.VideoSource(data, assumed_field_of_view=60.0)
    counts = [source.num_samples(split) for split in ("train", "validation", "test")]
    self.assertEqual(counts, [6, 4, 0])
    with self.assertRaisesRegex(ValueError, "split 'test'.*no sample of 1 frame.*train/0001TP"):
      source.dataset("test")
    with self.assertRaisesRegex(ValueError, "no split 'dev'. It has: train, validation, test"):
      source.num_samples("dev")
    own = video_source.VideoSource(data, splits={"few": (0.0, 0.5)}, assumed_field_of_view=60.0)
    self.assertEqual(own.num_samples("few"), 5)

  def test_one_frame_only(self):
    source = self.source(self.frames(count=1))
    with self.assertRaisesRegex(ValueError, r"no sample of 3 frame\(s\).* has 1 frame\(s\)"):
      source.prepare()

  def test_frames_of_unequal_size(self):
    folder = self.frames()
    fixtures.save(os.path.join(folder, "7.png"), fixtures.image(7, (24, 32)))
    source = self.source(folder)
    with self.assertRaisesRegex(ValueError, r"7.png': is 32x24.*the first image.* is 40x24"):
      source.prepare()
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "7.png' is 32x24"):
      list(source.dataset("train"))

  @parameterized.parameters(("black", "single colour"), ("still", "no motion"))
  def test_a_video_that_shows_nothing(self, kind, message):
    folder = self.frames()
    for index in range(10):
      pixels = fixtures.image(3) if kind == "still" else np.zeros_like(fixtures.image(0))
      fixtures.save(os.path.join(folder, f"{index}.png"), pixels)
    with self.assertRaisesRegex(ValueError, message):
      self.source(folder).prepare()
    if kind == "still":
      self.source(folder, num_frames=1).prepare()

  def test_sensor_noise_is_no_motion(self):
    folder = self.frames()
    noise = np.random.default_rng(1)
    still = np.repeat(np.repeat(fixtures.image(3), 8, 0), 8, 1).astype(np.float64)
    for index in range(10):
      noisy = np.clip(still + noise.normal(0, 2, still.shape), 0, 255).astype(np.uint8)
      fixtures.save(os.path.join(folder, f"{index}.png"), noisy)
    os.remove(os.path.join(folder, "intrinsics.txt"))
    with self.assertRaisesRegex(ValueError, "no motion"):
      self.source(folder, assumed_field_of_view=60.0).prepare()

  def test_an_unreadable_image_is_named(self):
    folder = self.frames()
    with open(os.path.join(folder, "2.png"), "r+b") as file:
      file.truncate(100)
    source = self.source(folder)
    with self.assertRaisesRegex(ValueError, "2.png': is truncated"):
      source.prepare()
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "Cannot read image .*2.png"):
      list(source.dataset("train"))

  def test_missing_labels_are_in_band(self):
    folder = fixtures.kitti_raw(self.create_tempdir().full_path)
    drive = os.path.join(folder, "2011_09_26", "2011_09_26_drive_0001_sync")
    for index in (0, 1, 2, 4):
      os.remove(os.path.join(drive, "velodyne_points", "data", f"{index:010d}.bin"))
    source = video_source.VideoSource(
      kitti_raw.KittiRaw(folder), num_frames=2, labels=("depth",), splits=_ALL
    )
    samples = list(source.dataset("train").as_numpy_iterator())
    known = [[bool(frame.any()) for frame in s["labels"]["depth"]] for s in samples]
    self.assertEqual(known, [[False, True], [True, False], [False, True]])

  @parameterized.parameters(
    (dict(num_frames=0), "num_frames must be 1 or more. Received: 0"),
    (dict(frame_step=0), "frame_step"),
    (dict(labels=("normals",)), r"no labels \['normals'\]"),
    (dict(crop_bottom=1.0), "crop_bottom"),
    (dict(splits={"train": (0.9, 0.1)}), "split 'train' must be"),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      self.source("anywhere", **arguments)

  def test_folders_of_other_sizes_need_an_image_size(self):
    root = self.create_tempdir().full_path
    for name, size in (("a", (24, 40)), ("b", (30, 40))):
      for index in range(3):
        fixtures.save(os.path.join(root, name, f"{index}.png"), fixtures.image(index, size))
    with self.assertRaisesRegex(ValueError, "image_size must be given"):
      self.source(root, assumed_field_of_view=60.0).dataset("train")
    source = self.source(root, assumed_field_of_view=60.0, image_size=(12, 20))
    self.assertLen(list(source.dataset("train")), 2)


if __name__ == "__main__":
  tf.test.main()
