"""Tests of datasets/point_clouds/layouts.py."""

import os

from absl.testing import absltest, parameterized

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import layouts

_MAKERS = {
  "dgp": fixtures.dgp,
  "kitti_object": fixtures.kitti_object,
  "kitti_tracking": fixtures.kitti_tracking,
  "sweep_folder": fixtures.sweep_folder,
}


class LayoutsTest(parameterized.TestCase):
  @parameterized.parameters(*_MAKERS)
  def test_every_layout_is_told_and_made(self, name):
    folder = _MAKERS[name](self.create_tempdir().full_path)
    self.assertEqual(layouts.detect(folder), name)
    self.assertNotEmpty(layouts.make(name, folder).clips())
    if name.startswith("kitti"):
      self.assertEqual(layouts.detect(os.path.join(folder, "training")), name)

  def test_waymo_is_told_by_its_folders(self):
    folder = self.create_tempdir().full_path
    fixtures.save_text(os.path.join(folder, "training", "lidar", "segment.parquet"), "")
    self.assertEqual(layouts.detect(folder), "waymo_v2")
    self.assertEqual(layouts.detect(os.path.join(folder, "training")), "waymo_v2")

  def test_drives_in_folders_and_nothing(self):
    folder = self.create_tempdir().full_path
    self.assertIsNone(layouts.detect(folder))
    fixtures.sweep_folder(os.path.join(folder, "drive"))
    self.assertEqual(layouts.detect(folder), "sweep_folder")

  def test_arguments(self):
    folder = fixtures.sweep_folder(self.create_tempdir().full_path)
    data = layouts.make("sweep_folder", folder, ["sensor_height=1.5", "classes={'van': 1}"])
    self.assertEqual((data.sensor_height, data.classes), (1.5, {"van": 1}))
    with self.assertRaisesRegex(ValueError, "no argument 'height=1'.*'sensor_height'"):
      layouts.make("sweep_folder", folder, ["height=1"])


if __name__ == "__main__":
  absltest.main()
