"""The program that renders streets: its flags, what it writes, what it refuses."""

import os

import tensorflow as tf
from absl import app
from absl.testing import flagsaver
from PIL import Image

from tf_taskology import render_streets
from tf_taskology.datasets.streets import streets


class RenderStreetsTest(tf.test.TestCase):
  def test_writes_data_and_preview(self):
    folder = self.create_tempdir().full_path
    picture = os.path.join(folder, "streets.png")
    with flagsaver.flagsaver(
      data_dir=folder, domain="street", size="12x40", train=2, validation=1, test=1, frames=2,
      num_workers=1, preview=picture, preview_examples=1,
    ):  # fmt: skip
      render_streets.main(["render_streets"])
    with Image.open(picture) as image:
      # Five panels of the drive, three of the still.
      self.assertEqual(image.size, (10 * 40, 10 * 8 * 12))
    config = streets.StreetsConfig(
      height=12, width=40, frames=2, train=2, validation=1, test=1
    )  # fmt: skip
    self.assertTrue(os.path.exists(os.path.join(folder, "streets", config.name, "1.0.0")))

  def test_refuses_what_it_cannot_do(self):
    with self.assertRaisesRegex(app.UsageError, "give --data_dir"):
      render_streets.main(["render_streets"])
    with (
      flagsaver.flagsaver(size="48by64", preview="unused.png"),
      self.assertRaisesRegex(app.UsageError, "48by64"),
    ):
      render_streets.main(["render_streets"])


if __name__ == "__main__":
  tf.test.main()
