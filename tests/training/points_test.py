"""Modules that look at point clouds: frames and sequences, peers, one network for both, the trainer."""
# bazel: size=medium

import json
import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.training import fixtures, point_fixtures
from tf_taskology.datasets import element
from tf_taskology.evaluation import detection_protocol, evaluator, spec as evaluation_spec
from tf_taskology.peers import local, mapping, peer, policy, stage
from tf_taskology.tasks import depth, detection
from tf_taskology.training import (
  building,
  describe_plan,
  experiment,
  inputs,
  module as module_lib,
  trainer,
)


def _build(collective, name):
  return building.build(collective, collective.module(name), isolated=False)


class PointsTest(tf.test.TestCase, parameterized.TestCase):
  def test_labels_are_what_tasks_learn(self):
    collective = point_fixtures.collective()
    batch = next(iter(inputs.synchronous_batches(collective)))
    labels = {name: batch[name]["dedicated"][element.LABELS] for name in ("detection", "box_flow")}
    self.assertEqual(set(labels["detection"]), {"box_logits", "box_residuals", "box_directions"})
    self.assertEqual(labels["detection"]["box_logits"].shape, [4, 2, 24, 24, 2])
    self.assertEqual(labels["box_flow"]["box_flow"].shape, [4, 1, 24, 24, 6])
    self.assertEqual(set(batch["mediator"]), {"points", "num_points", element.SAMPLE_ID})

  def test_frames_are_predicted_one_by_one(self):
    module = _build(point_fixtures.collective(), "detection")
    seen = next(iter(inputs.synchronous_batches(point_fixtures.collective())))["mediator"]
    both = module({name: seen[name] for name in ("points", "num_points")})
    for frame in range(2):
      alone = module({n: seen[n][:, frame : frame + 1] for n in ("points", "num_points")})
      for name, value in both.items():
        self.assertAllClose(value[:, frame], alone[name][:, 0], rtol=1e-4, atol=1e-4)

  def test_peers_give_what_is_live(self):
    collective = point_fixtures.collective()
    modules = {name: _build(collective, name) for name in ("detection", "box_flow")}
    batch = next(iter(inputs.synchronous_batches(collective)))
    seen = {name: batch["mediator"][name] for name in ("points", "num_points")}
    live = {name: module(seen) for name, module in modules.items()}
    for name, other in (("detection", "box_flow"), ("box_flow", "detection")):
      asked = local.LocalPeer(other, modules[other].network, modules[other].tasks)
      asked.check()
      with stage.PredictionStage([asked], {other: policy.Wait()}, None) as fetch:
        fetched = next(iter(fetch(tf.data.Dataset.from_tensors(batch))))
      for output, value in live[other].items():
        self.assertAllClose(fetched["peers"][output], value, rtol=1e-3, atol=1e-3)
        self.assertEqual(fetched["peers"][output].shape, value.shape)
      _, terms = modules[name].compute_terms(
        {"mediator": batch["mediator"], "peers": fetched["peers"]}, {"mediator": live[name]}, 0
      )
      self.assertGreater(float(terms["box_tracks/residual"]), 0)

  def test_a_peer_that_is_away_weighs_nothing(self):
    collective = point_fixtures.collective()
    module = _build(collective, "detection")
    batch = next(iter(inputs.synchronous_batches(collective)))
    tasks = collective.module("box_flow").tasks
    asked = local.LocalPeer("box_flow", _build(collective, "box_flow").network, tasks)
    asked.close()
    skip = policy.Skip(probe_secs=60)
    skip.answer = lambda *unused: None
    with stage.PredictionStage([asked], {"box_flow": skip}, None) as fetch:
      fetched = next(iter(fetch(tf.data.Dataset.from_tensors(batch))))
    self.assertAllEqual(fetched["peers"]["box_flow"], np.zeros([4, 1, 24, 24, 6]))
    part = {"mediator": fetched["mediator"], "peers": fetched["peers"]}
    own = {"mediator": module({n: batch["mediator"][n] for n in ("points", "num_points")})}
    total, _ = module.compute_terms({**part, "peers_info": fetched["peers_info"]}, own, 0)
    with_peer, _ = module.compute_terms(part, own, 0)
    self.assertGreater(float(with_peer), 0)
    module.peer_of = {"box_flow": "box_flow"}
    total, _ = module.compute_terms({**part, "peers_info": fetched["peers_info"]}, own, 0)
    self.assertEqual(float(total), 0)

  def test_shared_network_is_held_to_itself(self):
    collective = point_fixtures.collective(shared=True)
    module = _build(collective, "vehicles")
    self.assertEqual((module.takes, module.mediator_frames), ("sequence", 2))
    batch = next(iter(inputs.module_batches(collective, collective.modules[0], fetch=lambda d: d)))
    own = module.predict_parts(batch, training=True)
    self.assertEqual(own["mediator"]["box_logits"].shape, [4, 2, 24, 24, 2])
    self.assertEqual(own["mediator"]["box_flow"].shape, [4, 1, 24, 24, 6])
    _, terms = module.compute_terms(batch, own, 0)
    self.assertContainsSubset(
      ["detection/class", "box_flow/flow", "box_tracks/class", "box_tracks/residual"], terms
    )

  def test_refuses_what_does_not_fit(self):
    task, _ = point_fixtures.tasks()
    with self.assertRaisesRegex(ValueError, "observe the same.*'depth': 'image'"):
      module_lib.Module(None, [depth.Depth(), task], name="both")
    with self.assertRaisesRegex(ValueError, "planes gives no point clouds"):
      spec = experiment.ModuleSpec(
        "detection", [task], point_fixtures.network(), None, fixtures.PlanesSource()
      )
      building.network(experiment.Collective([spec], experiment.Training(1)), spec)
    with self.assertRaisesRegex(ValueError, "gives 4 numbers a point, but the network takes 5"):
      spec.network, spec.dedicated = (
        point_fixtures.network(point_size=5),
        point_fixtures.FieldSource(),
      )
      building.network(experiment.Collective([spec], experiment.Training(1)), spec)
    network = fixtures.tiny_network([depth.Depth()], (8, 16))
    with self.assertRaisesRegex(ValueError, "'detection': its network must take"):
      module_lib.Module(network, [task], name="detection")


