"""Tests of datasets/rgbd_check.py and of its parts."""

import os
import re

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from tests.datasets import rgbd_fixtures
from tf_taskology.datasets import rgbd_check, rgbd_findings


class CheckTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = rgbd_fixtures.seven_scenes(self.create_tempdir().full_path, 60)

  def path(self, index, ending):
    return os.path.join(self.folder, f"frame-{index:06d}.{ending}")

  def assertFinds(self, severity, pattern, **arguments):
    report = rgbd_check.check(self.folder, **arguments)
    texts = [finding.text for finding in report.findings if finding.severity == severity]
    self.assertTrue(
      any(re.search(pattern, text) for text in texts), f"{pattern!r} not in:\n{report}"
    )
    self.assertEqual(report.has_errors, any(f.severity == "error" for f in report.findings))
    return report

  @parameterized.named_parameters((name, name) for name in rgbd_fixtures.LAYOUTS)
  def test_good_folder(self, layout):
    folder = rgbd_fixtures.LAYOUTS[layout](self.create_tempdir().full_path, 60)
    report = rgbd_check.check(folder)
    self.assertEmpty([f.text for f in report.findings if f.severity != rgbd_findings.NOTE])
    self.assertFalse(report.has_errors)
    summary = dict(report.summary)
    self.assertEqual(summary["frames"], "60")
    self.assertIn("60 valid, median step 20.0 mm", summary["poses"])
    self.assertIn("fx 30.0", str(report))

  def test_no_folder(self):
    self.folder = "/nowhere"
    self.assertTrue(self.assertFinds("error", "'/nowhere'").has_errors)

  def test_few_frames(self):
    self.folder = rgbd_fixtures.plain(self.create_tempdir().full_path, 5)
    self.assertFinds("warning", "only 5 frames")

  def test_truncated_jpeg(self):
    os.remove(self.path(3, "color.png"))
    path = self.path(3, "color.jpg")
    Image.fromarray(rgbd_fixtures.color(3)).save(path)
    with open(path, "r+b") as file:
      file.truncate(os.path.getsize(path) // 2)
    self.assertFinds("error", "colour image cannot be read .*frame-000003.color.jpg")

  def test_truncated_depth(self):
    with open(self.path(7, "depth.png"), "r+b") as file:
      file.truncate(150)
    self.assertFinds("error", "depth image cannot be read .*frame-000007.depth.png")

  def test_size_differs(self):
    rgbd_fixtures.save(self.path(4, "color.png"), rgbd_fixtures.color(4, (20, 32)))
    self.assertFinds("error", r"colour images that are not 32x24 .*\(1 of 60\): .*frame-000004")

  def test_repeated_and_blank_images(self):
    rgbd_fixtures.save(self.path(5, "color.png"), rgbd_fixtures.color(4))
    rgbd_fixtures.save(self.path(6, "color.png"), np.zeros((24, 32, 3), np.uint8))
    self.assertFinds("warning", r"repeat an earlier one exactly \(1 of 60\): .*frame-000005")
    self.assertFinds("warning", r"of a single colour \(1 of 60\): .*frame-000006")

  def test_eight_bit_depth(self):
    rgbd_fixtures.save(self.path(0, "depth.png"), np.zeros(rgbd_fixtures.SIZE, np.uint8))
    self.assertFinds("error", "one channel with 16 bits .*frame-000000.depth")

  @parameterized.parameters(
    (
      1.0,
      "error",
      "is 2090 m at depth_scale 1; 1000 units a metre .millimetres. would make it 2.09",
    ),
    (10000.0, "warning", "is 0.209.* m at depth_scale 10000; .*millimetres. would make it 2.09"),
  )
  def test_units(self, given, severity, pattern):
    self.assertFinds(severity, pattern, depth_scale=given)

  def test_missing_depth(self):
    os.remove(self.path(2, "depth.png"))
    for index in range(3, 50):
      pixels = np.zeros(rgbd_fixtures.SIZE, np.uint16)
      rgbd_fixtures.save(self.path(index, "depth.png"), pixels)
    self.assertFinds("warning", r"colour images without depth \(1 of 60\): .*frame-000002.color")
    self.assertFinds("warning", r"without one measurement \(47 of 59\)")
    self.assertFinds("warning", "80% of depth is missing")

  def test_orphans(self):
    os.remove(self.path(2, "color.png"))
    self.assertFinds("warning", "belong to no colour image .*frame-000002.depth.png")

  def test_no_intrinsics(self):
    os.remove(os.path.join(self.folder, "camera-intrinsics.txt"))
    self.assertFinds("error", "no intrinsics: looked for .*camera-intrinsics.txt")

  @parameterized.parameters(
    ("error", (60, 62, 32, 23), "principal point .* outside .* about 64x46"),
    ("warning", (60, 62, 8, 11.5), "far from the middle of .* about 16x23"),
    ("error", (300, 310, 15.5, 11.5), "field of view of 6.1 degrees"),
    ("warning", (30, 45, 15.5, 11.5), "fx 30.0 and fy 45.0 .*more than a tenth"),
    ("error", (0, 0, 0, 0), "are no camera's"),
  )
  def test_intrinsics(self, severity, values, pattern):
    self.assertFinds(severity, pattern, intrinsics=values)

  def test_invalid_poses(self):
    rgbd_fixtures.save_text(self.path(1, "pose.txt"), np.full((4, 4), np.nan))
    rgbd_fixtures.save_text(self.path(2, "pose.txt"), np.diag([2.0, 2.0, 2.0, 1.0]))
    os.remove(self.path(3, "pose.txt"))
    self.assertFinds("warning", r"NaN, infinite or unreadable.*\(1 of 60\): .*frame-000001")
    self.assertFinds("error", r"not rigid .*\(1 of 60\): .*frame-000002")
    self.assertFinds("warning", r"without a pose \(1 of 60\): .*frame-000003")

  def test_jump(self):
    jumped = rgbd_fixtures.pose(30)
    jumped[1, 3] = 3.0
    rgbd_fixtures.save_text(self.path(30, "pose.txt"), jumped)
    self.assertFinds("warning", r"jumps \(farthest 3.00 m\) before \(2 of 60\): .*frame-000030")

  def test_inverted_poses(self):
    for index in range(60):
      pose = rgbd_fixtures.pose(5 * index)
      rgbd_fixtures.save_text(self.path(index, "pose.txt"), np.linalg.inv(pose))
      rgbd_fixtures.save_depth(self.path(index, "depth.png"), rgbd_fixtures.depth(5 * index))
    self.assertFinds("error", "world-to-camera")

  def test_poses_in_another_unit(self):
    for index in range(60):
      pose = rgbd_fixtures.pose(index)
      pose[:3, 3] *= 4
      rgbd_fixtures.save_text(self.path(index, "pose.txt"), pose)
    self.assertFinds("warning", "poses, depth units or intrinsics disagree")

  def test_sizes_of_other_shape(self):
    for index in range(60):
      rgbd_fixtures.save_depth(self.path(index, "depth.png"), rgbd_fixtures.depth(index)[:16])
    self.assertFinds("warning", "colour is 32x24, depth 32x16: the aspect ratios differ")

  def test_times(self):
    self.folder = rgbd_fixtures.tum(self.create_tempdir().full_path, 60)
    path = os.path.join(self.folder, "rgb.txt")
    with open(path, encoding="utf-8") as file:
      lines = file.read().splitlines()
    lines[5] = lines[4].split()[0] + " " + lines[5].split()[1]
    with open(path, "w", encoding="utf-8") as file:
      file.write("\n".join(lines[:40] + lines[41:]))
    self.assertFinds("error", "times that do not increase")

  def test_at_most_so_many_images_are_opened(self):
    report = rgbd_check.check(self.folder, max_images=7)
    self.assertEqual(dict(report.summary)["frames"], "60 (7 opened)")

  def test_real_recording(self):
    samples = os.environ.get("TASKOLOGY_SAMPLES")
    if not samples:
      self.skipTest("TASKOLOGY_SAMPLES does not name a folder with rgbd_7scenes in it")
    report = rgbd_check.check(os.path.join(samples, "rgbd_7scenes"))
    self.assertEmpty(report.findings)


if __name__ == "__main__":
  absltest.main()
