"""The program that renders rooms: its flags, what it writes, what it refuses."""

import os

import tensorflow as tf
from absl import app
from absl.testing import flagsaver
from PIL import Image

from tf_taskology import render_rooms
from tf_taskology.datasets.rooms import rooms


class RenderRoomsTest(tf.test.TestCase):
  def test_writes_data_and_preview(self):
    folder = self.create_tempdir().full_path
    picture = os.path.join(folder, "rooms.png")
    with flagsaver.flagsaver(
      data_dir=folder, domain="simulated", size="12x16", train=2, validation=1, test=1,
      num_workers=1, preview=picture, preview_examples=1,
    ):  # fmt: skip
      render_rooms.main(["render_rooms"])
    with Image.open(picture) as image:
      self.assertEqual(image.size, (10 * 16, 10 * 2 * 5 * 12))  # enlarged to at least 120 rows
    config = rooms.RoomsConfig(height=12, width=16, train=2, validation=1, test=1)
    self.assertTrue(os.path.exists(os.path.join(folder, "rooms", config.name, "1.0.0")))

  def test_refuses_what_it_cannot_do(self):
    with self.assertRaisesRegex(app.UsageError, "give --data_dir"):
      render_rooms.main(["render_rooms"])
    with self.assertRaisesRegex(app.UsageError, "unexpected arguments"):
      render_rooms.main(["render_rooms", "sensor"])
    with (
      flagsaver.flagsaver(size="48by64", preview="unused.png"),
      self.assertRaisesRegex(app.UsageError, "48by64"),
    ):
      render_rooms.main(["render_rooms"])


if __name__ == "__main__":
  tf.test.main()
