"""Flags of the programs that train, and how they end when these make no sense."""
# bazel: deps=//tf_taskology:train, data=//gin:experiments

import os
import subprocess
import sys

from absl.testing import absltest, parameterized

from tests.training import fixtures
from tf_taskology.peers import peer
from tf_taskology.training import errors, experiment, locks, program

_EXPERIMENT = "gin/rooms/depth_normals.gin"
_TARGETS = {"normals": ["h:1"]}


class PeersTest(parameterized.TestCase):
  def test_parses_addresses(self):
    values = [
      "normals=10.0.0.2:8500",
      "depth=a:1, b:2,",
      "normals=c:3",
      "flow=unix:/tmp/s",
      "x=[::1]:9",
    ]
    self.assertEqual(
      program.parse_peers(values),
      {
        "normals": ["10.0.0.2:8500", "c:3"],
        "depth": ["a:1", "b:2"],
        "flow": ["unix:/tmp/s"],
        "x": ["[::1]:9"],
      },
    )
    self.assertEqual(program.parse_peers([]), {})

  @parameterized.parameters(
    "normals", "normals=", "=h:1", "normals=h", "normals=h:", "normals=:8500", "normals=h:0",
    "normals=h:65536", "normals=h:http", "normals=h:1,h", "normals h:1",
  )  # fmt: skip
  def test_refuses(self, value):
    with self.assertRaisesRegex(program.UsageError, "--peer must have the form .* Received: '"):
      program.parse_peers([value])


class CheckModuleTest(parameterized.TestCase):
  @parameterized.parameters(
    ("synchronous", None, {}), ("isolated", "depth", {}), ("isolated", "depth", _TARGETS),
    ("distributed", "depth", _TARGETS),
  )  # fmt: skip
  def test_accepts(self, mode, module, targets):
    program.check_module(fixtures.collective(), mode, module, targets)

  @parameterized.parameters(
    ("synchronous", "depth", {}, "leave out --module"),
    ("distributed", None, {}, r"--module is missing. The modules are: depth, normals\."),
    ("isolated", "dpeth", {}, r"no module 'dpeth'. The modules are: depth, normals\."),
    ("distributed", "depth", {}, "needs the peers normals: say where .* --peer=normals="),
    (
      "distributed", "depth", {**_TARGETS, "flow": ["h:1"]},
      r"--peer names \['flow'\], which module 'depth' does not need. It needs: normals\.",
    ),
  )  # fmt: skip
  def test_refuses(self, mode, module, targets, message):
    with self.assertRaisesRegex(ValueError, message):
      program.check_module(fixtures.collective(), mode, module, targets)

  def test_module_without_consistency_needs_no_peers(self):
    collective = fixtures.collective(weights={"normals": 1.0})
    program.check_module(collective, "distributed", "depth", {})
    with self.assertRaisesRegex(program.UsageError, "It needs: no peers"):
      program.check_module(collective, "distributed", "depth", _TARGETS)

  def test_frozen_modules_need_no_address(self):
    collective = fixtures.collective()
    depth, normals = collective.modules
    collective.modules = [depth]
    collective.frozen = [experiment.FrozenModule("normals", normals.tasks, "exports/normals")]
    program.check_module(collective, "distributed", "depth", {})
    with self.assertRaisesRegex(program.UsageError, "It needs: no peers"):
      program.check_module(collective, "distributed", "depth", _TARGETS)


class ExitCodesTest(parameterized.TestCase):
  @parameterized.parameters(
    (errors.TrainingFailed("NaN"), program.EXIT_FAILED),
    (ValueError("odd"), program.EXIT_BAD_INPUT),
    (FileNotFoundError("gone"), program.EXIT_BAD_INPUT),
    (peer.WrongSignature("other"), program.EXIT_BAD_INPUT),
    (locks.HeldError("/folder/lock", locks.Holder(1, "h")), program.EXIT_BAD_INPUT),
  )
  def test_of_errors_for_good(self, error, code):
    with self.assertRaises(SystemExit) as ended, program.exit_codes():
      raise error
    self.assertEqual(ended.exception.code, code)

  def test_a_crash_stays_a_crash(self):
    with self.assertRaises(RuntimeError), program.exit_codes():
      raise RuntimeError("crash")

  @parameterized.named_parameters(
    ("gin_file", ["--gin_file=gin/none.gin"], "The gin file 'gin/none.gin' does not exist"),
    ("module", [f"--gin_file={_EXPERIMENT}", "--module=dpeth"], "There is no module 'dpeth'"),
  )
  def test_bad_input_is_one_sentence(self, arguments, message):
    work_dir = os.path.join(self.create_tempdir().full_path, "run")
    result = subprocess.run(
      [sys.executable, "-m", "tf_taskology.train", f"--work_dir={work_dir}", *arguments],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
      stderr=subprocess.PIPE,
      text=True,
      check=False,
    )
    self.assertEqual(result.returncode, 2, result.stderr)
    self.assertNotIn("Traceback", result.stderr)
    self.assertStartsWith(result.stderr.splitlines()[-1], f"Error: {message}")
    self.assertLen([line for line in result.stderr.splitlines() if message in line], 1)
    self.assertFalse(os.path.exists(work_dir))


if __name__ == "__main__":
  absltest.main()
