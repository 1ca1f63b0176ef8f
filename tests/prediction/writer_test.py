"""Tests of prediction/writer.py."""

import json
import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from PIL import Image

from tf_taskology.prediction import image_files, output_kind, writer

_KINDS = {
  "depth": output_kind.Kind.DEPTH,
  "logits": output_kind.Kind.ARRAY,
  "step": output_kind.Kind.STAMP,
}
_IMAGE = image_files.ImageFile("/images/a/7.jpg", "a/7")


def _outputs():
  return {
    "depth": np.linspace(1, 2, 12, dtype=np.float16).reshape(3, 4, 1),
    "logits": np.ones([3, 4, 19], np.float32),
    "step": np.int64(400),
  }


class WriterTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = os.path.join(self.create_tempdir().full_path, "out")

  def write(self, outputs=None, **options):
    made = writer.Writer(self.folder, _KINDS, **options)
    line = made.write(_IMAGE, outputs or _outputs(), 400)
    made.note(line)
    made.close()
    return line

  def path(self, name):
    return os.path.join(self.folder, name)

  def test_an_array_and_a_picture_for_each_output(self):
    line = self.write()
    np.testing.assert_array_equal(np.load(self.path("a/7.depth.npy")), _outputs()["depth"])
    np.testing.assert_array_equal(np.load(self.path("a/7.logits.npy")), _outputs()["logits"])
    with Image.open(self.path("a/7.depth.png")) as picture:
      self.assertEqual(picture.width, 4)
    self.assertCountEqual(
      os.listdir(self.path("a")), ["7.depth.npy", "7.depth.png", "7.logits.npy"]
    )
    self.assertEqual(
      line,
      {
        "image": "/images/a/7.jpg",
        "name": "a/7",
        "version": 400,
        "step": 400,
        "files": {
          "depth": {"array": "a/7.depth.npy", "picture": "a/7.depth.png"},
          "logits": {"array": "a/7.logits.npy"},
        },
      },
    )
    with open(self.path(writer.INDEX)) as file:
      self.assertEqual([json.loads(text) for text in file], [line])

  def test_segmentation_and_motion(self):
    kinds = {
      "segmentation": output_kind.Kind.SEGMENTATION,
      "rotation": output_kind.Kind.VECTOR,
      "motion_field": output_kind.Kind.MOTION,
    }
    made = writer.Writer(self.folder, kinds, arrays="none")
    logits = np.eye(19, dtype=np.float32)[[[0, 13], [13, 18]]]
    outputs = {
      "segmentation": logits,
      "rotation": np.array([[[0.0, 0.5, -1.0]]], np.float32),
      "motion_field": np.ones([2, 2, 3], np.float32),
    }
    image = image_files.ImageFile("/images/a/7.jpg", "a/7", "/images/a/8.jpg")
    line = made.write(image, outputs, 400)
    made.close()
    self.assertEqual(line["next_image"], "/images/a/8.jpg")
    self.assertEqual(line["rotation"], [0.0, 0.5, -1.0])
    self.assertNotIn("rotation", line["files"])
    with Image.open(self.path(line["files"]["segmentation"]["classes"])) as numbers:
      self.assertEqual(numbers.mode, "L")
      np.testing.assert_array_equal(np.asarray(numbers), [[0, 13], [13, 18]])
    with Image.open(self.path(line["files"]["segmentation"]["picture"])) as colors:
      np.testing.assert_array_equal(np.asarray(colors)[0], [[128, 64, 128], [0, 0, 142]])
    self.assertTrue(os.path.exists(self.path(line["files"]["motion_field"]["picture"])))

  def test_one_archive(self):
    line = self.write(arrays="npz", pictures=False)
    self.assertEqual((line["arrays"], os.listdir(self.path("a"))), ("a/7.npz", ["7.npz"]))
    with np.load(self.path("a/7.npz")) as arrays:
      self.assertCountEqual(arrays, ["depth", "logits"])
      np.testing.assert_array_equal(arrays["depth"], _outputs()["depth"])

  def test_pictures_alone_with_a_fixed_range(self):
    self.write(arrays="none", depth_range=output_kind.Range(1.0, 100.0))
    self.assertEqual(os.listdir(self.path("a")), ["7.depth.png"])
    with Image.open(self.path("a/7.depth.png")) as image:
      picture = np.asarray(image)
    self.assertLess(np.ptp(picture[:3].astype(int), axis=(0, 1)).max(), 20)  # all about as near

  def test_bfloat16_is_written_as_something_that_everybody_reads(self):
    values = np.ones([3, 4, 1], tf.bfloat16.as_numpy_dtype)
    self.write({"depth": values})
    self.assertEqual(np.load(self.path("a/7.depth.npy")).dtype, np.float32)

  def test_refuses_other_arrays(self):
    with self.assertRaisesRegex(ValueError, "'npy', 'npz', 'none'.* Received: 'mat'"):
      writer.Writer(self.folder, _KINDS, arrays="mat")


if __name__ == "__main__":
  absltest.main()
