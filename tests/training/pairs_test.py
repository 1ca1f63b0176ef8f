"""Modules whose tasks take pairs of frames, and modules without labelled data."""
# bazel: size=medium

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.training import fixtures, video_fixtures
from tf_taskology.datasets import element
from tf_taskology.peers import local, policy, stage
from tf_taskology.tasks import depth, motion
from tf_taskology.training import (
  building,
  describe_plan,
  experiment,
  inputs,
  module as module_lib,
  optimization,
  plan,
  trainer,
)


def _build(collective, name):
  return building.build(collective, collective.module(name), isolated=False)


class PairsTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(2, 3)
  def test_predictions_are_in_the_order_of_the_pairs(self, frames):
    collective = video_fixtures.collective(frames=frames)
    module = _build(collective, "motion")
    image = next(iter(inputs.synchronous_batches(collective)))["mediator"][element.IMAGE]
    predictions = module(image)
    pairs = motion.pairs(frames)
    self.assertEqual(predictions["rotation"].shape, [4, len(pairs), 1, 1, 3])
    self.assertEqual(predictions["motion_field"].shape, [4, len(pairs), 16, 32, 3])
    for i, pair in enumerate(pairs):
      alone = module(tf.gather(image, pair, axis=1))
      for name, value in predictions.items():
        self.assertAllClose(value[:, i], alone[name][:, 0], rtol=1e-4, atol=1e-5)
    self.assertNotAllClose(predictions["translation"][:, 0], predictions["translation"][:, 1])

  @parameterized.parameters((True, (16, 32)), (False, None))
  def test_size_of_the_predictions(self, object_motion, size):
    collective = video_fixtures.collective(object_motion=object_motion)
    self.assertEqual(_build(collective, "motion").output_size, size)

  def test_one_frame_is_not_enough(self):
    with self.assertRaisesRegex(ValueError, "2 or more frames. Received: 1"):
      _build(video_fixtures.collective(), "motion")(tf.zeros([1, 1, 32, 64, 3], tf.uint8))

  @parameterized.parameters(True, False)
  def test_peers_give_what_is_live(self, object_motion):
    collective = video_fixtures.collective(object_motion=object_motion)
    modules = {name: _build(collective, name) for name in ("depth", "motion")}
    batches = inputs.synchronous_batches(collective)
    batch = next(iter(batches))
    live = {n: m.predict_parts(batch, training=True) for n, m in modules.items()}
    for name, other in (("depth", "motion"), ("motion", "depth")):
      asked = local.LocalPeer(other, modules[other].network, modules[other].tasks)
      size = modules[name].output_size or modules[other].output_size
      with stage.PredictionStage([asked], {other: policy.Wait()}, size) as fetch:
        fetched = next(iter(fetch(tf.data.Dataset.from_tensors(batch))))
      for output, value in fetched["peers"].items():
        self.assertAllClose(value, live[other]["mediator"][output], rtol=1e-3, atol=1e-4)
      remote, terms = modules[name].compute_terms(fetched, live[name], 0)
      at_once, _ = modules[name].compute_terms(
        {**batch, "peers": live[other]["mediator"]}, live[name], 0
      )
      self.assertAllClose(remote, at_once, rtol=1e-4)
      self.assertGreater(float(terms["photometric/rgb"]), 0)

  def test_terms_of_a_peer_that_is_away_vanish(self):
    collective = video_fixtures.collective()
    module = _build(collective, "depth")
    batch = next(iter(inputs.synchronous_batches(collective)))
    whole, field = tf.zeros([4, 2, 1, 1, 3]), tf.zeros([4, 2, 16, 32, 3])
    peers = {"rotation": whole, "translation": whole, "motion_field": field}
    info = {"motion": {"available": tf.zeros([4])}}
    total, terms = module.compute_terms(
      {**batch, "peers": peers, "peers_info": info}, module.predict_parts(batch, True), 0
    )
    self.assertEqual(total, 0)
    self.assertAllInRange([float(value) for value in terms.values()], 0, 10)


class TrainTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path

  def train(self, collective):
    return trainer.train(collective, work_dir=self.work_dir, mode="synchronous")

  def test_synchronously_and_then_with_a_frozen_module(self):
    result = self.train(video_fixtures.collective())
    self.assertEqual(result.step, 4)
    exports = os.path.join(self.work_dir, "exports", "motion")
    model = tf.saved_model.load(os.path.join(exports, "4"))
    pair = np.zeros([1, 32, 64, 6], np.uint8)
    answers = model.signatures["serving_default"](image=tf.constant(pair))
    self.assertEqual(answers["translation"].shape, [1, 1, 1, 3])
    self.assertEqual(answers["motion_field"].shape, [1, 32, 64, 3])
    self.work_dir = self.create_tempdir().full_path
    frozen = experiment.FrozenModule("motion", [motion.Motion()], exports)
    collective = video_fixtures.collective(names=["depth"], frozen=[frozen])
    self.assertEqual(plan.LaunchPlan.of(collective).modules[0].peers, ())
    self.assertEqual(self.train(collective).step, 4)
    self.assertEqual(os.listdir(os.path.join(self.work_dir, "exports")), ["depth"])


class ConfigurationTest(tf.test.TestCase):
  def test_largest_request_counts_pairs(self):
    described = describe_plan.describe(video_fixtures.collective(frames=3), "")
    self.assertEqual(described["mediator"], {"batch_size": 4, "num_frames": 4})

  def test_too_few_frames(self):
    with self.assertRaisesRegex(ValueError, "'photometric' reads 3 frames .* walls gives 2"):
      video_fixtures.collective(
        frames=3,
        mediator=experiment.Mediator(source=video_fixtures.WallsSource(frames=2)),
      )
    with self.assertRaisesRegex(ValueError, r"ModuleSpec\(m\).num_frames must be 2 or more"):
      experiment.ModuleSpec(
        name="m",
        tasks=[motion.Motion()],
        network=fixtures.tiny_network,
        optimization=optimization.Optimization(),
        dedicated=video_fixtures.WallsSource(),
      )

  def test_a_module_that_nothing_trains(self):
    with self.assertRaisesRegex(ValueError, r"ModuleSpec\(motion\) has no `dedicated` data"):
      video_fixtures.collective(relation={"weights": {"depth": 1.0}})
    with self.assertRaisesRegex(ValueError, "'motion' has no labelled data.* 'isolated'"):
      trainer.train(
        video_fixtures.collective(),
        work_dir=self.create_tempdir().full_path,
        mode="isolated",
        module="motion",
      )

  def test_tasks_that_take_different_things(self):
    with self.assertRaisesRegex(ValueError, "'depth': 'frame', 'motion': 'pair'"):
      module_lib.Module(None, [depth.Depth(), motion.Motion()], name="both")
    network = fixtures.tiny_network([motion.Motion()], (8, 16))
    with self.assertRaisesRegex(ValueError, "take a pair, 6 channels .* network takes 3"):
      module_lib.Module(network, [motion.Motion()], name="motion")


if __name__ == "__main__":
  tf.test.main()
