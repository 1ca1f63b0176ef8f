"""Tests of peers/frozen.py."""

import os

import numpy as np
import tensorflow as tf

from tests.peers import tiny_network
from tf_taskology.peers import frozen, peer, publishing

_IMAGE = {
  "image": np.random.RandomState(0).randint(0, 256, (3, *tiny_network.SIZE, 3)).astype("u1")
}


class FrozenPeerTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.export_dir = os.path.join(self.create_tempdir().full_path, "tiny")
    self.outputs = peer.outputs_of(tiny_network.tasks())

  def test_one_version_and_the_newest(self):
    network, publisher = tiny_network.build(), publishing.Publisher(self.export_dir)
    first = publisher.publish(network, tiny_network.tasks(), 10, published_at=50.0)
    expected = tiny_network.predict(network, _IMAGE["image"])
    fixed = frozen.FrozenPeer("tiny", self.outputs, version_dir=first)
    newest = frozen.FrozenPeer("tiny", self.outputs, export_dir=self.export_dir)
    newest.check()
    newest.predict(_IMAGE)
    network.set_weights([w + 0.1 for w in network.get_weights()])
    publisher.publish(network, tiny_network.tasks(), 20)
    answer = fixed.predict(_IMAGE)
    self.assertEqual(answer.predictions["depth"].dtype, np.float32)
    for name, value in expected.items():
      self.assertAllClose(answer.predictions[name], value, rtol=2e-3, atol=2e-3)
    self.assertAllEqual(answer.step, [10, 10, 10])
    self.assertAllEqual(answer.published_at, np.array([50.0] * 3))
    later = newest.predict(_IMAGE)
    self.assertEqual(later.version, 20)
    expected = tiny_network.predict(network, _IMAGE["image"])
    self.assertAllClose(later.predictions["depth"], expected["depth"], rtol=2e-3, atol=2e-3)

  def test_nothing_published(self):
    asked = frozen.FrozenPeer("tiny", self.outputs, export_dir=self.export_dir)
    with self.assertRaisesRegex(peer.PeerNotPublished, "'tiny' has no published version in .*tiny"):
      asked.predict(_IMAGE)

  def test_not_a_saved_model(self):
    os.makedirs(os.path.join(self.export_dir, "3"))
    asked = frozen.FrozenPeer("tiny", self.outputs, export_dir=self.export_dir)
    with self.assertRaisesRegex(peer.PeerNotPublished, "tiny/3 cannot be loaded as a SavedModel"):
      asked.predict(_IMAGE)

  def test_missing_outputs_are_named(self):
    publishing.Publisher(self.export_dir).publish(tiny_network.build(), tiny_network.tasks(), 1)
    outputs = {**self.outputs, "flow": self.outputs["depth"]}
    with self.assertRaisesRegex(
      peer.WrongSignature, r"lacks the outputs \['flow'\]. It has: .*depth"
    ):
      frozen.FrozenPeer("tiny", outputs, export_dir=self.export_dir).check()

  def test_closed(self):
    asked = frozen.FrozenPeer("tiny", self.outputs, export_dir=self.export_dir)
    asked.close()
    with self.assertRaises(peer.PeerClosed):
      asked.predict(_IMAGE)

  def test_one_folder_is_needed(self):
    with self.assertRaisesRegex(ValueError, "exactly one of `version_dir`, `export_dir` and"):
      frozen.FrozenPeer("tiny", self.outputs)

  def test_path_stays_with_the_version_that_it_found(self):
    publisher = publishing.Publisher(self.export_dir, keep=3)
    network = tiny_network.build()
    for step in (1, 2):
      publisher.publish(network, tiny_network.tasks(), step)
    one = frozen.FrozenPeer("tiny", self.outputs, path=os.path.join(self.export_dir, "1"))
    newest = frozen.FrozenPeer("tiny", self.outputs, path=self.export_dir)
    self.assertEqual((one.predict(_IMAGE).version, newest.predict(_IMAGE).version), (1, 2))
    publisher.publish(network, tiny_network.tasks(), 3)
    self.assertEqual(newest.predict(_IMAGE).version, 2)


if __name__ == "__main__":
  tf.test.main()
