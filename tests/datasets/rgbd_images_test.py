"""Tests of datasets/rgbd_images.py."""

import os

import numpy as np
import tensorflow as tf
from PIL import Image

from tests.datasets import rgbd_fixtures
from tf_taskology.datasets import rgbd_images

# As input pipelines call them: outside of a graph, errors are Python's own.
_read_color = tf.function(rgbd_images.read_color)
_read_depth = tf.function(rgbd_images.read_depth)


class ReadTest(tf.test.TestCase):
  def path(self, name):
    return os.path.join(self.create_tempdir().full_path, name)

  def test_color(self):
    path = self.path("a.png")
    rgbd_fixtures.save(path, rgbd_fixtures.color(0))
    self.assertAllEqual(_read_color(path, rgbd_fixtures.SIZE), rgbd_fixtures.color(0))

  def test_grey_becomes_three_channels(self):
    path = self.path("a.png")
    rgbd_fixtures.save(path, rgbd_fixtures.color(0)[..., 0])
    image = _read_color(path, rgbd_fixtures.SIZE)
    self.assertAllEqual(image[..., 2], rgbd_fixtures.color(0)[..., 0])

  def test_depth_keeps_16_bits(self):
    path = self.path("a.png")
    pixels = np.array([[0, 1], [40000, 65535]], np.uint16)
    rgbd_fixtures.save(path, pixels)
    self.assertAllEqual(_read_depth(path, (2, 2))[..., 0], pixels)

  def test_depth_without_a_file_is_all_missing(self):
    self.assertAllEqual(_read_depth("", (2, 3)), np.zeros((2, 3, 1)))

  def test_errors_name_the_file(self):
    path = self.path("broken.jpg")
    Image.fromarray(rgbd_fixtures.color(0, (64, 64))).save(path)
    with open(path, "r+b") as file:
      file.truncate(os.path.getsize(path) // 2)
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "Cannot read image '.*broken.jpg'"):
      _read_color(path, (64, 64))
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "Cannot read image '/none.jpg'"):
      _read_color("/none.jpg", (64, 64))

  def test_another_size_is_refused(self):
    path = self.path("a.png")
    rgbd_fixtures.save(path, rgbd_fixtures.color(0))
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "a.png' is 32x24 .* is 64x48"):
      _read_color(path, (48, 64))

  def test_depth_of_three_channels_is_refused(self):
    path = self.path("a.png")
    rgbd_fixtures.save(path, rgbd_fixtures.color(0))
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "a.png' has 3 channels"):
      _read_depth(path, rgbd_fixtures.SIZE)


class ResizeTest(tf.test.TestCase):
  def test_reducing_averages_blocks(self):
    image = rgbd_fixtures.color(0, (8, 12))
    small = rgbd_images.resize_color(tf.constant(image), 0, 0, tf.constant([8, 12]), (4, 6))
    expected = image.reshape(4, 2, 6, 2, 3).mean((1, 3))
    self.assertAllClose(small, expected, atol=0.5)

  def test_crops_first(self):
    image = rgbd_fixtures.color(0, (8, 12))
    part = rgbd_images.resize_color(tf.constant(image), 1, 2, tf.constant([4, 6]), (4, 6))
    self.assertAllEqual(part, image[1:5, 2:8])

  def test_enlarging_keeps_edges_on_edges(self):
    ramp = np.tile(np.arange(0, 80, 10, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 8, 3))
    big = rgbd_images.resize_color(tf.constant(ramp), 0, 0, tf.constant([8, 8]), (16, 16))
    # Pixel v of the result lies at (v + 1/2) / 2 - 1/2 of the original.
    self.assertAllClose(big[1:-1, 0, 0], np.round((np.arange(1, 15) * 0.5 - 0.25) * 10), atol=1)

  def test_sample(self):
    image = tf.reshape(tf.range(6), (2, 3, 1))
    sampled = rgbd_images.sample(image, tf.constant([1, -1]), tf.constant([2, 0, -1]))
    self.assertAllEqual(sampled[..., 0], [[5, 3, 0], [0, 0, 0]])


if __name__ == "__main__":
  tf.test.main()
