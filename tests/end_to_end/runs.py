"""Real collectives for end-to-end tests: started as a person would, watched through their files."""

import glob
import os
import subprocess
import sys
import time

import psutil
from absl.testing import absltest

from tf_taskology.training import locks, status

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# For one condition, on a machine that is busy with other things too.
_LIMIT_SECS = 240.0
PLANES = os.path.join(_ROOT, "tests", "end_to_end", "planes.gin")


class RunTestCase(absltest.TestCase):
  """Has a work folder, and leaves no process behind."""

  modules = ("depth", "normals")

  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path
    self._started = []
    self.addCleanup(self._end_everything)

  def start(self, command, log_name):
    """Starts a command; its output goes to a file in the work folder."""
    log_path = os.path.join(self.work_dir, log_name)
    with open(log_path, "a", encoding="utf-8") as log:
      process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
      )
    self._started.append(process)
    return process

  def start_collective(self, steps, *flags):
    """Starts a launcher."""
    command = [sys.executable, "-m", "tf_taskology.collective", f"--gin_file={PLANES}"]
    command += [f"--gin_binding=STEPS = {steps}", f"--work_dir={self.work_dir}", "--report_secs=5"]
    return self.start([*command, "--model_server_binary=embedded", *flags], "printed.log")

  def wait_until(self, condition, what):
    """Waits for a condition and returns its value."""
    deadline = time.monotonic() + _LIMIT_SECS
    while not (value := condition()):
      self.assertLess(time.monotonic(), deadline, f"Waited in vain until {what}.\n{self.logs()}")
      time.sleep(0.05)
    return value

  def wait_for_exit(self, process, exit_code=0):
    """Waits for a process and checks its exit code."""
    self.wait_until(lambda: process.poll() is not None, "a process has ended")
    self.assertEqual(process.returncode, exit_code, self.logs())

  def wait_for_step(self, module, step, pid=None):
    """Waits until a module's trainer, if need be another process than `pid`, trains at `step`."""

    def reached():
      read = self.status(module)
      is_on = read and read.state in ("training", "done") and read.step >= step
      return read if is_on and read.pid != pid else None

    return self.wait_until(reached, f"{module} trains at step {step}")

  def status(self, module):
    return status.read(os.path.join(self.work_dir, module))

  def holder(self, module, file_name=locks.FILE_NAME):
    """Process id of a module's trainer or model server; None if there is none."""
    holder = locks.holder(os.path.join(self.work_dir, module, file_name))
    return holder.pid if holder else None

  def exports(self, module):
    """What is in a module's export folder: versions, and what a writer has not finished."""
    return sorted(os.listdir(os.path.join(self.work_dir, "exports", module)))

  def logs(self):
    """The ends of all logs, for failures."""
    texts = []
    for path in sorted(glob.glob(os.path.join(self.work_dir, "**", "*.log"), recursive=True)):
      with open(path, encoding="utf-8") as file:
        texts.append(f"== {path}\n{file.read()[-2000:]}")
    return "\n".join(texts)

  def processes(self):
    """Every process of this run: by its command line or, if it was forked, by its log."""
    found = []
    for process in psutil.process_iter():
      try:
        command = " ".join(process.cmdline())
        is_forked = "tf_taskology.training.forkserver" in command
        logs = [file.path for file in process.open_files()] if is_forked else []
        if self.work_dir in " ".join([command, *logs]) and process.status() != "zombie":
          found.append(process)
      except (psutil.NoSuchProcess, psutil.AccessDenied):
        continue
    return found

  def _end_everything(self):
    for process in self._started:
      if process.poll() is None:
        process.kill()
      process.wait()
    for process in self.processes():
      process.kill()
