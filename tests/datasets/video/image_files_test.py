"""Tests of datasets/video/image_files.py."""

import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from tests.datasets import rgbd_fixtures
from tf_taskology.datasets.video import image_files


class ProblemTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path

  def problem(self, path, size=rgbd_fixtures.SIZE):
    return image_files.problem(path, size, "the first")

  def test_whole_images_pass(self):
    for ending in ("png", "jpg"):
      path = os.path.join(self.folder, f"a.{ending}")
      rgbd_fixtures.save(path, rgbd_fixtures.color(0))
      self.assertEqual(self.problem(path), "")

  def test_says_what_is_wrong(self):
    path = os.path.join(self.folder, "a.jpg")
    self.assertIn("No such file", self.problem(path))
    rgbd_fixtures.save(path, rgbd_fixtures.color(0))
    self.assertIn("is 32x24 (width x height), but the first is 9x8", self.problem(path, (8, 9)))
    with open(path, "r+b") as file:
      file.truncate(os.path.getsize(path) - 100)
    self.assertIn("truncated", self.problem(path))
    with open(path, "w", encoding="utf-8") as file:
      file.write("no image")
    self.assertIn("cannot identify", self.problem(path))


class ReadTest(absltest.TestCase):
  def test_all_kinds_become_colours(self):
    path = os.path.join(self.create_tempdir().full_path, "a.png")
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    expected = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    for mode in ("L", "RGB", "RGBA", "LA", "P"):
      Image.fromarray(grey).convert(mode).save(path)
      np.testing.assert_array_equal(image_files.read_colour(path), expected, mode)

  def test_16_bits_keep_their_high_ones(self):
    path = os.path.join(self.create_tempdir().full_path, "a.png")
    Image.fromarray(np.array([[0, 255, 256, 51200, 65535]], np.uint16)).save(path)
    image = image_files.read_colour(path)
    self.assertEqual(image[0, :, 0].tolist(), [0, 0, 1, 200, 255])
    self.assertEqual((image.shape, image.dtype), ((1, 5, 3), np.uint8))


if __name__ == "__main__":
  absltest.main()
