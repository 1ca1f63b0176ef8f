"""Tests of describe_plan.py."""

# bazel: data=//gin:files, deps=//gin:experiments

import json
import os

from absl.testing import absltest

from tf_taskology.training import config, describe_plan, supervision

_GIN_FILE = "gin/rooms/two_views.gin"


class DescribePlanTest(absltest.TestCase):
  def describe(self, gin_file=_GIN_FILE, bindings=(), several_workers=False):
    """(exit code, text of the result)."""
    path = os.path.join(self.create_tempdir().full_path, "plan.json")
    request = {
      "gin_files": [gin_file],
      "gin_bindings": list(bindings),
      "several_workers": several_workers,
    }
    code = describe_plan.main(path, json.dumps(request))
    with open(path) as file:
      return code, file.read()

  def test_describes(self):
    code, text = self.describe(bindings=["STEPS = 77", "BATCH_SIZE = 6"])
    fields = json.loads(text)
    kept = fields.pop("config")
    self.assertEqual(code, 0)
    self.assertEqual([module["name"] for module in fields["modules"]], ["depth", "normals"])
    self.assertEqual(fields["modules"][1]["peers"], ["depth"])
    self.assertEqual(fields["modules"][0]["outputs"], ["depth"])
    self.assertEqual([module["batch_size"] for module in fields["modules"]], [6, 6])
    self.assertEqual(fields["mediator"], {"batch_size": 6, "num_frames": 2})
    self.assertEqual((fields["steps"], fields["strategy"]), (77, "one_device"))
    self.assertIsNone(fields["tls_root_certificates"])
    self.assertEqual(
      config.parse([self.create_tempfile(content=kept).full_path]).training.steps, 77
    )

  def test_modules_own_strategies_and_shares(self):
    bindings = [
      f"{scope}/experiment.ModuleSpec.{field}"
      for scope, field in (("normals", 'strategy = "mirrored"'), ("depth", "cpu_share = 3"))
    ]
    code, text = self.describe(bindings=bindings)
    self.assertEqual(code, 0, text)
    found = [(module["strategy"], module["cpu_share"]) for module in json.loads(text)["modules"]]
    self.assertEqual(found, [("one_device", 3.0), ("mirrored", 1.0)])

  def test_several_workers_of_any_module_change_the_strategy_of_all(self):
    _, text = self.describe(several_workers=True)
    fields = json.loads(text)
    self.assertEqual(fields["strategy"], "multi_worker_mirrored")
    # What trainers read: it parses, though the macro STRATEGY is left over, and comes out as it went in.
    kept = self.create_tempfile(content=fields["config"]).full_path
    self.assertEqual(config.parse([kept]).training.strategy, "multi_worker_mirrored")
    self.assertEqual(config.config_text(), fields["config"])

  def test_bad_configurations_are_explained(self):
    code, text = self.describe(bindings=["STEPPS = 5"])
    self.assertEqual(code, supervision.EXIT_CONFIGURATION)
    self.assertRegex(text, "macro STEPPS. Did you mean 'STEPS'")
    code, text = self.describe(gin_file="gin/nowhere.gin")
    self.assertRegex(text, "The gin file 'gin/nowhere.gin' does not exist")


if __name__ == "__main__":
  absltest.main()
