"""Tests of datasets/video/layouts.py."""

import os

from absl.testing import absltest, parameterized

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import layouts

_MAKERS = {
  "kitti_odometry": fixtures.kitti_odometry,
  "kitti_raw": fixtures.kitti_raw,
  "cityscapes": fixtures.cityscapes,
  "camvid": fixtures.camvid,
  "coco_panoptic": fixtures.coco,
  "waymo": fixtures.waymo,
  "frames": fixtures.frames_folder,
}


class LayoutsTest(parameterized.TestCase):
  @parameterized.parameters(*layouts.LAYOUTS)
  def test_every_layout_is_told_and_made(self, name):
    folder = _MAKERS[name](self.create_tempdir().full_path)
    self.assertEqual(layouts.detect(folder), name)
    self.assertNotEmpty(layouts.make(name, folder).clips())

  def test_a_file_and_an_empty_folder(self):
    folder = fixtures.waymo(self.create_tempdir().full_path)
    self.assertEqual(layouts.detect(os.path.join(folder, "segment-1.tfrecord")), "waymo")
    self.assertIsNone(layouts.detect(self.create_tempdir().full_path))

  def test_upper_case(self):
    folder = self.create_tempdir().full_path
    fixtures.save(os.path.join(folder, "clip", "IMG_1.JPG"), fixtures.image(0))
    self.assertEqual(layouts.detect(folder), "frames")

  def test_arguments(self):
    folder = fixtures.kitti_raw(self.create_tempdir().full_path)
    data = layouts.make("kitti_raw", folder, ["cameras=(3,)", "calibration=other.txt"])
    with self.assertRaisesRegex(ValueError, r"cameras \(3,\)"):
      data.clips()
    for argument in ("camera=2", "cameras"):
      with self.assertRaisesRegex(ValueError, f"no argument '{argument}'.*'pose_file'"):
        layouts.make("kitti_raw", folder, [argument])


if __name__ == "__main__":
  absltest.main()
