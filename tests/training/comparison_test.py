"""Comparisons of settings: what each run is told."""

import os

from absl.testing import absltest

from tf_taskology.training import comparison, launcher

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


if __name__ == "__main__":
  absltest.main()
