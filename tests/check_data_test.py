"""Tests of check_data.py."""

import contextlib
import io
import os

from absl import app
from absl.testing import absltest, flagsaver

from tests.datasets import rgbd_fixtures
from tests.datasets.video import fixtures
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

  def test_video_is_looked_over_too(self):
    video = fixtures.kitti_odometry(self.create_tempdir().full_path)
    with flagsaver.flagsaver(path=[video], argument=["camera=2"], frame_step=2, max_images=4):
      code, text = _run()
    self.assertEqual(code, 0, text)
    self.assertIn("median 10.5 m", text)
    with flagsaver.flagsaver(path=[video], argument=["camera=0"]):
      code, text = _run()
    self.assertEqual(code, 1)
    self.assertIn("no images in image_0", text)

  def test_options_of_another_layout_are_a_usage_error(self):
    with (
      flagsaver.flagsaver(path=[self.folder], argument=["camera=2"]),
      self.assertRaisesRegex(app.UsageError, "RGB-D layout 'plain'"),
    ):
      _run()

  def test_no_folder_is_a_usage_error(self):
    with self.assertRaisesRegex(app.UsageError, "--path"):
      _run()


if __name__ == "__main__":
  absltest.main()
