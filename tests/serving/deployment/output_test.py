"""Tests of deployment/output.py, guide.py and bucket.py."""

import os
import re
import stat
import subprocess

from absl.testing import absltest

from serving.deployment import bucket, output, plan
from tests.serving.deployment import rollouts

# `gcloud storage` for folders of this machine: the very arguments of the script, and no network.
_GCLOUD = """#!/bin/bash
echo "$*" >> "$CALLS"
[ -e "$BROKEN" ] && exit 1
case "$1 $2 $3" in
  "storage rsync --recursive") [ "$4" = '--exclude=^saved_model[.]pb$' ] || exit 9
    mkdir -p "${6#gs://}" && cp -r "$5"/. "${6#gs://}" && rm "${6#gs://}/saved_model.pb" ;;
  "storage cp "*) cp "$3" "${4#gs://}" ;;
  "storage rm --recursive") rm -r "${4#gs://}" ;;
  *) exit 9 ;;
esac
"""


class OutputTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = os.path.join(self.create_tempdir().full_path, "out")

  def files(self):
    return sorted(
      os.path.relpath(os.path.join(parent, name), self.folder)
      for parent, _, names in os.walk(self.folder)
      for name in names
    )

  def test_writes_everything(self):
    texts = output.files(rollouts.make())
    output.check(self.folder, overwrite=False)
    output.write(self.folder, texts)
    self.assertEqual(self.files(), sorted(texts))
    self.assertContainsSubset(
      ["README.md", "compose.yaml", "config.gin", "models.config", "kubernetes/depth-server.yaml"],
      self.files(),
    )

  def test_a_folder_that_holds_something(self):
    os.mkdir(self.folder)
    output.check(self.folder, overwrite=False)
    output.write(self.folder, {"a": "1", "b": "1", "kubernetes/old.yaml": "2"})
    with self.assertRaisesRegex(plan.DeployError, "'.*out' is not empty. .*--overwrite"):
      output.check(self.folder, overwrite=False)
    output.check(self.folder, overwrite=True)
    output.write(self.folder, {"a": "3", "kubernetes/new.yaml": "4"})
    self.assertEqual(self.files(), ["a", "b", "kubernetes/new.yaml"])
    with self.assertRaisesRegex(plan.DeployError, "Cannot write to '/proc/x': "):
      output.write("/proc/x", {"a": "1"})

  def test_guide_names_what_is_there(self):
    made = rollouts.make()
    texts = output.files(made)
    page = texts["README.md"]
    self.assertIn(
      "| surface_normals | depth, teacher | multi_worker_mirrored | 1: 2, 4Gi, 0 | 1: 1, 2Gi, 0 |",
      page,
    )
    names = "\n".join(texts[name] for name in texts if name.startswith("kubernetes/"))
    for name in re.findall(r"rooms-[a-z-]+[a-z]", page):
      self.assertIn(f"name: {name}\n", names)


class BucketTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    os.mkdir(self.path("bin"))
    for name, text in (("bin/gcloud", _GCLOUD), ("copy.sh", bucket.SCRIPT)):
      with open(self.path(name), "w") as file:
        file.write(text)
      os.chmod(self.path(name), stat.S_IRWXU)

  def path(self, name):
    return os.path.join(self.folder, name)

  def publish(self, version, complete=True):
    folder = self.path(f"exports/depth/{version}/variables")
    os.makedirs(folder)
    for name in ("variables.index", *(["../saved_model.pb"] if complete else [])):
      with open(os.path.join(folder, name), "w") as file:
        file.write(str(version))

  def copy(self):
    subprocess.run(
      [
        "sh",
        self.path("copy.sh"),
        self.path("exports"),
        f"gs://{self.path('bucket')}/exports",
        "1",
      ],
      env={
        "PATH": f"{self.path('bin')}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": self.folder,
        "CALLS": self.path("calls"),
        "BROKEN": self.path("broken"),
      },
      check=True,
    )

  def calls(self):
    """What the script has asked for since the last time."""
    with open(self.path("calls"), "a+") as file:
      file.seek(0)
      lines = [line.split()[1] for line in file]
      file.truncate(0)
    return lines

  def versions(self):
    return sorted(os.listdir(self.path("bucket/exports/depth")))

  def test_copies_each_version_once_and_removes_what_is_gone(self):
    self.publish(100)
    self.publish(200, complete=False)
    os.mkdir(self.path("exports/depth/.tmp-300"))
    self.copy()
    self.assertEqual((self.versions(), self.calls()), (["100"], ["rsync", "cp"]))
    copied = self.path("bucket/exports/depth/100")
    self.assertCountEqual(os.listdir(copied), ["variables", "saved_model.pb"])
    self.copy()
    self.assertEmpty(self.calls())
    self.publish(300)
    os.rename(self.path("exports/depth/100"), self.path("exports/depth/.tmp-removed"))
    self.copy()
    self.assertEqual((self.versions(), self.calls()), (["300"], ["rsync", "cp", "rm"]))

  def test_tries_again_what_failed(self):
    self.publish(100)
    with open(self.path("broken"), "w"):
      pass
    self.copy()
    self.assertEqual(self.calls(), ["rsync"])
    os.remove(self.path("broken"))
    self.copy()
    self.assertEqual(self.versions(), ["100"])


if __name__ == "__main__":
  absltest.main()
