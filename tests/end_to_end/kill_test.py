"""Kills every kind of process of a real collective; the run finishes by itself and loses little."""

# bazel: size=large, data=planes.gin, deps=//tf_taskology:collective //tests/training:fixtures

import itertools
import json
import os
import signal

import psutil
from absl.testing import absltest

from tests.end_to_end import runs
from tf_taskology.training import locks

# planes.gin: a checkpoint every 10 steps, a version every 20.
_CHECKPOINT_STEPS = 10
_ENDLESS = 1_000_000


class KillTest(runs.RunTestCase):
  def test_run_survives_the_death_of_every_kind_of_process(self):
    launcher = self.start_collective(_ENDLESS)
    self.kill_reader_of_the_configuration(launcher)
    self.kill_trainer("depth")
    self.kill_server("normals")
    self.kill_in_the_middle_of_a_publish("normals")
    self.kill_launcher(launcher)
    last_step = max(self.status(module).step for module in self.modules) + 1500
    again = self.start_collective(last_step)
    self.wait_for_exit(again)
    self.check_finished(last_step)

  def kill_reader_of_the_configuration(self, launcher):
    def reader():
      children = psutil.Process(launcher.pid).children()
      return next((process for process in children if process.name() == "read-plan"), None)

    self.wait_until(reader, "the configuration is being read").kill()

  def kill_trainer(self, module):
    before = self.wait_for_step(module, 50)
    os.kill(before.pid, signal.SIGKILL)
    after = self.wait_for_step(module, before.step, pid=before.pid)
    self.assertGreater(after.initial_step, before.step - 2 * _CHECKPOINT_STEPS)

  def kill_server(self, module):
    before = self.wait_until(lambda: self.answered("depth", module), "depth has answers")
    server = self.holder(module, locks.SERVER_FILE_NAME)
    os.kill(server, signal.SIGKILL)

    def is_replaced():
      return self.holder(module, locks.SERVER_FILE_NAME) not in (None, server)

    self.wait_until(is_replaced, f"the server of {module} is replaced")
    version = before.peers[module].version

    after = self.wait_until(
      lambda: self.answered("depth", module, version), f"depth gets newer answers of {module}"
    )
    self.assertEqual(after.pid, before.pid)

  def answered(self, asker, module, version=-1):
    """The asker's status if it has had an answer of a version after `version`."""
    read = self.status(asker)
    peer = read.peers.get(module)
    return read if peer and peer.version > version else None

  def kill_in_the_middle_of_a_publish(self, module):
    self.wait_for_step(module, 0)

    def unfinished():
      return [name for name in self.exports(module) if name.startswith(".tmp-")]

    # Stopped first, so that what is seen is still true when it is killed.
    def caught():
      pid = self.status(module).pid
      try:
        os.kill(pid, signal.SIGSTOP)
      except ProcessLookupError:
        print(f"{module} trainer {pid} ended by itself:\n{self.logs()}")  # A new one will come.
        return None
      if unfinished():
        return pid
      os.kill(pid, signal.SIGCONT)
      return None

    killed = self.wait_until(caught, f"{module} is in the middle of a publish")
    os.kill(killed, signal.SIGKILL)
    self.wait_for_step(module, self.status(module).step, pid=killed)
    self.wait_until(
      lambda: all(str(killed) not in name for name in unfinished()), "leftovers are removed"
    )

  def kill_launcher(self, launcher):
    steps = {module: self.status(module).step for module in self.modules}
    pids = {module: self.status(module).pid for module in self.modules}
    launcher.kill()
    launcher.wait()
    for module in self.modules:  # They do not need it.
      after = self.wait_for_step(module, steps[module] + 100)
      self.assertEqual(after.pid, pids[module])

  def check_finished(self, last_step):
    for module in self.modules:
      read = self.status(module)
      self.assertEqual((read.state, read.step), ("done", last_step))
      self.assertIn(str(last_step), self.exports(module))
      self.assertEmpty([name for name in self.exports(module) if name.startswith(".")])
      self.assertContinuous(module)
    self.assertEmpty(self.processes())

  def assertContinuous(self, module):
    """Each life of the trainer began close to where the one before it ended."""
    with open(os.path.join(self.work_dir, module, "history.jsonl")) as file:
      steps = [json.loads(line)["step"] for line in file]
    for before, after in itertools.pairwise(steps):
      self.assertBetween(after - before, -2 * _CHECKPOINT_STEPS, 2 * _CHECKPOINT_STEPS)


if __name__ == "__main__":
  absltest.main()
