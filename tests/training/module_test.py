"""The module's step: what moves which weights, and that all ways to train agree."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.training import fixtures
from tf_taskology.datasets import element
from tf_taskology.training import inputs, module as module_lib, schedules, synchronous


def _build(collective, name, relations=None, **arguments):
  spec = collective.module(name)
  tf.keras.utils.set_random_seed(collective.modules.index(spec))
  network = spec.network(spec.tasks, spec.dedicated.image_size)
  chosen = collective.relations_of(spec) if relations is None else relations
  module = module_lib.Module(network, spec.tasks, chosen, name=name, **arguments)
  module.compile(optimizer=spec.optimization.build())
  module.optimizer.build(network.trainable_variables)
  return module


def _batch(collective, name="depth"):
  return next(iter(inputs.synchronous_batches(collective)))


class ModuleTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.named_parameters(("graph", False), ("xla", True))
  def test_synchronous_and_frozen_peers_give_the_same_losses(self, xla):
    collective = fixtures.collective(labelled_weights={"depth": 1.0})
    modules = [_build(collective, n, xla_losses=xla) for n in ("depth", "normals")]
    batch = _batch(collective)
    live = {
      m.name: m.predict_parts({**batch[m.name], "mediator": batch["mediator"]}, training=True)
      for m in modules
    }
    frozen = {m.name: m(batch["mediator"][element.IMAGE], training=False) for m in modules}
    for module, other in (modules, modules[::-1]):
      part = {**batch[module.name], "mediator": batch["mediator"]}
      at_once, _ = module.compute_terms(
        {**part, "peers": live[other.name]["mediator"]}, live[module.name], 0
      )
      remote, terms = module.compute_terms(
        {**part, "peers": frozen[other.name]}, live[module.name], 0
      )
      self.assertAllClose(at_once, remote, rtol=1e-5, atol=1e-5)
      self.assertGreater(float(terms["depth_normals/cosine"]), 0.001)

  def test_gradients_reach_own_weights_only(self):
    collective = fixtures.collective()
    depth, normals = (_build(collective, n) for n in ("depth", "normals"))
    batch = _batch(collective)
    with tf.GradientTape() as tape:
      peers = normals(batch["mediator"][element.IMAGE])
      own = depth.predict_parts({**batch["depth"], "mediator": batch["mediator"]}, training=True)
      total, _ = depth.compute_terms(
        {**batch["depth"], "mediator": batch["mediator"], "peers": peers}, own, 0
      )
    gradients = tape.gradient(
      total, [depth.network.trainable_variables, normals.network.trainable_variables]
    )
    self.assertTrue(all(g is not None for g in gradients[0]))
    self.assertTrue(all(g is None for g in gradients[1]))

  def test_skipped_peer_weighs_nothing(self):
    collective = fixtures.collective()
    module = _build(collective, "depth", peer_of={"normals": "normals"})
    batch = _batch(collective)
    part = {**batch["depth"], "mediator": batch["mediator"]}
    own = module.predict_parts(part, training=True)
    peers = {"normals": tf.zeros([4, 1, 4, 8, 3])}
    info = {"normals": {"available": tf.zeros([4]), "step": tf.zeros([4], tf.int64)}}
    skipped, _ = module.compute_terms({**part, "peers": peers, "peers_info": info}, own, 0)
    alone, _ = _build(collective, "depth", relations=()).compute_terms(
      {"dedicated": part["dedicated"]}, own, 0
    )
    self.assertAllClose(skipped, alone)

  def test_samples_without_labels_weigh_nothing(self):
    collective = fixtures.collective()
    module = _build(collective, "depth", relations=())
    batch = _batch(collective)["depth"]
    own = module.predict_parts(batch, training=True)
    total, _ = module.compute_terms(batch, own, 0)
    labels = {
      n: np.concatenate([v, np.zeros_like(v)]) for n, v in batch["dedicated"]["labels"].items()
    }
    doubled = {
      "dedicated": {**batch["dedicated"], "labels": {n: tf.constant(v) for n, v in labels.items()}}
    }
    predictions = {n: tf.concat([p, p * 3], 0) for n, p in own["dedicated"].items()}
    with_missing, _ = module.compute_terms(doubled, {"dedicated": predictions}, 0)
    self.assertAllClose(total, with_missing)

  def test_weight_schedule_ramps(self):
    collective = fixtures.collective(weights={"depth": schedules.Ramp(2.0, begin=10, length=10)})
    module = _build(collective, "depth")
    batch = _batch(collective)
    part = {**batch["depth"], "mediator": batch["mediator"]}
    own = module.predict_parts(part, training=True)
    part["peers"] = _build(collective, "normals", relations=())(batch["mediator"][element.IMAGE])
    totals = {step: float(module.compute_terms(part, own, step)[0]) for step in (0, 10, 15, 20, 99)}
    cosine = float(module.compute_terms(part, own, 0)[1]["depth_normals/cosine"])
    self.assertAlmostEqual(totals[10], totals[0], places=5)
    self.assertAlmostEqual(totals[15] - totals[0], cosine, places=4)
    self.assertAlmostEqual(totals[20] - totals[0], 2 * cosine, places=4)
    self.assertAlmostEqual(totals[99], totals[20], places=5)

  def test_fit_reduces_losses_and_reports_means(self):
    collective = fixtures.collective()
    module = _build(collective, "depth", relations=())
    history = module.fit(
      inputs.module_batches(collective, collective.module("depth")),
      epochs=3,
      steps_per_epoch=20,
      verbose=0,
    )
    losses = history.history["depth/log_l1"]
    self.assertLess(losses[-1], 0.6 * losses[0])
    self.assertIn("depth/delta1", history.history)

  def test_not_finite_loss_stops_with_sample_ids_and_leaves_weights(self):
    collective = fixtures.collective()
    module = _build(collective, "depth", relations=())
    before = [v.numpy() for v in module.network.trainable_variables]
    batch = _batch(collective)["depth"]
    batch["dedicated"]["labels"]["depth"] *= np.nan

    dataset = tf.data.Dataset.from_tensors(batch)
    with self.assertRaisesRegex(
      tf.errors.InvalidArgumentError, "not a finite number.*depth.*plane"
    ):
      module.fit(dataset, epochs=1, verbose=0)
    self.assertEqual(module.optimizer.iterations, 0)
    for old, new in zip(before, module.network.trainable_variables, strict=True):
      self.assertAllEqual(old, new)

  def test_mirrored_strategy_takes_the_same_step(self):
    devices = tf.config.list_logical_devices("CPU")
    collective = fixtures.collective()
    batch = _batch(collective)["depth"]
    dataset = tf.data.Dataset.from_tensors(batch).unbatch().batch(4).repeat()
    results = []
    for strategy in (
      tf.distribute.get_strategy(),
      tf.distribute.MirroredStrategy([d.name for d in devices]),
    ):
      with strategy.scope():
        module = _build(collective, "depth", relations=())
      module.fit(dataset, epochs=1, steps_per_epoch=3, verbose=0)
      results.append([v.numpy() for v in module.network.trainable_variables])
    self.assertLen(devices, 2)
    for single, mirrored in zip(*results, strict=True):
      self.assertAllClose(single, mirrored, rtol=1e-4, atol=1e-5)


class SynchronousTest(tf.test.TestCase):
  def test_every_module_gets_the_gradient_of_its_own_loss(self):
    collective = fixtures.collective()
    alone = [_build(collective, n) for n in ("depth", "normals")]
    together = [_build(collective, n) for n in ("depth", "normals")]
    batch = _batch(collective)
    both = synchronous.SynchronousCollective(together)
    both.compile(optimizer="sgd")
    both.fit(tf.data.Dataset.from_tensors(batch), epochs=1, verbose=0)
    answers = {m.name: m(batch["mediator"][element.IMAGE]) for m in alone}
    for module, other in (alone, alone[::-1]):
      part = {**batch[module.name], "mediator": batch["mediator"], "peers": answers[other.name]}
      module.fit(tf.data.Dataset.from_tensors(part), epochs=1, verbose=0)
    for one, joint in zip(alone, together, strict=True):
      for a, b in zip(
        one.network.trainable_variables, joint.network.trainable_variables, strict=True
      ):
        self.assertAllClose(a, b, rtol=1e-4, atol=1e-6)


if __name__ == "__main__":
  cpus = tf.config.list_physical_devices("CPU")
  tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
