"""Tests of peers/policy.py with a peer that follows a script."""

import os
import threading
import time

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.peers import fake_server, tiny_network
from tf_taskology.peers import peer, policy, publishing, record

_IMAGE = {"image": np.full([2, 8, 12, 3], 50, np.uint8)}
_DOWN = peer.PeerUnreachable("no server there")
_BROKEN = peer.WrongShape("wrong shape")


class PolicyTest(parameterized.TestCase, tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.closed = threading.Event()
    self.addCleanup(self.closed.set)
    self.notes = record.PeerRecord("depth")

  def ask(self, how, asked):
    return how.answer(asked, _IMAGE, self.notes, self.closed)

  def wait_for(self, condition):
    deadline = time.monotonic() + 30
    while not condition():
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.01)

  def test_wait_asks_until_there_is_an_answer(self):
    asked = fake_server.FakePeer(script=[_DOWN, _DOWN])
    answer = self.ask(policy.Wait(pause_secs=0.01), asked)
    self.assertAllEqual(answer.predictions["depth"][:, 0, 0, 0], [50, 50])
    self.assertEqual(asked.num_requests, 3)
    self.assertEqual(self.notes.snapshot()["failures"], 2)

  def test_wait_gives_up_at_its_limit(self):
    asked = fake_server.FakePeer(script=[_DOWN] * 1000)
    with self.assertRaisesRegex(
      peer.PeerError,
      r"waiting for peer depth .* no server there Gave up after 0.05 s \(limit_secs\)",
    ):
      self.ask(policy.Wait(limit_secs=0.05, pause_secs=0.01), asked)

  def test_wait_for_something_newer(self):
    now = time.time()
    asked = fake_server.FakePeer(script=[now - 100, now - 90, now - 1])
    answer = self.ask(policy.Wait(pause_secs=0.01, max_staleness_secs=60), asked)
    self.assertEqual(answer.published_at[0], now - 1)

  def test_wait_ends_when_closed(self):
    asked = fake_server.FakePeer(script=[_DOWN] * 1000)
    threading.Timer(0.1, self.closed.set).start()
    started = time.monotonic()
    with self.assertRaises(peer.PeerClosed):
      self.ask(policy.Wait(pause_secs=30), asked)
    self.assertLess(time.monotonic() - started, 15)

  @parameterized.parameters(policy.Wait, policy.Skip)
  def test_what_cannot_get_better_is_raised(self, kind):
    with self.assertRaises(peer.WrongShape):
      self.ask(kind(), fake_server.FakePeer(script=[_BROKEN]))

  def test_skip_goes_on_at_once_and_comes_back(self):
    asked = fake_server.FakePeer(script=[_DOWN, _DOWN])
    how = policy.Skip(probe_secs=0.05)
    self.assertIsNone(self.ask(how, asked))
    self.assertIsNone(self.ask(how, asked))
    self.assertEqual(asked.num_requests, 1)
    self.assertEqual(self.notes.snapshot()["skipped"], 2)
    self.wait_for(lambda: asked.num_requests == 3 and not how._probing)
    self.assertIsNotNone(self.ask(how, asked))

  def test_skip_reports_what_a_probe_finds_broken(self):
    asked = fake_server.FakePeer(script=[_DOWN, _BROKEN])
    how = policy.Skip(probe_secs=0.01)
    self.assertIsNone(self.ask(how, asked))
    self.wait_for(lambda: not how._probing)
    with self.assertRaises(peer.WrongShape):
      self.ask(how, asked)

  def test_skip_what_is_too_old(self):
    asked = fake_server.FakePeer(script=[time.time() - 100])
    self.assertIsNone(self.ask(policy.Skip(max_staleness_secs=60), asked))
    self.assertIn("at most 60 s are allowed", self.notes.state())

  def test_last_uses_the_newest_version_on_disk(self):
    export_dir = os.path.join(self.create_tempdir().full_path, "depth")
    asked = fake_server.FakePeer(script=[_DOWN] * 1000)
    how = policy.Last(export_dir, probe_secs=60)
    self.assertIsNone(self.ask(how, asked))
    network = tiny_network.build()
    publishing.Publisher(export_dir).publish(network, tiny_network.tasks(), 40)
    answer = self.ask(how, asked)
    expected = tiny_network.predict(network, _IMAGE["image"])["depth"]
    self.assertAllClose(answer.predictions["depth"], expected, rtol=2e-3)
    self.assertEqual(answer.version, 40)
    self.assertEqual(self.notes.snapshot()["version"], 40)

  def test_last_does_without_what_is_too_old(self):
    export_dir = os.path.join(self.create_tempdir().full_path, "depth")
    publishing.Publisher(export_dir).publish(
      tiny_network.build(), tiny_network.tasks(), 40, published_at=time.time() - 100
    )
    asked = fake_server.FakePeer(script=[_DOWN] * 1000)
    self.assertIsNone(self.ask(policy.Last(export_dir, 60, max_staleness_secs=50), asked))

  def test_bad_staleness_is_refused(self):
    with self.assertRaisesRegex(ValueError, "max_staleness_secs.*greater than 0. Received: 0"):
      policy.Wait(max_staleness_secs=0)


if __name__ == "__main__":
  tf.test.main()
