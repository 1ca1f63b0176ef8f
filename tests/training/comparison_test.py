"""Comparisons of settings: what each run is told."""

import os
import types

from absl.testing import absltest

from tf_taskology.evaluation import evaluation, evaluator, exports
from tf_taskology.training import comparison, config, launcher

_START = comparison.Arm("start", "distributed", ("STEPS = 5",), ("joint.gin",))
_TEACHER = comparison.Arm("a teacher", "isolated", (), ("b.gin",), start="start")
_PUPIL = comparison.Arm(
  "pupil", "distributed", ("STEPS = 9",), start="start", exports={"TEACHER": ("a teacher", "depth")}
)


class ComparisonTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.work_dir = self.create_tempdir().full_path
    self.launched = []
    self.exit_code = 0
    launch = absltest.mock.patch.object(launcher, "launch", self._launch)
    launch.start()
    self.addCleanup(launch.stop)
    self.compared = comparison.Comparison(
      self.work_dir, ["default.gin"], ["WIDTH = 2"], say=lambda line: None
    )

  def _launch(self, options, output):
    self.launched.append(options)
    os.makedirs(options.work_dir, exist_ok=True)
    return launcher.RunResult(self.exit_code, "broken" if self.exit_code else "")

  def test_arms_know_where_they_start_and_whose_exports_they_read(self):
    for arm in (_START, _TEACHER, _PUPIL):
      self.compared.train(arm, 1)
    start, teacher, pupil = self.launched
    self.assertEqual(start.gin_bindings, ("WIDTH = 2", "STEPS = 5", "SEED = 1"))
    self.assertEqual((start.gin_files, pupil.gin_files), (("joint.gin",), ("default.gin",)))
    self.assertEqual((start.mode, teacher.mode), ("distributed", "isolated"))
    self.assertEqual(
      pupil.gin_bindings,
      (
        "WIDTH = 2",
        "STEPS = 9",
        "SEED = 1",
        f"INITIAL_RUN = {os.path.join(self.work_dir, 'start', 'seed1')!r}",
        f"TEACHER = {os.path.join(teacher.work_dir, 'exports', 'depth')!r}",
      ),
    )

  def test_what_is_done_is_not_done_again(self):
    folder = self.compared.train(_START, 0)
    self.assertEqual(self.compared.train(_START, 0), folder)
    self.assertLen(self.launched, 1)

  def test_failure_ends_it_and_is_tried_again(self):
    self.exit_code = 3
    with self.assertRaisesRegex(comparison.Failed, "'start' did not finish: broken") as caught:
      self.compared.train(_START, 0)
    self.assertEqual(caught.exception.exit_code, 3)
    self.exit_code = 0
    self.compared.train(_START, 0)
    self.assertLen(self.launched, 2)

  def test_evaluation_of_another_split_version_or_of_few_samples_is_made_again(self):
    folder = self.compared.train(_START, 0)
    newest = {"depth": exports.Export("depth", 5, folder)}
    source = types.SimpleNamespace(num_samples={"test": 7, "validation": 5}.get)
    specs = [types.SimpleNamespace(name="rooms", split="test", source=source, max_samples=None)]
    collective = types.SimpleNamespace(evaluation=specs)
    made = []

    def evaluate(work_dir, unused_specs, unused_split):
      made.append(work_dir)
      evaluations = [self._evaluation("test", 7)]
      evaluation.write(work_dir, evaluations)
      return evaluations

    patch = absltest.mock.patch.object
    with (
      patch(evaluator, "evaluate_run", evaluate),
      patch(config, "parse", return_value=collective),
      patch(exports, "newest", return_value=newest),
    ):
      for split, samples, version in (("validation", 5, 5), ("test", 3, 5), ("test", 7, 4)):
        evaluation.write(folder, [self._evaluation(split, samples, version)])
        for _ in range(2):
          found = self.compared.evaluate(_START, 0)
          self.assertEqual([(e.split, e.num_samples) for e in found], [("test", 7)])
          self.assertEqual(found[0].versions, {"depth": 5})
    self.assertLen(made, 3)

  def _evaluation(self, split, num_samples, version=5):
    return evaluation.Evaluation("rooms", split, {"depth": version}, num_samples, {})


if __name__ == "__main__":
  absltest.main()
