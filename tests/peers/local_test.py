"""Tests of peers/local.py."""

import numpy as np
import tensorflow as tf

from tests.peers import tiny_network
from tf_taskology.peers import local, peer

_IMAGE = {
  "image": np.random.RandomState(0).randint(0, 256, (3, *tiny_network.SIZE, 3)).astype("u1")
}


class LocalPeerTest(tf.test.TestCase):
  def test_answers_are_as_old_as_the_last_refresh(self):
    network, now = tiny_network.build(), [10.0]
    asked = local.LocalPeer("tiny", network, tiny_network.tasks(), clock=lambda: now[0])
    asked.check()
    before = tiny_network.predict(network, _IMAGE["image"])
    network.set_weights([w + 0.1 for w in network.get_weights()])
    now[0] = 20.0
    answer = asked.predict(_IMAGE)
    self.assertAllClose(answer.predictions["depth"], before["depth"], rtol=1e-4)
    self.assertAllEqual(answer.published_at, np.array([10.0] * 3))
    asked.refresh(7)
    answer = asked.predict(_IMAGE)
    after = tiny_network.predict(network, _IMAGE["image"])
    self.assertAllClose(answer.predictions["normals"], after["normals"], rtol=1e-4, atol=1e-4)
    self.assertAllEqual(answer.step, [7, 7, 7])
    self.assertEqual((answer.version, answer.published_at[0]), (7, 20.0))
    asked.close()
    with self.assertRaises(peer.PeerClosed):
      asked.predict(_IMAGE)


if __name__ == "__main__":
  tf.test.main()
