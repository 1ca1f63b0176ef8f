"""Tests of check_data.py."""

import contextlib
import io
import os

from absl import app
from absl.testing import absltest, flagsaver

from tests.datasets import rgbd_fixtures
from tf_taskology import check_data


def _run():
  """(exit code, what was printed)."""
  output = io.StringIO()
  code = 0
  with contextlib.redirect_stdout(output):
    try:
      check_data.main(["check_data"])
    except SystemExit as exit_:
      code = exit_.code
  return code, output.getvalue()


class CheckDataTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = rgbd_fixtures.plain(self.create_tempdir().full_path, 60)

  def test_good_folder_ends_with_0(self):
    with flagsaver.flagsaver(path=[self.folder]):
      code, text = _run()
    self.assertEqual(code, 0)
    self.assertIn("plain", text)
    self.assertIn("Nothing to complain about.", text)

  def test_an_error_in_any_folder_ends_with_1(self):
    bad = rgbd_fixtures.plain(self.create_tempdir().full_path, 60)
    os.remove(os.path.join(bad, "intrinsics.txt"))
    with flagsaver.flagsaver(path=[self.folder, bad]):
      code, text = _run()
    self.assertEqual(code, 1)
    self.assertIn("errors (1)\n  - no intrinsics", text)

  def test_flags_reach_the_check(self):
    os.remove(os.path.join(self.folder, "intrinsics.txt"))
    with flagsaver.flagsaver(
      path=[self.folder], intrinsics=["30", "31", "15.5", "11.5"], depth_scale=1000.0
    ):
      code, text = _run()
    self.assertEqual(code, 0, text)

  def test_bad_intrinsics_are_a_usage_error(self):
    for value in (["1", "2"], ["a", "2", "3", "4"]):
      with (
        flagsaver.flagsaver(path=[self.folder], intrinsics=value),
        self.assertRaises(app.UsageError),
      ):
        _run()

  def test_no_folder_is_a_usage_error(self):
    with self.assertRaisesRegex(app.UsageError, "--path"):
      _run()


if __name__ == "__main__":
  absltest.main()
