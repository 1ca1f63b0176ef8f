"""Tests of datasets/point_clouds/waymo_v2.py, of files that the test writes: they need pyarrow."""

import importlib
import os
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import parquet, point_cloud_source, waymo_v2


def _arrow():
  try:
    importlib.import_module("pyarrow.parquet")
    return importlib.import_module("pyarrow"), ""
  except ImportError as error:
    return None, str(error)


_ARROW, _WHY_NOT = _arrow()
_IMAGE = "[LiDARComponent].range_image_return1"


class WaymoV2Test(parameterized.TestCase):
  def write(self, change=None):
    if _ARROW is None:
      self.skipTest(f"pyarrow cannot be imported here: {_WHY_NOT}")
    tables = fixtures.waymo_tables()
    if change is not None:
      change(tables)
    return fixtures.waymo_v2(self.create_tempdir().full_path, tables, _ARROW)

  def test_points_of_all_lasers_and_returns(self):
    data = waymo_v2.WaymoV2(self.write())
    (clip,) = data.clips()
    self.assertLen(clip.frames, 3)
    for index, sweep in enumerate(clip.frames):
      parts = [(1, 1), (1, 2), (2, 1)]
      truth = np.concatenate([fixtures.waymo_points(index, *part) for part in parts])
      np.testing.assert_allclose(data.read_points(clip, sweep), truth, atol=1e-3)
      np.testing.assert_allclose(sweep.pose, fixtures.car_pose(index), atol=1e-12)

  def test_a_choice_of_lasers_and_returns(self):
    folder = self.write()
    data = waymo_v2.WaymoV2(folder, lasers=("front",), returns=(1,))
    (clip,) = data.clips()
    np.testing.assert_allclose(
      data.read_points(clip, clip.frames[1]), fixtures.waymo_points(1, 2, 1), atol=1e-4
    )
    data = waymo_v2.WaymoV2(folder, lasers=("rear",))
    with self.assertRaisesRegex(ValueError, "frame 1100000 has no points of the lasers"):
      data.read_points(clip, clip.frames[1])

  def test_zones_without_labels_are_left_out(self):
    def change(tables):
      values = tables["lidar"][f"{_IMAGE}.values"][0]
      values[3::8] = [1.0] * len(values[3::8])

    folder = self.write(change)
    counts = []
    for kept in (False, True):
      data = waymo_v2.WaymoV2(folder, lasers=("top",), returns=(1,), no_label_zones=kept)
      (clip,) = data.clips()
      counts.append(len(data.read_points(clip, clip.frames[0])))
    seen = fixtures.waymo_ranges(0)[:, 1::2] > 0
    self.assertEqual(counts[0], np.sum(seen))
    self.assertEqual(counts[1], np.sum(fixtures.waymo_ranges(0) > 0))

  def test_boxes(self):
    data = waymo_v2.WaymoV2(self.write())
    (clip,) = data.clips()
    for index, sweep in enumerate(clip.frames):
      boxes = data.read_boxes(clip, sweep)
      np.testing.assert_allclose(
        boxes.boxes, [fixtures.box(track, index) for track in (0, 1)], atol=1e-12
      )
      self.assertEqual(list(boxes.names), ["vehicle", "pedestrian"])
      self.assertEqual(list(boxes.tracks), ["id0", "id1"])
      # The second box is LEVEL_2 by hand, whatever its points.
      np.testing.assert_array_equal(boxes.num_points, [7, 5])

  def test_samples(self):
    source = point_cloud_source.PointCloudSource(
      waymo_v2.WaymoV2(self.write()), num_frames=3, max_points=1000, max_boxes=2, splits={"train": (0.0, 1.0)}
    )  # fmt: skip
    source.prepare()
    (sample,) = source.dataset("train").as_numpy_iterator()
    truth = [fixtures.box(0, index, frame=0) for index in range(3)]
    np.testing.assert_allclose(sample["labels"]["boxes"][:, 0], truth, atol=1e-4)
    np.testing.assert_array_equal(sample["labels"]["classes"], [[1, 0]] * 3)
    np.testing.assert_array_equal(sample["labels"]["box_points"], [[7, 0]] * 3)

  @parameterized.named_parameters(
    ("shape", "lidar", f"{_IMAGE}.shape", [1, 2, 4], r"\[rows, columns, 4\] is expected. Received: shape \[1, 2, 4\]"),
    ("beams", "lidar_calibration", "[LiDARCalibrationComponent].beam_inclination.values", [0.0], "4 rows, but lidar_calibration has 1"),
    ("extrinsic", "lidar_calibration", "[LiDARCalibrationComponent].extrinsic.transform", [1.0] * 9, "laser 1, .*extrinsic.transform: 16 numbers"),
    ("size", "lidar_box", "[LiDARBoxComponent].box.size.y", 0.0, "frame 1000000, object 'id0': length, width and height must be > 0"),
    ("type", "lidar_box", "[LiDARBoxComponent].type", 9, "object 'id0', .*type: unknown class '9'"),
    ("pose", "vehicle_pose", "[VehiclePoseComponent].world_from_vehicle.transform", [0.0] * 16, "frame 1000000, .*rigid transform"),
  )  # fmt: skip
  def test_bad_values(self, component, column, value, message):
    def change(tables):
      tables[component][column][0] = value

    data = waymo_v2.WaymoV2(self.write(change))
    with self.assertRaisesRegex(ValueError, message):
      (clip,) = data.clips()
      data.read_points(clip, clip.frames[0])
      data.read_boxes(clip, clip.frames[0])

  def test_bad_files(self):
    folder = self.write(lambda tables: tables["lidar"].pop("key.laser_name"))
    data = waymo_v2.WaymoV2(folder)
    (clip,) = data.clips()
    with self.assertRaisesRegex(ValueError, r"lacks the columns \['key.laser_name'\]"):
      data.read_points(clip, clip.frames[0])
    fixtures.save_text(clip.frames[0].points, "no parquet")
    with self.assertRaisesRegex(ValueError, f"{fixtures.WAYMO_SEGMENT}.parquet"):
      data.read_points(clip, clip.frames[0])
    os.remove(os.path.join(folder, "vehicle_pose", f"{fixtures.WAYMO_SEGMENT}.parquet"))
    with self.assertRaisesRegex(ValueError, "vehicle_pose"):
      data.clips()
    with self.assertRaisesRegex(ValueError, "no lidar/<segment>.parquet"):
      waymo_v2.WaymoV2(self.create_tempdir().full_path).clips()

  def test_arguments(self):
    with self.assertRaisesRegex(ValueError, "lasers must be some of .*'roof'"):
      waymo_v2.WaymoV2("", lasers=("roof",))
    with self.assertRaisesRegex(ValueError, "returns must be some of 1, 2. Received: .3,"):
      waymo_v2.WaymoV2("", returns=(3,))

  def test_a_missing_package_is_named(self):
    without = {"pyarrow": None, "pyarrow.parquet": None}
    missing = self.assertRaisesRegex(ImportError, "need the package pyarrow")
    with mock.patch.dict("sys.modules", without), missing:
      parquet.read("file", ["column"])


if __name__ == "__main__":
  absltest.main()
