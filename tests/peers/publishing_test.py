"""Tests of peers/publishing.py: what readers of the export folder can see, whatever happens."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from tests.peers import tiny_network
from tf_taskology.peers import publishing

# Publishes for ever; the parent kills it.
_PUBLISH_FOR_EVER = """
import itertools, sys
from tests.peers import tiny_network
from tf_taskology.peers import publishing
network, tasks = tiny_network.build(), tiny_network.tasks()
publisher = publishing.Publisher(sys.argv[1])
publisher.check_writable()
for step in itertools.count(1 + max(publishing.versions(sys.argv[1]), default=0)):
  publisher.publish(network, tasks, step)
"""

_FILES = {
  "saved_model.pb",
  "variables/variables.index",
  "variables/variables.data-00000-of-00001",
  "assets.extra/tf_serving_warmup_requests",
  "assets.extra/taskology.json",
}


def _files(version_dir):
  return {
    os.path.relpath(os.path.join(folder, name), version_dir)
    for folder, _, names in os.walk(version_dir)
    for name in names
  }


class PublisherTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.network, cls.tasks = tiny_network.build(), tiny_network.tasks()

  def setUp(self):
    super().setUp()
    self.export_dir = os.path.join(self.create_tempdir().full_path, "depth")
    self.publisher = publishing.Publisher(self.export_dir, clock=lambda: 1234.5)
    self.publisher.check_writable()

  def publish(self, step):
    return self.publisher.publish(self.network, self.tasks, step)

  def test_a_version_is_complete_and_described(self):
    version_dir = self.publish(300)
    self.assertEqual(version_dir, os.path.join(self.export_dir, "300"))
    self.assertEqual(_files(version_dir), _FILES)
    with open(os.path.join(version_dir, "assets.extra", "taskology.json")) as file:
      description = json.load(file)
    self.assertEqual(description["module"], "depth")
    self.assertEqual((description["step"], description["published_at"]), (300, 1234.5))
    self.assertEqual(description["image_size"], list(tiny_network.SIZE))
    self.assertEqual(description["outputs"]["normals"]["channels"], 3)

  def test_the_newest_are_kept(self):
    for step in (1, 2, 10):
      self.publish(step)
    self.assertEqual(publishing.versions(self.export_dir), [2, 10])
    self.assertCountEqual(os.listdir(self.export_dir), ["2", "10"])

  def test_a_run_that_was_set_back_is_newest_again(self):
    for step in (390, 400):
      self.publish(step)
    restarted = publishing.Publisher(self.export_dir)
    restarted.publish(self.network, self.tasks, 385)
    self.assertEqual(publishing.versions(self.export_dir), [385])

  def test_same_step_again(self):
    version_dir = self.publish(5)
    graph = os.path.join(version_dir, "saved_model.pb")
    written = os.stat(graph).st_mtime_ns
    self.publish(5)
    self.assertEqual(os.stat(graph).st_mtime_ns, written)
    # A run that comes to the same step again has other weights.
    publishing.Publisher(self.export_dir, clock=lambda: 9.0).publish(self.network, self.tasks, 5)
    model = tf.saved_model.load(version_dir)
    image = tf.zeros([1, *tiny_network.SIZE, 3], tf.uint8)
    self.assertEqual(model.signatures["peer"](image=image)["published_at"].numpy(), [9.0])

  def test_publishing_is_cheap_after_the_first(self):
    self.publish(1)
    seconds = []
    for step in range(2, 7):
      started = time.process_time()
      self.publish(step)
      seconds.append(time.process_time() - started)
    self.assertLess(min(seconds), 0.1)

  def test_leftovers_are_removed(self):
    self.publish(5)
    leftover = os.path.join(self.export_dir, ".tmp-7-99999")
    os.makedirs(os.path.join(leftover, "variables"))
    self.publisher.check_writable()
    self.assertEqual(os.listdir(self.export_dir), ["5"])

  def test_a_folder_that_cannot_be_written(self):
    path = os.path.join(self.create_tempdir().full_path, "file")
    with open(path, "w"):
      pass
    publisher = publishing.Publisher(os.path.join(path, "depth"))
    with self.assertRaisesRegex(publishing.PublishError, "'depth' cannot be published to .*file"):
      publisher.check_writable()
    with self.assertRaises(OSError):
      publisher.publish(self.network, self.tasks, 1)

  def test_a_full_disk_leaves_the_version_before(self):
    self.publish(1)
    # No file may grow beyond 1000 bytes: TensorFlow's and Python's writes both fail, as on a full disk.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
      with self.assertRaisesRegex(
        publishing.PublishError, r"Version 2 of module 'depth' .*: .*Versions there: \[1\]"
      ):
        self.publish(2)
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, limits)
      signal.signal(signal.SIGXFSZ, handler)
    self.assertEqual(os.listdir(self.export_dir), ["1"])
    self.publish(3)
    self.assertEqual(publishing.versions(self.export_dir), [1, 3])

  def test_a_first_version_on_a_full_disk_can_be_tried_again(self):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
      with self.assertRaises(publishing.PublishError):
        self.publish(2)
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, limits)
      signal.signal(signal.SIGXFSZ, handler)
    self.assertEmpty(os.listdir(self.export_dir))
    self.assertEqual(_files(self.publish(3)), _FILES)

  def test_killed_at_any_moment_only_whole_versions_are_seen(self):
    random = np.random.RandomState(0)
    for _ in range(2):
      process = subprocess.Popen(
        [sys.executable, "-c", _PUBLISH_FOR_EVER, self.export_dir],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"},
      )
      try:
        deadline = time.monotonic() + 240
        first = max(publishing.versions(self.export_dir), default=0)
        while max(publishing.versions(self.export_dir), default=0) < first + 5:
          self.assertLess(time.monotonic(), deadline)
          self.assertIsNone(process.poll())
          time.sleep(0.005)
        for _ in range(20):  # stopped in the middle of its work, as a kill would
          time.sleep(random.uniform(0.001, 0.02))
          process.send_signal(signal.SIGSTOP)
          for version in publishing.versions(self.export_dir):
            self.assertEqual(_files(os.path.join(self.export_dir, str(version))), _FILES)
          process.send_signal(signal.SIGCONT)
        time.sleep(random.uniform(0.001, 0.02))
      finally:
        process.kill()
        process.wait()
      kept = publishing.versions(self.export_dir)
      self.assertBetween(len(kept), 1, 3)
      for version in kept:
        version_dir = os.path.join(self.export_dir, str(version))
        self.assertEqual(_files(version_dir), _FILES)
        tf.saved_model.load(version_dir)

  def test_bad_keep_is_refused(self):
    with self.assertRaisesRegex(ValueError, "`keep` must be at least 1 version. Received: 0"):
      publishing.Publisher("x", keep=0)


class PublishScheduleTest(absltest.TestCase):
  def test_steps(self):
    schedule = publishing.PublishSchedule(every_steps=10)
    self.assertTrue(schedule.due(7))
    schedule.mark(7)
    self.assertFalse(schedule.due(16))
    self.assertTrue(schedule.due(17))

  def test_seconds(self):
    now = [0.0]
    schedule = publishing.PublishSchedule(every_secs=5.0, clock=lambda: now[0])
    schedule.mark(0)
    now[0] = 4.9
    self.assertFalse(schedule.due(1000))
    now[0] = 5.0
    self.assertTrue(schedule.due(1))

  def test_needs_one_of_both(self):
    with self.assertRaisesRegex(ValueError, "needs `every_steps` or `every_secs`"):
      publishing.PublishSchedule()
    with self.assertRaisesRegex(ValueError, "every_secs=0"):
      publishing.PublishSchedule(every_secs=0)


if __name__ == "__main__":
  absltest.main()
