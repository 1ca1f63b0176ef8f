"""Tests of datasets/video/check.py and inspection.py."""

import glob
import os

import numpy as np
from absl.testing import absltest

from tests.datasets.video import fixtures
from tf_taskology.datasets import rgbd_findings
from tf_taskology.datasets.video import camvid, check, frames_folder, kitti_odometry, kitti_raw


class CheckTest(absltest.TestCase):
  def folder(self):
    return self.create_tempdir().full_path

  def texts(self, report, severity):
    return [finding.text for finding in report.findings if finding.severity == severity]

  def test_good_data(self):
    report = check.check(kitti_raw.KittiRaw(fixtures.kitti_raw(self.folder())))
    self.assertFalse(report.findings, report)
    summary = dict(report.summary)
    self.assertEqual(summary["clips"], "1, of 6 to 6 frames, 6 in all")
    self.assertEqual(summary["images"], "40x24")
    self.assertStartsWith(summary["depth"], "6 frames; 100.0% of pixels, median 10.5 m")
    self.assertStartsWith(summary["poses"], "median step 1.0")

  def test_shares_of_classes(self):
    report = check.check(camvid.CamVid(fixtures.camvid(self.folder())))
    self.assertIn("car 5.0%", dict(report.summary)["segmentation"])
    self.assertIn("without a label 45.0%", dict(report.summary)["segmentation"])
    notes = self.texts(report, rgbd_findings.NOTE)
    self.assertTrue(any("no intrinsics" in text for text in notes), notes)

  def test_bad_images(self):
    folder = fixtures.frames_folder(self.folder())
    fixtures.save(os.path.join(folder, "3.png"), fixtures.image(3, (12, 20)))
    with open(os.path.join(folder, "5.png"), "wb") as file:
      file.write(b"no image")
    errors = "\n".join(
      self.texts(check.check(frames_folder.FramesFolder(folder)), rgbd_findings.ERROR)
    )
    self.assertIn("2 bad file(s) of image", errors)
    self.assertRegex(errors, "3.png': is 20x12")
    self.assertRegex(errors, "Cannot read image '.*5.png'")

  def test_some_still_or_black_images_are_a_warning(self):
    folder = fixtures.frames_folder(self.folder())
    for index in (6, 7, 8):
      fixtures.save(os.path.join(folder, f"{index}.png"), fixtures.image(5))
    fixtures.save(os.path.join(folder, "0.png"), np.zeros_like(fixtures.image(0)))
    report = check.check(frames_folder.FramesFolder(folder))
    self.assertFalse(report.has_errors)
    warnings = "\n".join(self.texts(report, rgbd_findings.WARNING))
    self.assertRegex(warnings, r"single colour \(black\?\) in clips: .* \(1 of 9 opened\)")
    self.assertRegex(warnings, r"\(no motion\) in clips: .* \(3 of 8 opened\)")

  def test_one_image(self):
    report = check.check(frames_folder.FramesFolder(fixtures.frames_folder(self.folder(), 1)))
    self.assertRegex(self.texts(report, rgbd_findings.WARNING)[0], "this is no video")

  def test_intrinsics_for_another_resolution(self):
    folder = fixtures.frames_folder(self.folder())
    fixtures.save_text(os.path.join(folder, "intrinsics.txt"), "60 62 39 25")
    errors = self.texts(check.check(frames_folder.FramesFolder(folder)), rgbd_findings.ERROR)
    self.assertRegex(errors[0], "intrinsics.txt.*look like those of images of about 78x50")

  def test_poses(self):
    folder = fixtures.kitti_odometry(self.folder())
    path = os.path.join(folder, "poses", "06.txt")
    good = np.loadtxt(path)
    for column, value, message in ((0, 3.0, "not rigid"), (11, 90.0, "jumps .farthest")):
      poses = good.copy()
      poses[3, column] = value
      np.savetxt(path, poses)
      texts = [f.text for f in check.check(kitti_odometry.KittiOdometry(folder)).findings]
      self.assertRegex("\n".join(texts), message)

  def test_a_missing_pose_is_named(self):
    folder = fixtures.kitti_raw(self.folder())
    os.remove(glob.glob(os.path.join(folder, "*", "*", "oxts", "data", "*3.txt"))[0])
    warnings = self.texts(check.check(kitti_raw.KittiRaw(folder)), rgbd_findings.WARNING)
    self.assertRegex(warnings[0], r"no poses are given.*\(1 of 6\): data/0000000003.png")

  def test_depth_in_other_units(self):
    folder = fixtures.kitti_raw(self.folder())
    scans = os.path.join(
      folder, "2011_09_26", "2011_09_26_drive_0001_sync", "velodyne_points", "data"
    )
    for name in os.listdir(scans):
      fixtures.scan(os.path.join(scans, name), fixtures.wall(8000.0))
    report = check.check(kitti_raw.KittiRaw(folder))
    self.assertRegex(self.texts(report, rgbd_findings.WARNING)[0], "median depth is 8e.03 m")

  def test_a_folder_of_something_else(self):
    report = check.check(frames_folder.FramesFolder(self.folder()))
    self.assertRegex(self.texts(report, rgbd_findings.ERROR)[0], "has no images")


if __name__ == "__main__":
  absltest.main()
