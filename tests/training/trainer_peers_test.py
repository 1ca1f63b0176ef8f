"""A trainer and its peers: a real model server, replicas of the own module, a peer that dies."""
# bazel: size=medium, shard_count=2

import json
import os
import threading
import time

import tensorflow as tf

from tests.training import fit_probes, fixtures, serving_process
from tf_taskology.datasets import element
from tf_taskology.peers import frozen, peer, policy, publishing, stage
from tf_taskology.training import inputs, locks, module as module_lib, status, trainer


def _collective(steps, flip=True, **arguments):
  collective = fixtures.collective(steps, **arguments)
  for part in (*collective.modules, collective.mediator):
    part.flip = flip
  return collective


class DistributedTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path
    serving_process.publish(fixtures.collective().module("normals"), self.work_dir, step=3)

  def start_server(self):
    server = serving_process.Server(self.work_dir, "normals")
    self.addCleanup(server.kill)
    return server

  def train(self, collective, address, *probes, work_dir=None):
    return trainer.train(
      collective,
      work_dir=work_dir or self.work_dir,
      mode="distributed",
      module="depth",
      peer_targets={"normals": [address]},
      extra_callbacks=probes,
    )

  def send_sigterm_while_it_waits(self):
    while not self.status().message.startswith("waiting for peers"):
      time.sleep(0.05)
    fit_probes.send_sigterm()

  def status(self):
    return status.read(os.path.join(self.work_dir, "depth"))

  def test_trains_with_a_served_peer_and_replicas_take_the_same_steps(self):
    address = self.start_server().address
    alone, replicas = fit_probes.Watch(), fit_probes.Watch()
    result = self.train(_collective(7, flip=False), address, alone)
    self.assertEqual((result.step, result.stopped), (7, False))
    self.check_records(self.status().peers["normals"], address)
    with open(os.path.join(self.work_dir, "depth", "history.jsonl")) as file:
      lines = [json.loads(line) for line in file]
    self.assertEqual([line["step"] for line in lines], [5, 7])
    self.check_records(status.PeerStatus(**_known(lines[-1]["peers"]["normals"])), address)
    self.assertGreater(lines[0]["losses"]["depth_normals/cosine"], 0)

    self.assertLen(tf.config.list_logical_devices("CPU"), 2)
    other = self.create_tempdir().full_path
    collective = _collective(7, flip=False, training={"strategy": "mirrored"})
    self.train(collective, address, replicas, work_dir=other)
    self.assertEqual(publishing.versions(os.path.join(other, "exports", "depth")), [5, 7])
    record = status.read(os.path.join(other, "depth")).peers["normals"]
    self.assertGreaterEqual(record.requests, 14)  # each replica's batch is a request of its own
    for single, mirrored in zip(alone.states[7], replicas.states[7], strict=True):
      self.assertAllClose(single, mirrored, rtol=1e-3, atol=1e-4)

  def check_records(self, record, address):
    self.assertEqual((record.version, record.target, record.policy), (3, address, "wait"))
    self.assertGreaterEqual(record.requests, 7)
    self.assertEqual(record.skipped, 0)
    self.assertBetween(record.staleness_secs, 0.01, 600)
    self.assertBetween(record.staleness_steps, 1, 7)
    self.assertGreater(record.mbytes, 0)

  def test_ends_though_its_peer_is_dead_and_sigterm_ends_what_waits_for_it(self):
    server = self.start_server()
    result = self.train(_collective(4), server.address, fit_probes.At(4, server.kill))
    self.assertEqual((result.step, result.stopped), (4, False))

    server = self.start_server()
    watch = fit_probes.Watch()
    timer = threading.Timer(3.0, fit_probes.send_sigterm)

    def kill_and_wait():
      server.kill()
      timer.start()

    collective = _collective(10_000, training={"checkpoint_steps": 10_000})
    result = self.train(collective, server.address, watch, fit_probes.At(6, kill_and_wait))
    self.assertTrue(result.stopped)
    self.assertEqual(result.step, max(watch.states))
    self.assertEqual(self.status().message, "stopped")

    # Nobody listens any more: it waits for the peer's first version, and SIGTERM ends that too. Nothing was lost.
    threading.Thread(target=self.send_sigterm_while_it_waits).start()
    again = self.train(collective, server.address)
    self.assertEqual((again.step, again.stopped), (result.step, True))
    self.assertEqual(self.status().initial_step, result.step)
    self.assertIsNone(locks.holder(os.path.join(self.work_dir, "depth", locks.FILE_NAME)))


def _known(record):
  return {
    name: value for name, value in record.items() if name in status.PeerStatus.__annotations__
  }


class SameLossesTest(tf.test.TestCase):
  def test_frozen_peers_give_the_losses_of_synchronous_training(self):
    work_dir = self.create_tempdir().full_path
    collective = fixtures.collective()
    modules = {
      spec.name: module_lib.Module(
        serving_process.publish(spec, work_dir, step=0),
        spec.tasks,
        collective.relations_of(spec),
        name=spec.name,
      )
      for spec in collective.modules
    }
    for spec, other in zip(collective.modules, collective.modules[::-1], strict=True):
      module = modules[spec.name]
      asked = frozen.FrozenPeer(
        other.name,
        peer.outputs_of(other.tasks),
        version_dir=os.path.join(work_dir, "exports", other.name, "0"),
      )
      with stage.PredictionStage([asked], {other.name: policy.Wait()}, module.output_size) as fetch:
        batch = next(iter(inputs.module_batches(collective, spec, fetch=fetch)))
      own = module.predict_parts(batch, training=True)
      live = modules[other.name](batch["mediator"][element.IMAGE], training=True)
      remote, terms = module.compute_terms(batch, own, 0)
      at_once, _ = module.compute_terms({**batch, "peers": live}, own, 0)
      self.assertAllClose(remote, at_once, rtol=0, atol=1e-5)
      self.assertGreater(float(terms["depth_normals/cosine"]), 0.01)


if __name__ == "__main__":
  cpus = tf.config.list_physical_devices("CPU")
  tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
  tf.test.main()
