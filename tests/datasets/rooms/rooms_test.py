"""The TFDS builder: features, splits, locking and leftovers of killed processes."""

import pathlib
import signal
import subprocess
import sys
import time
from unittest import mock

import numpy as np
import psutil
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.rooms import furniture, render, rooms, shading

_PREPARE = """
import sys
from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.rooms import rooms
config = rooms.RoomsConfig(domain="sensor", height=16, width=24, train=int(sys.argv[2]),
                           validation=2, test=3, num_workers=2)
builder.prepare(rooms.Rooms, config, sys.argv[1])
"""


def _config(**changes):
  fields = {"domain": "sensor", "height": 16, "width": 24, "train": 6, "validation": 2, "test": 3}
  return rooms.RoomsConfig(**{**fields, "num_workers": 1, **changes})


def _start(folder, train: int) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, "-c", _PREPARE, str(folder), str(train)],
    env={"PYTHONPATH": ":".join(p for p in sys.path if p), "TF_CPP_MIN_LOG_LEVEL": "3"},
  )


class RoomsConfigTest(parameterized.TestCase):
  def test_names_tell_data_sets_apart(self):
    changes = [
      {}, {"domain": "simulated"}, {"height": 32}, {"train": 7}, {"test": 4}, {"seed": 1},
      {"strength": shading.Strength(noise=0.0)},
    ]  # fmt: skip
    names = {_config(**c).name for c in changes}
    self.assertLen(names, len(changes))
    self.assertEqual(_config(num_workers=2).name, _config().name)

  def test_stock_configurations_cover_domains_and_sizes(self):
    names = list(rooms.Rooms.builder_configs)
    for name in ("simulated_48x64", "sensor_48x64", "simulated_96x128", "sensor_96x128"):
      self.assertIn(name, names)

  @parameterized.parameters(
    ({"domain": "real"}, "expected one of"),
    ({"test": 0}, "test is 0"),
    ({"name": "mine"}, "leave it out"),
  )
  def test_bad_fields_are_refused(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      _config(**changes)


class PrepareTest(tf.test.TestCase):
  def test_examples_arrive_as_rendered(self):
    prepared = builder.prepare(rooms.Rooms, _config(), self.create_tempdir().full_path)
    counts = {name: split.num_examples for name, split in prepared.info.splits.items()}
    self.assertEqual(counts, {"train": 6, "validation": 2, "test": 3})
    ids = set()
    for split in render.SPLITS:
      for example in prepared.as_dataset(split=split).as_numpy_iterator():
        name = example["sample_id"].decode()
        ids.add(name)
        expected = render.render(_config().job(), split, int(name.split("/")[-1]))
        for key in ("image", "depth", "normals", "segmentation", "intrinsics", "pose"):
          self.assertEqual(example[key].dtype, expected[key].dtype)
          np.testing.assert_array_equal(example[key], expected[key])
    self.assertLen(ids, 11)
    for i, name in enumerate(furniture.CLASSES):
      self.assertIn(f"{i} {name}", prepared.info.features["segmentation"].doc.desc)

  def test_a_second_call_renders_nothing(self):
    folder = self.create_tempdir().full_path
    first = builder.prepare(rooms.Rooms, _config(), folder)
    with mock.patch.object(render, "render", side_effect=AssertionError):
      second = builder.prepare(rooms.Rooms, _config(), folder)
    self.assertEqual(first.data_path, second.data_path)
    self.assertLen(list(second.as_dataset(split="test")), 3)

  def test_a_folder_that_cannot_be_written_is_named(self):
    file = self.create_tempfile("not_a_folder").full_path
    with self.assertRaisesRegex(OSError, "not_a_folder.*choose a folder"):
      builder.prepare(rooms.Rooms, _config(), file)

  def test_a_stock_configuration_is_accepted(self):
    config = rooms.RoomsConfig(domain="sensor", height=48, width=64)
    self.assertIs(builder.stock(rooms.Rooms, config), rooms.Rooms.builder_configs["sensor_48x64"])

  def test_two_processes_render_once(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    other = _start(folder, train=40)
    config = _config(train=40, num_workers=2)
    prepared = builder.prepare(rooms.Rooms, config, folder)
    self.assertEqual(other.wait(), 0)
    self.assertLen(list(prepared.as_dataset(split="train")), 40)
    self.assertEmpty(list(prepared.data_path.parent.glob("incomplete.*")))

  def test_a_killed_process_leaves_nothing_behind(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    other = _start(folder, train=4000)
    parent = folder / "rooms" / _config(train=4000).name
    while not list(parent.glob("incomplete.*")):
      self.assertIsNone(other.poll())
      time.sleep(0.05)
    helpers = psutil.Process(other.pid).children(recursive=True)
    other.send_signal(signal.SIGKILL)
    other.wait()
    self.assertEmpty(psutil.wait_procs(helpers, timeout=20)[1])
    left = next(parent.glob("incomplete.*"))
    # The same folder, as a smaller data set would find it.
    small = rooms.Rooms(config=_config(), data_dir=str(folder))
    pathlib.Path(small.data_path.parent).mkdir()
    left.rename(pathlib.Path(small.data_path.parent) / left.name)
    prepared = builder.prepare(rooms.Rooms, _config(), folder)
    self.assertLen(list(prepared.as_dataset(split="train")), 6)
    self.assertEmpty(list(prepared.data_path.parent.glob("incomplete.*")))


if __name__ == "__main__":
  tf.test.main()
