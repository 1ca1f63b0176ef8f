"""Tests of startup.py and allocator.py."""

# bazel: deps=//tf_taskology/training:allocator //tf_taskology/training:startup

import os
import re
import subprocess
import sys

from absl.testing import absltest

_PROGRAM = """
from absl import logging
from tf_taskology.training import startup
def main(argv):
  logging.info("step %d", 5)
  logging.warning("The disk is nearly full.")
startup.run(main)
"""
_MESSAGES = """
import resource
from tf_taskology.training import allocator
allocator.keep_freed_memory()
kept = b"x" * (1 << 20)
del kept
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
  b"x" * (1 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _run(program, **options):
  environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
  command = [sys.executable, "-c", program]
  return subprocess.run(command, env=environment, check=True, text=True, **options)


class StartupTest(absltest.TestCase):
  def test_people_read_the_message_and_severe_levels(self):
    finished = _run(_PROGRAM, stderr=subprocess.PIPE)
    self.assertEqual(finished.stderr, "step 5\nWARNING: The disk is nearly full.\n")

  def test_files_have_the_time_too(self):
    log = self.create_tempfile()
    with open(log.full_path, "w") as file:
      _run(_PROGRAM, stderr=file)
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    self.assertRegex(
      log.read_text(), rf"^{time} step 5\n{time} WARNING: The disk is nearly full.\n$"
    )

  @absltest.skipUnless(sys.platform == "linux", "glibc's allocator")
  def test_large_messages_take_no_fresh_pages(self):
    faults = int(re.search(r"\d+", _run(_MESSAGES, stdout=subprocess.PIPE).stdout)[0])
    self.assertLess(faults, 50 * 20)  # and not 256 for each


if __name__ == "__main__":
  absltest.main()
