"""Locks between processes: who holds one is known, and it ends with its holder."""

import fcntl
import os
import subprocess
import sys
import time

from absl.testing import absltest

from tf_taskology.training import locks

_HOLD = (
  "import sys, time; from tf_taskology.training import locks;"
  "lock = locks.Lock(sys.argv[1]); print('held', flush=True); time.sleep(60)"
)


class LocksTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = os.path.join(self.create_tempdir().full_path, "depth", locks.FILE_NAME)

  def hold_elsewhere(self):
    process = subprocess.Popen(
      [sys.executable, "-c", _HOLD, self.path],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
      stdout=subprocess.PIPE,
      text=True,
    )
    self.addCleanup(process.stdout.close)
    self.addCleanup(process.wait)
    self.addCleanup(process.kill)
    self.assertEqual(process.stdout.readline(), "held\n")
    return process

  def test_nobody_holds_what_is_not_there(self):
    self.assertIsNone(locks.holder(self.path))

  def test_holder_is_this_process_until_release(self):
    with locks.Lock(self.path):
      holder = locks.holder(self.path)
      self.assertEqual(holder.pid, os.getpid())
      self.assertTrue(holder.is_local)
    self.assertIsNone(locks.holder(self.path))

  def test_holder_elsewhere_is_named(self):
    process = self.hold_elsewhere()
    self.assertEqual(locks.holder(self.path).pid, process.pid)
    folder = os.path.dirname(self.path)
    with self.assertRaisesRegex(locks.HeldError, f"{folder} is in use by pid {process.pid}"):
      locks.Lock(self.path, timeout_secs=0.1)

  def test_lock_ends_with_a_killed_holder(self):
    process = self.hold_elsewhere()
    process.kill()
    process.wait()
    self.assertIsNone(locks.holder(self.path))
    with locks.Lock(self.path, timeout_secs=0.1):
      self.assertEqual(locks.holder(self.path).pid, os.getpid())

  def test_lock_waits_for_its_holder_to_go(self):
    process = self.hold_elsewhere()
    begin = time.monotonic()
    subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -9 {process.pid}"]).wait(5)
    with locks.Lock(self.path, timeout_secs=5):
      self.assertLess(time.monotonic() - begin, 4)

  def test_asking_does_not_take_the_lock_from_anybody(self):
    for _ in range(50):
      locks.holder(self.path)
      with locks.Lock(self.path):
        self.assertIsNotNone(locks.holder(self.path))

  def test_killed_holder_is_not_mistaken_for_one_that_has_not_written_yet(self):
    process = self.hold_elsewhere()
    process.kill()
    process.wait()
    with open(self.path) as file:
      self.assertIn(str(process.pid), file.read())
    with open(self.path) as silent:
      fcntl.flock(silent, fcntl.LOCK_EX)
      self.assertNotEqual(locks.holder(self.path, timeout_secs=0.2).pid, process.pid)

  def test_holder_on_another_machine_is_named_with_it(self):
    holder = locks.Holder(12, "far-away")
    self.assertFalse(holder.is_local)
    self.assertEqual(str(holder), "pid 12 on far-away")


if __name__ == "__main__":
  absltest.main()
