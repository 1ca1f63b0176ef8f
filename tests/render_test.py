"""The program that renders the embedded worlds: its flags, what it writes, what it refuses."""

import os

import tensorflow as tf
from absl import app
from absl.testing import flagsaver, parameterized
from PIL import Image

from tf_taskology import render
from tf_taskology.datasets.rooms import rooms
from tf_taskology.datasets.streets import streets
from tf_taskology.datasets.sweeps import sweeps

_SMALL = {"train": 2, "validation": 1, "test": 1}


class RenderTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.named_parameters(
    # Five panels of each domain.
    ("rooms", "rooms", {"domain": "simulated"}, 16, 5 + 5, rooms.RoomsConfig),
    # Images, depth, classes and motion of two frames; image, depth and classes of one.
    ("streets", "streets", {"frames": 2}, 40, 5 + 3, streets.StreetsConfig),
  )
  def test_writes_data_and_preview(self, world, fields, width, panels, config):
    folder = self.create_tempdir().full_path
    picture = os.path.join(folder, "world.png")
    with flagsaver.flagsaver(
      world=world, data_dir=folder, size=f"12x{width}", num_workers=1, preview=picture,
      preview_examples=1, **fields, **_SMALL,
    ):  # fmt: skip
      render.main(["render"])
    with Image.open(picture) as image:
      self.assertEqual(image.size, (10 * width, 10 * panels * 12))  # enlarged to 120 rows
    name = config(height=12, width=width, **fields, **_SMALL).name
    self.assertTrue(os.path.exists(os.path.join(folder, world, name, "1.0.0")))

  def test_writes_sweeps(self):
    folder = self.create_tempdir().full_path
    picture = os.path.join(folder, "world.png")
    fields = {"frames": 2, "beams": 4, "azimuths": 32}
    with flagsaver.flagsaver(
      world="sweeps", data_dir=folder, preview=picture, preview_examples=2, num_workers=1, **fields, **_SMALL,
    ):  # fmt: skip
      render.main(["render"])
    with Image.open(picture) as image:
      self.assertEqual(image.size, (2 * 512, 512))
    name = sweeps.SweepsConfig(**fields, **_SMALL).name
    self.assertTrue(os.path.exists(os.path.join(folder, "sweeps", name, "1.0.0")))

  @parameterized.named_parameters(
    ("no_world", {"preview": "unused.png"}, "give --world, one of rooms, streets, sweeps"),
    ("nothing_to_do", {"world": "rooms"}, "give --data_dir"),
    ("size", {"world": "streets", "preview": "unused.png", "size": "48by64"}, "48by64"),
    ("domain", {"world": "rooms", "preview": "unused.png", "domain": "street"}, "'sensor'"),
    ("field", {"world": "rooms", "preview": "unused.png", "noise": 0.1}, "--noise"),
    ("size_of_sweeps", {"world": "sweeps", "preview": "unused.png", "size": "4x4"}, "--size"),
    ("domain_of_sweeps", {"world": "sweeps", "preview": "unused.png", "domain": "a"}, "--domain"),
    ("noise", {"world": "streets", "preview": "unused.png", "noise": -1.0}, "noise is -1.0"),
  )
  def test_refuses(self, values, message):
    with flagsaver.flagsaver(**values), self.assertRaisesRegex(app.UsageError, message):
      render.main(["render"])

  def test_refuses_arguments(self):
    with self.assertRaisesRegex(app.UsageError, "unexpected arguments"):
      render.main(["render", "sensor"])


if __name__ == "__main__":
  tf.test.main()
