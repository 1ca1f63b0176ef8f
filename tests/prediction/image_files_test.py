"""Tests of prediction/image_files.py."""

import os

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from tests.prediction import sample_images
from tf_taskology.prediction import image_files


class ImageFilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path

  def write(self, name, *args, **options):
    return sample_images.write(os.path.join(self.folder, name), *args, **options)

  def names(self, *places, **options):
    return [image.name for image in image_files.find(places or [self.folder], **options)]

  def test_folder_in_natural_order(self):
    for name in ("10.jpg", "9.png", "b/2.JPG", "b/1.jpeg", ".hidden/1.jpg", ".x.png"):
      self.write(name, format="PNG")
    with open(os.path.join(self.folder, "notes.txt"), "w") as file:
      file.write("no image")
    self.assertEqual(self.names(), ["9", "10", "b/1", "b/2"])

  def test_endings_are_kept_where_they_make_the_difference(self):
    for name in ("1.jpg", "1.png", "2.png"):
      self.write(name)
    self.assertEqual(self.names(), ["1.jpg", "1.png", "2"])

  def test_files_patterns_and_repetitions(self):
    paths = [self.write(name) for name in ("a.png", "b.png", "c/d.png")]
    self.assertEqual(self.names(paths[0], self.folder + "/*.png", paths[0]), ["a", "b"])

  def test_own_results_are_no_input(self):
    self.write("a.png")
    self.write("out/a.depth.png")
    self.assertEqual(self.names(exclude=os.path.join(self.folder, "out")), ["a"])

  def test_errors(self):
    with self.assertRaisesRegex(ValueError, "No images were named: give --images="):
      image_files.find([])
    with self.assertRaisesRegex(ValueError, "There is no file or folder '/nowhere'"):
      self.names("/nowhere")
    with self.assertRaisesRegex(ValueError, "There are no images in .*end in .jpg"):
      self.names()
    for name in ("a/1.png", "b/1.png"):
      self.write(name)
    with self.assertRaisesRegex(ValueError, "'.*a/1.png' and '.*b/1.png' would both be called '1"):
      self.names(os.path.join(self.folder, "a"), os.path.join(self.folder, "b"))

  @parameterized.parameters(
    ("a.jpg", None, {}, True, (24, 32)),
    ("a.jpg", Image.fromarray(sample_images.pixels()).convert("L"), {}, True, (24, 32)),
    ("a.jpg", Image.fromarray(sample_images.pixels()).convert("CMYK"), {}, False, (24, 32)),
    ("a.png", None, {}, False, (24, 32)),
    ("a.jpg", None, {"format": "PNG"}, False, (24, 32)),
  )
  def test_look(self, name, image, options, plain, size):
    header = image_files.look(self.write(name, image, **options))
    self.assertEqual((header.is_plain_jpeg, header.size), (plain, size))

  def test_pictures_taken_on_the_side_are_turned(self):
    path = sample_images.turned(os.path.join(self.folder, "a.jpg"))
    self.assertEqual(image_files.look(path), image_files.Header((32, 24), False))
    image = image_files.decode(path)
    self.assertEqual(image.shape, (32, 24, 3))
    difference = image.astype(int) - np.rot90(sample_images.pixels(), -1)
    self.assertLess(np.abs(difference).mean(), 8)

  @parameterized.parameters("L", "RGB", "RGBA", "P", "1")
  def test_decodes_every_mode(self, mode):
    image = Image.fromarray(sample_images.pixels()).convert(mode)
    decoded = image_files.decode(self.write("a.png", image))
    self.assertEqual((decoded.shape, decoded.dtype), ((24, 32, 3), np.uint8))
    np.testing.assert_array_equal(decoded, np.asarray(image.convert("RGB")))

  def test_sixteen_bits_keep_their_upper_half(self):
    grey = (np.arange(24 * 32, dtype=np.uint16) * 80).reshape(24, 32)
    decoded = image_files.decode(self.write("a.png", Image.fromarray(grey)))
    np.testing.assert_array_equal(decoded[..., 1], grey >> 8)

  @parameterized.parameters("a.jpg", "a.png", "a.gif", "a.tif", "a.bmp")
  def test_broken_images(self, name):
    big = np.random.default_rng(0).integers(0, 255, [200, 200, 3], np.uint8)
    path = sample_images.truncate(self.write(name, big))
    with self.assertRaisesRegex(image_files.BadImage, f"Cannot read image '{path}': .+"):
      image_files.decode(path)
    with open(path, "w") as file:
      file.write("no image at all")
    for function in (image_files.look, image_files.decode):
      with self.assertRaisesRegex(image_files.BadImage, "cannot identify"):
        function(path)
    os.remove(path)
    with self.assertRaisesRegex(image_files.BadImage, "No such file"):
      image_files.look(path)


if __name__ == "__main__":
  absltest.main()
