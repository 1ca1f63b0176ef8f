"""Runs the commands of docs/several_machines.md; loopback addresses stand for the machines."""

# bazel: size=large, data=planes.gin //:docs/several_machines.md
# bazel: deps=//tf_taskology:train //serving:model_server //tests/training:fixtures

import os
import re
import shlex
import signal
import stat
import sys

from absl.testing import absltest

from tests.end_to_end import runs
from tf_taskology.training import commands, status

_PAGE = os.path.join(
  os.path.dirname(os.path.dirname(runs.PLANES)), "..", "docs", "several_machines.md"
)
_MACHINES = {"10.0.0.1": "127.0.0.1", "10.0.0.2": "127.0.0.2", "10.0.0.3": "127.0.0.3"}
_STEPS = 60
# `rsync` for folders of this machine: the arguments of the page, and no network.
_RSYNC = """#!/bin/sh
[ "$*" = "-a --delete --exclude=.* $4 $5" ] || exit 1
mkdir -p "$5" && rm -rf "$5"/* && cp -r "${4#*:}"[0-9]* "$5"
"""


def _blocks():
  with open(_PAGE, encoding="utf-8") as file:
    return re.findall(r"^```bash\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)


class SeveralMachinesTest(runs.RunTestCase):
  def setUp(self):
    super().setUp()
    tools = self.create_tempdir().full_path
    with open(os.path.join(tools, "rsync"), "w") as file:
      file.write(_RSYNC)
    os.chmod(file.name, stat.S_IRWXU)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    self.enter_context(absltest.mock.patch.dict(os.environ, {"PATH": path}))
    # One port on all machines, as on the page.
    self.port = next(port for port in range(15000, 25000) if commands.port_is_free(port))

  def run_block(self, block, machine):
    """Starts the commands of a block as `machine`, each machine with a `/data` of its own."""
    text = re.sub(
      r"\./bazelw run //(\w+):(\w+) --", rf"exec {shlex.quote(sys.executable)} -m \1.\2", block
    )
    text = text.replace(
      "gin/rooms/depth_normals.gin", f"{runs.PLANES} --gin_binding='STEPS = {_STEPS}'"
    )
    text = re.sub(r"(10\.0\.0\.\d):/data", lambda m: f"host:{self.folder(m[1])}", text)
    text = re.sub(r"(?<=[= ])/data", self.folder(machine), text)
    text = re.sub(r"(?<=[:=])8500", str(self.port), text)
    for name, address in _MACHINES.items():
      text = text.replace(name, address)
    return self.start(["bash", "-c", text], f"{machine}.log")

  def folder(self, machine):
    """What `/data` is on a machine."""
    return os.path.join(self.work_dir, f"machine{machine[-1]}")

  def test_commands_of_the_page(self):
    blocks = _blocks()
    self.assertLen(blocks, 6)
    server_a, trainer_a, server_b, trainer_b, copier_c, server_c = (
      self.run_block(block, machine)
      for block, machine in zip(blocks, sorted([*_MACHINES] * 2), strict=True)
    )
    self.wait_for_exit(trainer_a)
    self.wait_for_exit(trainer_b)
    for machine, module, peer in (
      ("10.0.0.1", "depth", "normals"),
      ("10.0.0.2", "normals", "depth"),
    ):
      read = status.read(os.path.join(self.folder(machine), "run1", module))
      self.assertEqual((read.state, read.step), ("done", _STEPS))
      self.assertGreater(read.peers[peer].requests, 0)
      self.assertEqual(read.peers[peer].skipped, 0)
    self.wait_until(lambda: self.copied() == [str(_STEPS)], "C has the last version")
    self.wait_until(lambda: f"version {_STEPS} available" in self.logs(), "C serves it")
    copier_c.kill()
    for server in (server_a, server_b, server_c):
      self.assertIsNone(server.poll())
      server.send_signal(signal.SIGTERM)
      self.wait_for_exit(server)

  def copied(self):
    exports = os.path.join(self.folder("10.0.0.3"), "run1", "exports", "normals")
    return [name for name in sorted(os.listdir(exports)) if name.isdigit()][-1:]


if __name__ == "__main__":
  absltest.main()
