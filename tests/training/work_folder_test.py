"""Whose work folder it is."""

import os

from absl.testing import absltest, parameterized

from tf_taskology.training import work_folder

_CONFIG = """# Macros:
STEPS = 100
# Parameters for experiment.Training:
experiment.Training.steps = %STEPS
experiment.Training.initial_run = None
experiment.Training.seed = 0
"""


class ClaimTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = os.path.join(self.create_tempdir().full_path, "new", "run")

  def test_makes_the_folder_and_keeps_the_configuration(self):
    work_folder.claim(self.folder, _CONFIG)
    self.assertEqual(os.listdir(self.folder), [work_folder.CONFIG])
    with open(os.path.join(self.folder, work_folder.CONFIG)) as file:
      self.assertEqual(file.read(), _CONFIG)

  @parameterized.parameters(
    ("STEPS = 100", "STEPS = 200"),
    ("initial_run = None", "initial_run = '/other'"),
    ("initial_run = None", "initial_run = \\\n    '/a/path/too/long/for/its/line'"),
    ("# Parameters", "\n# parameters"),
  )
  def test_a_run_may_go_on_with(self, old, new):
    work_folder.claim(self.folder, _CONFIG)
    changed = _CONFIG.replace(old, new)
    work_folder.claim(self.folder, changed)
    with open(os.path.join(self.folder, work_folder.CONFIG), encoding="utf-8") as file:
      self.assertEqual(file.read(), changed)
    work_folder.claim(self.folder, _CONFIG)

  @parameterized.parameters(
    (
      "seed = 0",
      "seed = 1",
      r"it has `experiment.Training.seed = 0` where this run has `.*seed = 1`",
    ),
    ("experiment.Training.seed = 0\n", "", "where this run has `nothing`"),
  )
  def test_names_what_another_configuration_changes(self, old, new, message):
    work_folder.claim(self.folder, _CONFIG)
    expected = f"belongs to another configuration: .*{message}. Choose another --work_dir"
    with self.assertRaisesRegex(work_folder.WorkFolderError, expected):
      work_folder.claim(self.folder, _CONFIG.replace(old, new))
    work_folder.claim(self.folder, _CONFIG)

  def test_a_file_in_its_place(self):
    path = self.create_tempfile("file").full_path
    with self.assertRaisesRegex(work_folder.WorkFolderError, "cannot be written: File exists"):
      work_folder.claim(path, _CONFIG)


if __name__ == "__main__":
  absltest.main()
