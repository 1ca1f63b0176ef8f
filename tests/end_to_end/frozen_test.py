"""A network that was trained before is another's peer, without a process of its own."""

# bazel: size=medium, data=planes.gin frozen_planes.gin
# bazel: deps=//tf_taskology:collective //serving:model_server //tests/training:fixtures

import json
import os
import sys

from absl.testing import absltest

from tests.end_to_end import runs

_FROZEN = os.path.join(os.path.dirname(runs.PLANES), "frozen_planes.gin")


class FrozenTest(runs.RunTestCase):
  def test_finished_module_teaches_and_does_not_change(self):
    launcher = self.start_collective(20, "--mode=isolated")
    self.wait_for_exit(launcher)
    versions = self.exports("normals")
    teacher = os.path.join(self.work_dir, "exports", "normals")
    pupil = self.create_tempdir().full_path
    command = [sys.executable, "-m", "tf_taskology.collective", f"--work_dir={pupil}"]
    command += [f"--gin_file={_FROZEN}", "--gin_binding=STEPS = 30"]
    command += [f"--gin_binding=NORMALS = {teacher!r}", "--model_server_binary=embedded"]
    self.wait_for_exit(self.start([*command, "--report_secs=5"], "pupil.log"))
    self.assertEqual(self.exports("normals"), versions)
    self.assertEqual(sorted(os.listdir(os.path.join(pupil, "exports"))), ["depth"])
    with open(os.path.join(pupil, "depth", "history.jsonl"), encoding="utf-8") as file:
      last = json.loads(file.readlines()[-1])
    self.assertEqual(last["step"], 30)
    self.assertGreater(last["losses"]["depth_normals/cosine"], 0)
    self.assertEqual(last["peers"]["normals"]["version"], 20)
    self.assertEqual(last["peers"]["normals"]["failures"], 0)


if __name__ == "__main__":
  absltest.main()
