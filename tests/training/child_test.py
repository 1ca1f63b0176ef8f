"""What surrounds a program: its log, its lock, its end when nobody needs it, an external binary."""

import os
import signal
import stat
import subprocess
import sys
import time

import psutil
from absl.testing import absltest

from tf_taskology.training import child, locks, supervision

_LIMIT_SECS = 20.0


class ChildTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    self.log_path = os.path.join(self.folder, "logs", "child.log")
    self.lock_path = os.path.join(self.folder, "depth", locks.SERVER_FILE_NAME)

  def start(self, **fields):
    spec = child.Spec("depth server", self.log_path, lock_path=self.lock_path, **fields)
    process = supervision.Subprocesses().start(spec)
    self.addCleanup(process.wait)
    self.addCleanup(process.kill)
    return process

  def write_binary(self, text):
    path = os.path.join(self.folder, "binary")
    with open(path, "w") as file:
      file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, stat.S_IRWXU)
    return path

  def wait_for_log(self, text):
    deadline = time.monotonic() + _LIMIT_SECS
    while text not in self.read_log():
      self.assertLess(time.monotonic(), deadline, self.read_log())
      time.sleep(0.02)

  def read_log(self):
    if not os.path.exists(self.log_path):
      return ""
    with open(self.log_path) as file:
      return file.read()

  def test_spec_comes_back_from_json(self):
    spec = child.Spec("n", "l", "m", "", ("--a=1",), {"A": "b"}, "k", ("x", "y"), 3.0)
    self.assertEqual(child.Spec.from_json(spec.to_json()), spec)

  def test_needs_a_module_or_a_binary(self):
    for fields in ({}, {"module": "json", "binary": "true"}):
      with self.assertRaisesRegex(ValueError, "'n' must have one of `module` and `binary`"):
        child.Spec("n", "l", **fields)

  def test_holds_its_lock_while_it_runs(self):
    binary = self.write_binary("echo up $1; sleep 60")
    process = self.start(binary=binary, arguments=("now",))
    self.wait_for_log("up now\n")
    self.assertEqual(locks.holder(self.lock_path).pid, process.pid)
    process.kill()
    process.wait()
    self.assertIsNone(locks.holder(self.lock_path))

  def test_has_the_priority_that_was_asked_for(self):
    self.start(binary=self.write_binary("echo up; sleep 60"), nice=3)
    self.wait_for_log("up\n")
    holder = locks.holder(self.lock_path)
    self.assertEqual(psutil.Process(holder.pid).nice(), min(19, psutil.Process().nice() + 3))

  def test_log_is_appended_to(self):
    for _ in range(2):
      self.assertEqual(self.start(module="this").wait(_LIMIT_SECS), 0)
    self.assertEqual(self.read_log().count("The Zen of Python"), 2)

  def test_binary_gets_sigterm_and_its_exit_code_is_passed_on(self):
    binary = self.write_binary("trap 'echo told; kill $!; exit 7' TERM; echo up; sleep 60 & wait")
    process = self.start(binary=binary)
    self.wait_for_log("up")
    process.terminate()
    self.assertEqual(process.wait(_LIMIT_SECS), 7)
    self.assertIn("told", self.read_log())

  def test_binary_dies_with_its_wrapper(self):
    process = self.start(binary=self.write_binary("echo up; exec sleep 60"))
    self.wait_for_log("up")
    (binary,) = psutil.Process(process.pid).children()
    process.kill()
    binary.wait(_LIMIT_SECS)
    self.assertFalse(binary.is_running())

  def test_killed_binary_is_a_death_of_its_wrapper(self):
    process = self.start(binary=self.write_binary("echo up; exec sleep 60"))
    self.wait_for_log("up")
    (binary,) = psutil.Process(process.pid).children()
    binary.kill()
    self.assertEqual(process.wait(_LIMIT_SECS), 128 + signal.SIGKILL)

  def test_ends_when_nobody_holds_what_it_serves(self):
    served = [os.path.join(self.folder, name) for name in ("launcher_lock", "trainer_lock")]
    trainer = locks.Lock(served[1])
    process = self.start(
      binary=self.write_binary("echo up; exec sleep 60"), serves=tuple(served), patience_secs=0.5
    )
    self.wait_for_log("up")
    with self.assertRaises(subprocess.TimeoutExpired):
      process.wait(2.0)
    trainer.release()
    process.wait(_LIMIT_SECS)
    self.assertIn("this model server ends", self.read_log())

  def test_process_is_named_for_top(self):
    process = self.start(binary=self.write_binary("echo up; exec sleep 60"))
    self.wait_for_log("up")
    if sys.platform == "linux":
      self.assertEqual(psutil.Process(process.pid).name(), "depth-server")


if __name__ == "__main__":
  absltest.main()
