"""Tests of deploy.py: the program, as a person calls it."""

# bazel: size=medium, data=//gin:files, deps=//serving:deploy

import os
import subprocess
import sys

import yaml
from absl.testing import absltest

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class DeployTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = os.path.join(self.create_tempdir().full_path, "out")

  def deploy(self, *flags, gin_file="gin/rooms/depth_normals.gin"):
    return subprocess.run(
      [sys.executable, "-m", "serving.deploy", f"--gin_file={gin_file}", f"--output_dir={self.folder}", *flags],
      cwd=_ROOT,
      env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
      capture_output=True,
      text=True,
      check=False,
    )  # fmt: skip

  def read(self, name):
    with open(os.path.join(self.folder, name)) as file:
      return list(yaml.safe_load_all(file))

  def check_refused(self, message, *flags, **options):
    finished = self.deploy(*flags, **options)
    self.assertEqual(finished.returncode, 2, finished.stderr)
    self.assertRegex(finished.stderr, f"^Error: {message}")
    self.assertNotIn("Traceback", finished.stderr)

  def test_one_module_with_more_than_the_others(self):
    flags = (
      "--replicas=depth=2",
      "--cpu=normals=4",
      "--workers=normals=2",
      "--gin_binding=SEED = 5",
    )
    finished = self.deploy(*flags)
    self.assertEqual(finished.returncode, 0, finished.stderr)
    self.assertIn(os.path.join(self.folder, "kubernetes/normals-trainer.yaml"), finished.stdout)
    deployment, service = self.read("kubernetes/depth-server.yaml")
    self.assertEqual(deployment["spec"]["replicas"], 2)
    self.assertEqual(service["metadata"]["name"], "depth-normals-depth-server")
    job, _ = self.read("kubernetes/normals-trainer.yaml")
    self.assertEqual(job["spec"]["completions"], 2)
    with open(os.path.join(self.folder, "config.gin")) as file:
      config = file.read()
    self.assertRegex(config, r"SEED = 5\n")
    self.assertRegex(config, r"strategy = 'multi_worker_mirrored'\n")
    self.check_refused("The output folder .* is not empty", *flags)
    finished = self.deploy("--overwrite", "--name=other")
    self.assertEqual(finished.returncode, 0, finished.stderr)
    (job,) = self.read("kubernetes/normals-trainer.yaml")
    self.assertEqual(job["metadata"]["name"], "other-normals-trainer")

  def test_bad_input_is_one_sentence(self):
    self.check_refused(
      "--cpu=normal=4: there is no module 'normal'. Did you mean", "--cpu=normal=4"
    )
    self.check_refused(
      "Nothing in the configuration uses the macro STEPPS. Did you mean 'STEPS'",
      "--gin_binding=STEPPS = 5",
    )
    self.check_refused("The gin file 'nowhere.gin' does not exist", gin_file="nowhere.gin")
    self.check_refused(
      r"ModuleSpec\(depth\).batch_size = 16 does not divide over 3", "--workers=depth=3"
    )
    self.check_refused("--peer must have the form name=host:port", "--peer=teacher")
    self.assertFalse(os.path.exists(self.folder))


if __name__ == "__main__":
  absltest.main()
