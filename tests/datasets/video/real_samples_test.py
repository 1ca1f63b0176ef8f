"""What the readers make of real samples, where TASKOLOGY_SAMPLES names a folder that has them."""

import os

import numpy as np
import tensorflow as tf

from tf_taskology.datasets.video import (
  camvid,
  coco_panoptic,
  kitti_odometry,
  kitti_raw,
  video_source,
  waymo,
)
from tf_taskology.tasks import road_classes

_ALL = {"train": (0.0, 1.0)}
_IDS = road_classes.IDS


def _warped_error(sample, depth, poses, step=1):
  """Mean difference of frame 0 from frame `step`, looked up where depth and poses say; pixels with depth only."""
  camera = sample["intrinsics"][0].astype(np.float64)
  rows, columns = np.nonzero(depth > 0)
  rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera).T
  motion = np.linalg.inv(poses[step]) @ poses[0]
  points = rays * depth[rows, columns, np.newaxis] @ motion[:3, :3].T + motion[:3, 3]
  pixels = points @ camera.T
  x, y = (np.round(pixels[:, i] / pixels[:, 2]).astype(int) for i in (0, 1))
  height, width = depth.shape
  inside = (points[:, 2] > 0.1) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
  image = sample["image"].astype(np.float64)
  difference = image[step][y[inside], x[inside]] - image[0][rows[inside], columns[inside]]
  return np.abs(difference).mean()


def _road_depth(sample, camera_height):
  """Depth of a level road in the middle of the lower part of the image, up to 25 m."""
  camera, (height, width) = sample["intrinsics"][0], sample["image"].shape[1:3]
  rows = (np.arange(height) - camera[1, 2]) / camera[1, 1]
  depth = np.divide(camera_height, rows, out=np.zeros(height), where=rows > camera_height / 25)
  depth = np.tile(depth[:, np.newaxis], width)
  depth[: int(0.58 * height)] = 0
  depth[:, : int(0.35 * width)] = depth[:, int(0.65 * width) :] = 0
  return depth


class RealSamplesTest(tf.test.TestCase):
  def folder(self, name):
    samples = os.environ.get("TASKOLOGY_SAMPLES")
    if not samples or not os.path.isdir(os.path.join(samples, name)):
      self.skipTest(f"TASKOLOGY_SAMPLES does not name a folder with {name} in it")
    return os.path.join(samples, name)

  def samples(self, data, **arguments):
    source = video_source.VideoSource(data, **arguments)
    source.prepare()
    return list(source.dataset("train").as_numpy_iterator())

  def kitti(self, depth):
    return kitti_raw.KittiRaw(
      self.folder("kitti_raw_2011_09_26"),
      depth=depth,
      pose_file="../../ego_poses_lidar_icp.txt",
    )

  def test_kitti_raw_scans_lie_where_the_depth_maps_have_them(self):
    scans, maps = (
      self.samples(self.kitti(depth), labels=("depth",), splits=_ALL, rescale_intrinsics=True)
      for depth in ("velodyne", "velodyne_raw")
    )
    self.assertLen(scans, 20)
    for scan, depth_map in zip(scans, maps, strict=False):
      self.assertEqual(scan["sample_id"], depth_map["sample_id"])
      first, second = (item["labels"]["depth"][0, ..., 0] for item in (scan, depth_map))
      # The maps were made with pixels rounded down: up to a pixel away is the same point.
      around = [np.roll(first, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
      same = np.any(np.abs(np.array(around) - second) < 0.01 * second, axis=0)
      self.assertGreater(same[second > 0].mean(), 0.97)

  def test_kitti_raw_poses_agree_with_the_markings_of_the_road(self):
    errors = []
    for sample in self.samples(
      self.kitti("velodyne"), labels=("depth",), num_frames=3, splits=_ALL, rescale_intrinsics=True
    )[:18]:
      depth, camera = sample["labels"]["depth"][0, ..., 0].copy(), sample["intrinsics"][0]
      rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]]
      down, right = (
        (rows - camera[1, 2]) / camera[1, 1] * depth,
        (columns - camera[0, 2]) / camera[0, 0] * depth,
      )
      # Sunlit road between the cars, which move along, and their shadows.
      road = (down > 1.5) & (down < 1.85) & (np.abs(right) < 2.6) & (depth < 16)
      depth[~road | (sample["image"][0].mean(-1) < 140)] = 0
      poses = sample["pose"].astype(np.float64)
      standing = np.stack([np.eye(4)] * 3)
      errors.append(
        [_warped_error(sample, depth, p, 2) for p in (poses, standing, np.linalg.inv(poses))]
      )
    right, standing, inverse = np.mean(errors, axis=0)
    self.assertLess(right, 0.85 * standing)
    self.assertLess(right, 0.6 * inverse)

  def test_kitti_odometry_poses_agree_with_the_road(self):
    data = kitti_odometry.KittiOdometry(self.folder("kitti_odometry_06"), camera=0)
    errors = []
    for sample in self.samples(data, num_frames=2, sample_step=4, splits=_ALL):
      depth, poses = _road_depth(sample, 1.65), sample["pose"].astype(np.float64)
      standing = np.stack([np.eye(4)] * 2)
      errors.append(
        [_warped_error(sample, depth, p) for p in (poses, standing, np.linalg.inv(poses))]
      )
    right, standing, inverse = np.mean(errors, axis=0)
    self.assertLess(right, 0.6 * standing)
    self.assertLess(right, 0.5 * inverse)

  def test_camvid_labels_follow_the_video(self):
    data = camvid.CamVid(self.folder("camvid"))
    source = video_source.VideoSource(
      data, (96, 128), num_frames=2, labels=("segmentation",), sample_step=10, assumed_field_of_view=50.0
    )  # fmt: skip
    source.prepare()
    for sample in source.dataset("validation").as_numpy_iterator():
      label = sample["labels"]["segmentation"][..., 0]
      rows = np.arange(96)[:, np.newaxis] * np.ones((96, 128))
      self.assertLess(rows[label[0] == _IDS["sky"]].mean(), rows[label[0] == _IDS["road"]].mean())
      self.assertGreater((label[0] == label[1]).mean(), 0.8)
      self.assertGreater((label[0] != road_classes.VOID).mean(), 0.9)

  def test_coco_shows_people_on_grass(self):
    subsets = {"train": ("panoptic_examples.json", "panoptic_examples", "input_images")}
    data = coco_panoptic.CocoPanoptic(self.folder("coco_panoptic_sample"), subsets)
    samples = self.samples(
      data, image_size=(160, 240), labels=("segmentation",), assumed_field_of_view=60.0
    )
    for sample in samples:
      label = sample["labels"]["segmentation"]
      for name in ("person", "vegetation", "terrain", "sky"):
        self.assertGreater((label == _IDS[name]).mean(), 0.01, name)

  def test_waymo_cameras_see_a_street(self):
    data = waymo.Waymo(self.folder("waymo_one_frame"), tuple(waymo.CAMERAS))
    samples = self.samples(data, image_size=(128, 192), labels=("segmentation",), splits=_ALL)
    self.assertLen(samples, 5)
    front = samples[0]["labels"]["segmentation"][0, ..., 0]
    self.assertGreater((front[96:] == _IDS["road"]).mean(), 0.8)
    self.assertGreater((front[:16] == _IDS["sky"]).mean(), 0.5)
    self.assertAllClose(samples[0]["pose"][0], np.eye(4), atol=1e-6)


if __name__ == "__main__":
  tf.test.main()
