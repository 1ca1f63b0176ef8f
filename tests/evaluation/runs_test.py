"""Tests of reading work folders."""

import json
import pathlib

from absl.testing import absltest

from tf_taskology.evaluation import runs


class RunsTest(absltest.TestCase):
  def test_history_keeps_the_last_entry_of_a_step(self):
    path = pathlib.Path(self.create_tempdir().full_path, "history.jsonl")
    entries = [
      {"step": 10, "x": 1},
      {"step": 20, "x": 2},
      {"step": 10, "x": 3},
      {"step": 30, "x": 4},
    ]
    path.write_text("".join(json.dumps(e) + "\n" for e in entries) + '{"step": 40, ')
    self.assertEqual(
      runs.read_history(path), [{"step": 10, "x": 3}, {"step": 20, "x": 2}, {"step": 30, "x": 4}]
    )

  def test_damaged_history_is_named_with_its_line(self):
    path = pathlib.Path(self.create_tempdir().full_path, "history.jsonl")
    path.write_text('{"step": 1}\n{"loss": 2}\n')
    with self.assertRaisesRegex(
      ValueError, "history.jsonl, line 2: expected a JSON object with a 'step'"
    ):
      runs.read_history(path)

  def test_read(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / "depth").mkdir()
    (folder / "depth" / "history.jsonl").write_text('{"step": 1}\n')
    (folder / "config.gin").write_text("STEPS = 1\n")
    (folder / "run.json").write_text('{"mode": "isolated"}')
    run = runs.read(folder)
    self.assertEqual((run.mode, run.modules, run.config), ("isolated", ("depth",), "STEPS = 1\n"))
    self.assertEqual(run.evaluations, [])
    with self.assertRaisesRegex(ValueError, "does not exist"):
      runs.read(folder / "other")

  def test_losses_of_a_module_that_was_trained_with_others_in_one_process(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / "collective").mkdir()
    (folder / "exports" / "depth").mkdir(parents=True)
    entry = {
      "step": 5,
      "losses": {"depth/loss": 1.0, "depth/depth/abs_rel": 2.0, "normals/loss": 3.0},
    }
    (folder / "collective" / "history.jsonl").write_text(json.dumps(entry) + "\n")
    run = runs.read(folder)
    self.assertEqual(run.modules, ("depth",))
    self.assertEqual(run.losses("depth"), [(5, {"loss": 1.0, "depth/abs_rel": 2.0})])

  def test_names_are_as_short_as_they_can_be(self):
    self.assertEqual(runs.names(["/a/isolated", "/a/collective/"]), ["isolated", "collective"])
    self.assertEqual(runs.names(["/a/x/seed0", "/a/y/seed0"]), ["x/seed0", "y/seed0"])

  def test_parse_run(self):
    self.assertEqual(runs.parse_run("together=/a/b"), ("together", "/a/b"))
    self.assertEqual(runs.parse_run("/a/b"), ("b", "/a/b"))
    with self.assertRaisesRegex(ValueError, "name=work_dir"):
      runs.parse_run("=x")


if __name__ == "__main__":
  absltest.main()
