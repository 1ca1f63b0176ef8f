"""Two real worker processes train one module under MultiWorkerMirroredStrategy, with a peer behind a model server."""
# bazel: size=medium, deps=//tests/training:train_keeping_weights

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import portpicker
from absl.testing import absltest

from tests.training import fixtures, serving_process
from tf_taskology.peers import publishing
from tf_taskology.training import status

_LIMIT_SECS = 400.0
_GIN = """
from __gin__ import dynamic_registration
from tests.training import fixtures
from tests.training import train_keeping_weights
from tf_taskology.consistency import depth_normals
from tf_taskology.tasks import depth
from tf_taskology.tasks import surface_normals
from tf_taskology.training import experiment
from tf_taskology.training import optimization

STEPS = %gin.REQUIRED
experiment.Collective.modules = [@depth/experiment.ModuleSpec(), @normals/experiment.ModuleSpec()]
depth/experiment.ModuleSpec.name = "depth"
depth/experiment.ModuleSpec.tasks = [@depth.Depth()]
normals/experiment.ModuleSpec.name = "normals"
normals/experiment.ModuleSpec.tasks = [@surface_normals.SurfaceNormals()]
experiment.ModuleSpec.network = @train_keeping_weights.normalised_network
experiment.ModuleSpec.dedicated = @fixtures.PlanesSource()
experiment.ModuleSpec.optimization = @optimization.Optimization()
experiment.ModuleSpec.batch_size = 4
experiment.Collective.mediator = @experiment.Mediator()
experiment.Mediator.source = @fixtures.PlanesSource()
experiment.Mediator.batch_size = 4
experiment.Collective.consistency = [@depth_normals.DepthNormals()]
depth_normals.DepthNormals.weights = {"depth": 0.5, "normals": 1.0}
experiment.Collective.training = @experiment.Training()
experiment.Training.steps = %STEPS
experiment.Training.strategy = "multi_worker_mirrored"
experiment.Training.steps_per_epoch = 6
experiment.Training.checkpoint_steps = 4
experiment.Training.images_every_epochs = 2
experiment.Collective.publishing = @experiment.Publishing()
experiment.Publishing.every_steps = 5
"""


class MultiWorkerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path
    self.gin_file = os.path.join(self.create_tempdir().full_path, "planes.gin")
    with open(self.gin_file, "w") as file:
      file.write(_GIN)
    serving_process.publish(fixtures.collective().module("normals"), self.work_dir, step=3)
    self.server = serving_process.Server(self.work_dir, "normals")
    self.addCleanup(self.server.kill)

  def start(self, steps):
    """Two workers of the module "depth"."""
    addresses = [f"127.0.0.1:{portpicker.pick_unused_port()}" for _ in range(2)]
    workers = []
    for index in range(2):
      task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
      with open(self.log_path(index), "w") as log:
        worker = subprocess.Popen(
          [sys.executable, "-m", "tests.training.train_keeping_weights", "--module=depth"]
          + [f"--gin_file={self.gin_file}", f"--gin_binding=STEPS = {steps}", "--threads=1"]
          + [f"--work_dir={self.work_dir}", f"--peer=normals={self.server.address}"],
          env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TF_CONFIG": json.dumps(task),
            "WEIGHTS_FILE": os.path.join(self.work_dir, f"weights{index}.npz"),
          },
          stderr=log,
          stdout=log,
        )
      self.addCleanup(worker.wait)
      self.addCleanup(worker.kill)
      workers.append(worker)
    return workers

  def log_path(self, index):
    return os.path.join(self.work_dir, f"worker{index}.log")

  def logs(self):
    texts = []
    for index in range(2):
      with open(self.log_path(index)) as file:
        texts.append(file.read())
    return texts

  def status(self):
    return status.read(os.path.join(self.work_dir, "depth"))

  def wait_until(self, condition):
    deadline = time.monotonic() + _LIMIT_SECS
    while not condition():
      self.assertLess(time.monotonic(), deadline, "\n\n".join(self.logs()))
      time.sleep(0.1)

  def check_ended(self, workers):
    """Both ended well, only the chief wrote, and both trained the same weights with the peer's help."""
    self.wait_until(lambda: all(worker.poll() is not None for worker in workers))
    logs = self.logs()
    self.assertEqual([worker.returncode for worker in workers], [0, 0], "\n\n".join(logs))
    self.assertEqual(self.status().pid, workers[0].pid)
    self.assertIn("Traced module depth for publishing", logs[0])
    self.assertNotIn("Traced module", logs[1])
    for log in logs:
      self.assertRegex(log, r"Peer normals: version 3, requests [1-9]\d*, failures \d+, skipped 0")
    weights = [np.load(os.path.join(self.work_dir, f"weights{index}.npz")) for index in range(2)]
    self.assertNotEmpty(weights[0].files)
    for name in weights[0].files:
      np.testing.assert_array_equal(weights[0][name], weights[1][name])

  def test_workers_end_together_and_go_on_together(self):
    workers = self.start(steps=1_000_000)

    def is_training():
      self.assertEqual(
        [worker.poll() for worker in workers], [None, None], "\n\n".join(self.logs())
      )
      current = self.status()
      return current is not None and current.step >= 6

    self.wait_until(is_training)
    # Only the worker that is not chief is told to end: both do, where they save next.
    workers[1].send_signal(signal.SIGTERM)
    self.check_ended(workers)
    stopped = self.status()
    self.assertEqual((stopped.state, stopped.message), ("waiting", "stopped"))
    self.assertEqual(stopped.step % 4, 0)
    self.assertGreater(stopped.peers["normals"].requests, 0)

    steps = stopped.step + 5
    self.check_ended(self.start(steps))
    done = self.status()
    self.assertEqual((done.state, done.step, done.initial_step), ("done", steps, stopped.step))
    exports = os.path.join(self.work_dir, "exports", "depth")
    self.assertEqual(publishing.versions(exports), [stopped.step, steps])
    self.assertEqual(os.listdir(os.path.join(self.work_dir, "depth", "checkpoints")), ["chief"])


if __name__ == "__main__":
  absltest.main()
