"""Tests of versions.py."""

import types
from unittest import mock

from absl.testing import absltest

from tf_taskology.peers import publishing
from tf_taskology.training import callbacks, experiment, status, versions


class VersionsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    first = status.Status("depth", state="training", step=3)
    self.reporter = callbacks.Reporter(self.folder, first)
    spec = types.SimpleNamespace(name="depth")
    settings = experiment.Publishing(every_steps=10)
    self.versions = versions.Versions(settings, [spec], self.folder, self.reporter)
    self.modules = [types.SimpleNamespace(name="depth", network=None, tasks=())]
    self.seen = []

  def publish(self, error=None):
    def write(*unused):
      self.seen.append(status.read(self.folder))
      if error:
        raise error

    with mock.patch.object(publishing.Publisher, "publish", side_effect=write):
      self.versions.publish(self.modules, 8)

  def test_says_that_it_publishes_while_it_does(self):
    self.publish()
    (during,) = self.seen
    self.assertEqual((during.state, during.message, during.step), ("training", "publishing", 8))
    self.assertEqual(status.read(self.folder).message, "")

  def test_full_disk_is_logged(self):
    with self.assertLogs(level="ERROR") as logged:
      self.publish(publishing.PublishError("The disk is full."))
    self.assertIn("The disk is full. Training goes on", logged.output[0])
    self.assertEqual(status.read(self.folder).message, "")

  def test_schedule_begins_at_the_step(self):
    schedule = self.versions.schedule(8)
    self.assertEqual([schedule.due(step) for step in (9, 18)], [False, True])


if __name__ == "__main__":
  absltest.main()