class ConfigurationTest(tf.test.TestCase):
  def test_a_sequence_is_one_row_of_a_request(self):
    described = describe_plan.describe(point_fixtures.collective(), "")
    self.assertEqual(described["mediator"], {"batch_size": 4, "num_frames": 2})
    shared = describe_plan.describe(point_fixtures.collective(shared=True), "")
    self.assertEqual(shared["mediator"]["num_frames"], 1)

  def test_foreign_models_are_asked_about_images(self):
    outputs = {"box_flow": mapping.ForeignOutput("flow")}
    with self.assertRaisesRegex(
      peer.WrongSignature, "images. The unlabelled samples have .*points"
    ):
      mapping.Mapping(outputs).request({"points": np.zeros([1, 2, 4])})


class TrainTest(tf.test.TestCase, parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path

  def test_alone_it_learns_and_is_published(self):
    collective = point_fixtures.collective(
      40, training=experiment.Training(steps=40, steps_per_epoch=20, images_every_epochs=1)
    )
    trainer.train(collective, work_dir=self.work_dir, mode="isolated", module="detection")
    with open(os.path.join(self.work_dir, "detection", "history.jsonl")) as file:
      first, last = (json.loads(line)["losses"] for line in file)
    self.assertLess(last["loss"], 0.6 * first["loss"])
    exports = os.path.join(self.work_dir, "exports", "detection", "40")
    served = tf.saved_model.load(exports).signatures["serving_default"]
    sample = next(iter(point_fixtures.FieldSource().dataset("test").batch(2)))
    found = served(points=sample["points"][:, 0], num_points=sample["num_points"][:, 0])
    self.assertEqual(found["boxes"].shape, [2, 8, 7])
    self.assertAllEqual(found["step"], [40, 40])

  @parameterized.parameters(False, True)
  def test_synchronously(self, shared):
    collective = point_fixtures.collective(shared=shared)
    trainer.train(collective, work_dir=self.work_dir, mode="synchronous")
    name = "vehicles" if shared else "box_flow"
    exports = os.path.join(self.work_dir, "exports", name, "4")
    signatures = tf.saved_model.load(exports).signatures
    sample = next(iter(point_fixtures.FieldSource().dataset("test").batch(2)))
    inputs_ = {name: sample[name] for name in ("points", "num_points")}
    asked = signatures["peer"](**inputs_)
    self.assertEqual(asked["box_flow"].shape, [2, 1, 24, 24, 6])
    self.assertEqual(asked["box_flow"].dtype, tf.float16)
    if shared:
      self.assertEqual(asked[detection.BOX_LOGITS].shape, [2, 2, 24, 24, 2])
      self.assertEqual(signatures["serving_default"](**inputs_)["boxes"].shape, [2, 2, 8, 7])
      self._evaluate()

  def _evaluate(self):
    """The shared module answers for detection and box flow."""
    arguments = {"shown": ["box_flow"], "anchors": point_fixtures.ANCHORS}
    protocols = [detection_protocol.DetectionProtocol()]
    field = evaluation_spec.EvaluationSpec(
      "field", point_fixtures.FieldSource(), protocols=protocols, **arguments
    )
    (found,) = evaluator.evaluate_run(self.work_dir, [field])
    self.assertEqual(found.scores["detection"].num_images, 16)
    self.assertEqual(found.sweeps[0].num_frames, 2)
    self.assertIsNotNone(found.sweeps[0].flow)
    short = evaluation_spec.EvaluationSpec(
      "short", point_fixtures.FieldSource(), protocols=protocols, frames="first", **arguments
    )
    (found,) = evaluator.evaluate_run(self.work_dir, [short])
    self.assertIn("samples of 2 or more frames, not of 1", found.notes[0])

  def test_with_a_frozen_module(self):
    trainer.train(point_fixtures.collective(), work_dir=self.work_dir, mode="synchronous")
    exports = os.path.join(self.work_dir, "exports", "box_flow")
    whole = point_fixtures.collective()
    collective = point_fixtures.collective(
      modules=whole.modules[:1],
      frozen=[experiment.FrozenModule("box_flow", whole.modules[1].tasks, exports)],
    )
    folder = self.create_tempdir().full_path
    result = trainer.train(collective, work_dir=folder, mode="distributed", module="detection")
    self.assertEqual(result.step, 4)


if __name__ == "__main__":
  tf.test.main()
