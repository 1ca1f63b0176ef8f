"""Tests of peers/record.py, with times by hand."""

import numpy as np
from absl.testing import absltest

from tf_taskology.peers import peer, record


def _answer(version, published_at):
  return peer.Answer(
    predictions={},
    step=np.array([version, version]),
    published_at=np.array([published_at, published_at]),
    version=version,
    num_bytes=1_500_000,
    seconds=0.25,
  )


class PeerRecordTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.now, self.step = 1000.0, 0
    self.record = record.PeerRecord(
      "normals", "wait", "host:1", step_fn=lambda: self.step, clock=lambda: self.now
    )

  def test_before_the_first_answer(self):
    snapshot = self.record.snapshot()
    self.assertIsNone(snapshot["version"])
    self.assertIsNone(snapshot["staleness_secs"])
    self.assertEqual(snapshot["waiting_share"], 0.0)
    self.assertEqual((snapshot["policy"], snapshot["target"]), ("wait", "host:1"))

  def test_staleness_counts_from_publication_and_from_the_first_look(self):
    self.step = 10
    self.record.answered(_answer(400, 990.0))
    self.step = 25
    self.record.answered(_answer(400, 990.0))
    self.now = 1003.0
    snapshot = self.record.snapshot()
    self.assertEqual(snapshot["version"], 400)
    self.assertEqual(snapshot["staleness_secs"], 13.0)
    self.assertEqual(snapshot["staleness_steps"], 15)
    self.assertEqual(snapshot["mbytes"], 3.0)
    self.assertEqual(snapshot["requests"], 2)
    self.assertEqual(snapshot["rpc_secs"], 0.5)

  def test_a_late_answer_of_an_old_version_does_not_come_back(self):
    self.record.answered(_answer(500, 999.0))
    self.record.answered(_answer(400, 990.0))
    self.assertEqual(self.record.snapshot()["version"], 500)

  def test_a_peer_that_was_set_back_is_seen(self):
    self.record.answered(_answer(500, 990.0))
    self.record.answered(_answer(450, 999.0))
    self.assertEqual(self.record.snapshot()["version"], 450)

  def test_waiting_share(self):
    self.record.waited(0.0)
    self.now = 1010.0
    self.record.waited(2.5)
    self.assertEqual(self.record.snapshot()["waiting_share"], 0.25)

  def test_trouble_is_visible_until_the_next_answer(self):
    self.assertEqual(self.record.state(), "ok")
    self.record.failed("no server")
    self.now = 1012.0
    self.record.failed("still no server")
    self.assertEqual(self.record.state(), "waiting for peer normals since 12 s: still no server")
    self.record.answered(_answer(1, 1011.0))
    self.assertEqual(self.record.state(), "ok")
    self.assertEqual(self.record.snapshot()["failures"], 2)


if __name__ == "__main__":
  absltest.main()
