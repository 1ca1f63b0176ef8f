"""Tests of peers/stage.py."""

import random
import threading
import time

import numpy as np
import tensorflow as tf

from tests.peers import fake_server
from tf_taskology.peers import peer, policy, stage
from tf_taskology.tasks import surface_normals

_SIZE = (2, 3)


def _batches(count, batch_size=2, num_frames=2):
  """Batches whose image [b, f] is filled with 8 * batch + 2 * b + f."""

  def make(index):
    offset = tf.reshape(tf.range(batch_size * num_frames), [batch_size, num_frames, 1, 1, 1])
    image = tf.cast(8 * tf.cast(index, tf.int32) + offset, tf.uint8)
    return {
      "dedicated": {"sample_id": tf.fill([batch_size], "d")},
      "mediator": {
        "image": tf.ensure_shape(
          tf.tile(image, [1, 1, 4, 6, 3]), [batch_size, num_frames, 4, 6, 3]
        ),
        "sample_id": tf.fill([batch_size], tf.strings.as_string(index)),
      },
    }

  return tf.data.Dataset.range(count).map(make)


class PredictionStageTest(tf.test.TestCase):
  def stage(self, peers, how=None, **kwargs):
    policies = {p.name: how or policy.Wait(pause_secs=0.01) for p in peers}
    made = stage.PredictionStage(peers, policies, _SIZE, **kwargs)
    self.addCleanup(made.close)
    return made

  def test_contract(self):
    asked = fake_server.FakePeer()
    dataset = self.stage([asked])(_batches(3))
    spec = dataset.element_spec
    self.assertEqual(spec["peers"]["depth"], tf.TensorSpec([2, 2, 2, 3, 1], tf.float32))
    self.assertEqual(
      spec["peers_info"]["depth"],
      {
        "available": tf.TensorSpec([2], tf.float32),
        "step": tf.TensorSpec([2], tf.int64),
        "published_at": tf.TensorSpec([2], tf.float64),
      },
    )
    batches = list(dataset)
    self.assertEqual(set(batches[0]), {"dedicated", "mediator", "peers", "peers_info"})
    # Frames are folded and unfolded in order; a sample is as old as its oldest frame.
    self.assertAllEqual(batches[1]["peers"]["depth"][:, :, 0, 0, 0], [[8, 9], [10, 11]])
    self.assertAllEqual(batches[1]["peers_info"]["depth"]["step"], [100, 102])
    self.assertAllEqual(batches[1]["peers_info"]["depth"]["available"], [1, 1])
    self.assertEqual(asked.num_requests, 3)

  def test_order_is_kept_and_requests_overlap(self):
    delays = random.Random(0)
    asked = fake_server.FakePeer(delay=lambda number: delays.uniform(0.0, 0.2))
    batches = list(self.stage([asked], parallel_calls=8)(_batches(30)))
    self.assertBetween(asked.max_running, 4, 8)
    self.assertEqual(
      [int(b["peers"]["depth"][0, 0, 0, 0, 0]) for b in batches], [8 * i % 256 for i in range(30)]
    )
    self.assertEqual(
      [b["mediator"]["sample_id"][0].numpy() for b in batches], [b"%d" % i for i in range(30)]
    )

  def test_other_resolutions_are_resized(self):
    outputs = {**fake_server.DEPTH, **surface_normals.SurfaceNormals().outputs}
    asked = fake_server.FakePeer(size=(4, 6), outputs=outputs)
    batch = next(iter(self.stage([asked])(_batches(1))))
    self.assertEqual(batch["peers"]["normals"].shape, [2, 2, 2, 3, 3])
    self.assertAllEqual(batch["peers"]["depth"][:, 1, 0, 0, 0], [1, 3])
    self.assertAllClose(tf.norm(batch["peers"]["normals"][1, 1], axis=-1), np.ones(_SIZE))

  def test_two_peers(self):
    other = fake_server.FakePeer("normals", outputs=surface_normals.SurfaceNormals().outputs)
    other.script = [peer.PeerUnreachable("down")] * 9
    made = stage.PredictionStage(
      [fake_server.FakePeer(), other],
      {"depth": policy.Wait(), "normals": policy.Skip(probe_secs=60)},
      _SIZE,
    )
    with made:
      batch = next(iter(made(_batches(1))))
    self.assertAllEqual(batch["peers_info"]["depth"]["available"], [1, 1])
    self.assertAllEqual(batch["peers_info"]["normals"]["available"], [0, 0])
    self.assertAllEqual(batch["peers"]["normals"], np.zeros([2, 2, 2, 3, 3]))

  def test_waiting_is_charged_to_the_late_peer(self):
    slow = fake_server.FakePeer(delay=lambda number: 0.1)
    quick = fake_server.FakePeer("normals", outputs=surface_normals.SurfaceNormals().outputs)
    made = self.stage([slow, quick], parallel_calls=1, prefetch=1)
    for _ in made(_batches(8)):
      pass
    late = made.records["depth"].snapshot()["waiting_secs"]
    self.assertGreater(late, 0.6)
    self.assertLess(made.records["normals"].snapshot()["waiting_secs"], late / 2)

  def test_a_busy_loop_does_not_wait(self):
    asked = fake_server.FakePeer(delay=lambda number: 0.1)
    made = self.stage([asked], parallel_calls=8)
    for index, _ in enumerate(made(_batches(20))):
      if index == 0:
        waited = made.records["depth"].snapshot()["waiting_secs"]
      while asked.num_answers < min(20, index + 4):  # a step that takes long enough
        time.sleep(0.01)
    # Asked only when needed, the last 19 batches would cost 1.9 s.
    self.assertLess(made.records["depth"].snapshot()["waiting_secs"] - waited, 0.95)

  def test_closing_ends_a_wait_and_the_dataset(self):
    made = self.stage([fake_server.FakePeer(script=[peer.PeerUnreachable("down")] * 10**6)])
    threading.Timer(0.3, made.close).start()
    self.assertEmpty(list(made(_batches(5))))
    self.assertIsNone(made.failure)

  def test_a_failure_for_good_is_kept(self):
    made = self.stage([fake_server.FakePeer(script=[peer.WrongShape("wrong shape")] * 99)])
    with self.assertRaisesRegex(tf.errors.OpError, "wrong shape"):
      next(iter(made(_batches(2))))
    self.assertIsInstance(made.failure, peer.WrongShape)

  def test_training_keeps_its_threads(self):
    # All calls block; TensorFlow's own pool (two threads here) must stay free for the loop.
    release = threading.Event()
    asked = fake_server.FakePeer(delay=lambda number: release.wait(60) and None)
    iterator = iter(self.stage([asked], parallel_calls=4)(_batches(12)))
    taker = threading.Thread(target=lambda: next(iterator))
    taker.start()
    while asked.num_running < 4:
      time.sleep(0.01)
    double = tf.data.Dataset.range(50).map(lambda x: 2 * x, num_parallel_calls=2)
    self.assertLen(list(double), 50)
    self.assertEqual(asked.num_running, 4)
    release.set()
    taker.join()

  def test_under_a_strategy_replicas_share_the_batch(self):
    strategy = tf.distribute.MirroredStrategy(
      [device.name for device in tf.config.list_logical_devices("CPU")]
    )
    self.assertEqual(strategy.num_replicas_in_sync, 2)
    dataset = self.stage([fake_server.FakePeer()])(_batches(3))
    for index, batch in enumerate(strategy.experimental_distribute_dataset(dataset)):
      parts = strategy.experimental_local_results(batch["peers"]["depth"])
      self.assertEqual(
        [part[0, :, 0, 0, 0].numpy().tolist() for part in parts],
        [[8 * index, 8 * index + 1], [8 * index + 2, 8 * index + 3]],
      )
      available = strategy.experimental_local_results(batch["peers_info"]["depth"]["available"])
      self.assertEqual([len(part) for part in available], [1, 1])

  def test_two_owners_of_an_output_are_refused(self):
    with self.assertRaisesRegex(ValueError, "Peers 'a' and 'b' both answer 'depth'; expected one"):
      self.stage([fake_server.FakePeer("a"), fake_server.FakePeer("b")])

  def test_a_peer_without_policy_is_refused(self):
    with self.assertRaisesRegex(ValueError, "Peer 'depth' has no policy"):
      stage.PredictionStage([fake_server.FakePeer()], {}, _SIZE)

  def test_without_peers_the_dataset_is_left_alone(self):
    dataset = _batches(1)
    self.assertIs(self.stage([])(dataset), dataset)


if __name__ == "__main__":
  tf.config.threading.set_inter_op_parallelism_threads(2)
  tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
  )
  tf.test.main()
