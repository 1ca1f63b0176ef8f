"""Launches fake trainers and servers, and kills them in every way that can happen."""

# bazel: size=medium, shard_count=4
# bazel: deps=//tests/training/fakes:run_fakes //tests/training/fakes:fake_trainer //tests/training/fakes:fake_server

import os
import re
import signal
import socket
import subprocess
import sys
import time

import psutil
from absl.testing import absltest, parameterized

from tf_taskology.training import locks, status

_LIMIT_SECS = 30.0
_METHODS = ("forkserver", "subprocess")


class LauncherTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path
    self.launchers = []
    self.addCleanup(self.end_everything)

  def start(self, *bindings, method="subprocess", mode="distributed"):
    command = [sys.executable, "-m", "tests.training.fakes.run_fakes", self.work_dir, method, mode]
    launcher = subprocess.Popen(
      [*command, *bindings],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    self.launchers.append(launcher)
    return launcher

  def finish(self, launcher):
    """Waits for a launcher; returns its exit code and what it printed."""
    output, _ = launcher.communicate(timeout=_LIMIT_SECS)
    return launcher.returncode, output

  def processes(self):
    """Everything that belongs to this run, by its command line or, when forked, by its log."""
    found = []
    for process in psutil.process_iter():
      try:
        command = " ".join(process.cmdline())
        is_forked = "tf_taskology.training.forkserver" in command
        logs = [file.path for file in process.open_files()] if is_forked else []
        if self.work_dir in " ".join([command, *logs]) and process.status() != "zombie":
          found.append(process)
      except psutil.NoSuchProcess:
        continue
    return found

  def end_everything(self):
    for process in self.processes():
      process.kill()
    for launcher in self.launchers:
      launcher.wait()
      launcher.stdout.close()

  def pid(self, module, lock=locks.FILE_NAME):
    holder = locks.holder(os.path.join(self.work_dir, module, lock))
    return holder.pid if holder else None

  def wait_until(self, condition, what):
    deadline = time.monotonic() + _LIMIT_SECS
    while not (value := condition()):
      self.assertLess(time.monotonic(), deadline, f"Waited in vain until {what}.")
      time.sleep(0.02)
    return value

  def wait_for_step(self, step, module="depth"):
    def reached():
      read = status.read(os.path.join(self.work_dir, module))
      return read and read.step >= step and read

    return self.wait_until(reached, f"{module} is at step {step}")

  def assert_done(self, steps, modules=("depth", "normals")):
    for module in modules:
      read = status.read(os.path.join(self.work_dir, module))
      self.assertEqual((read.state, read.step), ("done", steps))
    self.assertEmpty(self.processes())

  @parameterized.parameters(*_METHODS)
  def test_runs_to_the_end_and_prints_lines_when_redirected(self, method):
    exit_code, output = self.finish(self.start("steps=20", method=method))
    self.assertEqual(exit_code, 0, output)
    self.assert_done(20)
    self.assertRegex(output, r"(?m)^ +\d+s \| depth \| training \| step \d+/20 \d+% \| ")
    self.assertRegex(output, r"(?m)^ +\d+s \| normals \| done \| step 20/20 100% .* restarts 0$")
    self.assertIn(f"tensorboard --logdir {self.work_dir}", output)
    self.assertNotIn("\x1b", output)

  @parameterized.parameters(("isolated", ("depth", "normals")), ("synchronous", ("collective",)))
  def test_modes_without_servers(self, mode, trainers):
    exit_code, output = self.finish(self.start("steps=5", mode=mode))
    self.assertEqual(exit_code, 0, output)
    self.assert_done(5, trainers)
    with os.scandir(os.path.join(self.work_dir, "logs")) as entries:
      logs = {entry.name for entry in entries}
    self.assertEqual(logs, {"collective.log", *(f"{name}_trainer.log" for name in trainers)})

  @parameterized.product(method=_METHODS, lock=(locks.FILE_NAME, locks.SERVER_FILE_NAME))
  def test_killed_child_is_restarted(self, method, lock):
    launcher = self.start("steps=60", method=method)
    self.wait_for_step(3)
    killed = self.wait_until(lambda: self.pid("depth", lock), "it holds its lock")
    os.kill(killed, signal.SIGKILL)
    exit_code, output = self.finish(launcher)
    self.assertEqual(exit_code, 0, output)
    self.assert_done(60)
    what = "trainer" if lock == locks.FILE_NAME else "server"
    self.assertIn(f"depth {what} (pid {killed}) died of signal 9 (SIGKILL); restart 1", output)
    first = status.read(os.path.join(self.work_dir, "depth")).initial_step
    self.assertEqual(first >= 3, what == "trainer")

  def test_trainer_that_was_told_to_end_by_somebody_else_goes_on(self):
    launcher = self.start("steps=60", method="forkserver")
    self.wait_for_step(3)
    os.kill(self.pid("depth"), signal.SIGTERM)
    exit_code, output = self.finish(launcher)
    self.assertEqual(exit_code, 0, output)
    self.assert_done(60)
    self.assertRegex(output, r"depth trainer \(pid \d+\) died of exit code 0; restart 1")

  def test_killed_fork_server_is_replaced_and_its_children_go_on(self):
    launcher = self.start("steps=100", method="forkserver")
    pid = self.wait_for_step(3).pid
    (fork_server,) = (
      p
      for p in psutil.Process(launcher.pid).children()
      if "tf_taskology.training.forkserver" in p.cmdline() and p.pid == os.getsid(p.pid)
      and str(p.pid) not in (str(pid), str(self.pid("normals")))
    )  # fmt: skip
    fork_server.kill()
    self.wait_for_step(10)
    self.assertEqual(self.pid("depth"), pid)
    os.kill(pid, signal.SIGKILL)
    exit_code, output = self.finish(launcher)
    self.assertEqual(exit_code, 0, output)
    self.assert_done(100)
    self.assertGreaterEqual(status.read(os.path.join(self.work_dir, "depth")).initial_step, 10)

  @parameterized.product(method=_METHODS, code=(2, 3))
  def test_child_that_cannot_go_on_ends_everything_with_its_message(self, method, code):
    exit_code, output = self.finish(self.start(f"normals.exit_code={code}", method=method))
    self.assertEqual(exit_code, code)
    self.assertIn(
      f"RESULT {code} normals trainer: normals has nothing to train on. (log: {self.work_dir}/logs/",
      output,
    )
    self.assertNotIn("restart 1", output)
    self.assertEmpty(self.processes())

  def test_child_that_dies_again_and_again_ends_everything(self):
    exit_code, output = self.finish(self.start("steps=5000", "depth.crash_at=1"))
    self.assertEqual(exit_code, 1)
    self.assertRegex(
      output, r"RESULT 1 depth trainer: depth trainer .* died of exit code 1 after 4 restarts\."
    )
    self.assertEmpty(self.processes())

  @parameterized.product(method=_METHODS, number=(signal.SIGINT, signal.SIGTERM))
  def test_signal_saves_and_ends_everything_and_the_run_can_go_on(self, method, number):
    launcher = self.start("steps=5000", method=method)
    self.wait_for_step(3, "normals")
    launcher.send_signal(number)
    exit_code, output = self.finish(launcher)
    self.assertEqual(exit_code, 128 + number, output)
    self.assertEmpty(self.processes())
    saved = status.read(os.path.join(self.work_dir, "normals"))
    self.assertEqual(saved.state, "waiting")
    others = status.read(os.path.join(self.work_dir, "depth")).step
    steps = max(saved.step, others) + 2
    exit_code, output = self.finish(self.start(f"steps={steps}", method=method))
    self.assertEqual(exit_code, 0, output)
    again = status.read(os.path.join(self.work_dir, "normals"))
    self.assertEqual((again.initial_step, again.state), (saved.step, "done"))

  def test_second_signal_kills(self):
    launcher = self.start("steps=5000", "secs_per_step=60")
    self.wait_for_step(0)
    self.wait_for_step(0, "normals")
    launcher.send_signal(signal.SIGINT)
    self.wait_until(lambda: "Stopped" in self.collective_log(), "the launcher has noticed")
    launcher.send_signal(signal.SIGINT)
    exit_code, _ = self.finish(launcher)
    self.assertEqual(exit_code, 130)
    self.assertEmpty(self.processes())

  def collective_log(self):
    with open(os.path.join(self.work_dir, "logs", "collective.log")) as file:
      return file.read()

  @parameterized.parameters(*_METHODS)
  def test_killed_launcher_leaves_a_run_that_ends_by_itself(self, method):
    launcher = self.start("steps=60", method=method)
    self.wait_for_step(3)
    launcher.kill()
    launcher.wait()
    self.wait_until(lambda: not self.pid("depth") and not self.pid("normals"), "trainers end")
    self.wait_until(lambda: not self.processes(), "servers end")
    self.assert_done(60)

  @parameterized.parameters(*_METHODS)
  def test_new_launcher_takes_over_from_a_killed_one(self, method):
    launcher = self.start("steps=5000", "secs_per_step=0.2", method=method)
    before = self.wait_for_step(3)
    launcher.kill()
    launcher.wait()
    exit_code, output = self.finish(self.start("steps=300", "secs_per_step=0.01", method=method))
    self.assertEqual(exit_code, 0, output)
    self.assertIn(f"depth trainer (pid {before.pid}) of an earlier launcher still runs", output)
    self.assertIn("depth server (pid", output)
    self.assert_done(300)
    after = status.read(os.path.join(self.work_dir, "depth"))
    self.assertGreaterEqual(after.initial_step, 3)

  def test_second_launcher_is_refused_by_name(self):
    launcher = self.start("steps=5000")
    self.wait_for_step(1)
    exit_code, output = self.finish(self.start("steps=5000"))
    self.assertEqual(exit_code, 2)
    self.assertIn(f"{self.work_dir} is in use by pid {launcher.pid}", output)
    launcher.terminate()
    self.assertEqual(self.finish(launcher)[0], 128 + signal.SIGTERM)

  def test_server_whose_port_was_taken_moves_and_its_askers_follow(self):
    launcher = self.start("steps=60")
    self.wait_for_step(3)
    port = self.server_port("normals")
    # Frozen, the launcher cannot restart the server before somebody else takes the port.
    launcher.send_signal(signal.SIGSTOP)
    os.kill(self.pid("normals", locks.SERVER_FILE_NAME), signal.SIGKILL)
    with socket.socket() as intruder:
      intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      self.wait_until(lambda: _bind(intruder, port), "it binds")
      intruder.listen()
      launcher.send_signal(signal.SIGCONT)
      exit_code, output = self.finish(launcher)
    self.assertEqual(exit_code, 0, output)
    self.assertRegex(output, "normals server: its port was taken, it moves to port [0-9]+")
    self.assert_done(60)
    self.assertNotEqual(self.server_port("normals"), port)
    with open(os.path.join(self.work_dir, "logs", "depth_trainer.log")) as file:
      self.assertIn(f"normals=127.0.0.1:{self.server_port('normals')}", file.read())

  def server_port(self, module):
    with open(os.path.join(self.work_dir, "logs", f"{module}_server.log")) as file:
      return int(re.findall(r"listening on (\d+)", file.read())[-1])


def _bind(listener, port):
  try:
    listener.bind(("127.0.0.1", port))
  except OSError:
    return False
  return True


if __name__ == "__main__":
  absltest.main()
