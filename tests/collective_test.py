"""The collective program: what it says to somebody who typed something wrong."""

import os
import subprocess
import sys

from absl.testing import absltest, parameterized

# bazel: size=medium, data=//tests/end_to_end:planes.gin
# bazel: deps=//tf_taskology:collective //tests/training:fixtures

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PLANES = "--gin_file=tests/end_to_end/planes.gin"


class CollectiveTest(parameterized.TestCase):
  @parameterized.parameters(
    (("--gin_file=nowhere.gin",), "Error: The gin file 'nowhere.gin' does not exist."),
    ((_PLANES, "--gin_binding=STEPZ = 5"), "STEPZ"),
    ((_PLANES, "--gin_binding=STEPS = 5", "--peer=x=h:1"), "Error: --peer gives an address for x"),
    ((_PLANES, "--model_server_binary=/nowhere/x"), "Error: Options.model_server_binary must be"),
  )
  def test_mistake_is_one_line_and_nothing_starts(self, flags, message):
    work_dir = os.path.join(self.create_tempdir().full_path, "run")
    program = subprocess.run(
      [sys.executable, "-m", "tf_taskology.collective", f"--work_dir={work_dir}", *flags],
      cwd=_ROOT,
      env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
      capture_output=True,
      text=True,
      timeout=240,
    )
    self.assertEqual(program.returncode, 2, program.stderr)
    self.assertLen(program.stderr.splitlines(), 1, program.stderr)
    self.assertIn(message, program.stderr)
    self.assertFalse(os.path.exists(os.path.join(work_dir, "exports")))
    self.assertFalse(os.path.exists(os.path.join(work_dir, "logs", "depth_trainer.log")))

  def test_work_dir_is_required(self):
    program = subprocess.run(
      [sys.executable, "-m", "tf_taskology.collective"],
      cwd=_ROOT,
      env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
      capture_output=True,
      text=True,
      timeout=240,
    )
    self.assertIn("--work_dir", program.stderr)
    self.assertNotEqual(program.returncode, 0)


if __name__ == "__main__":
  absltest.main()
