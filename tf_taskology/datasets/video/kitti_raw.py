"""KITTI raw recordings: drives with rectified images, LiDAR and GPS/IMU.

Source: Geiger et al., "Vision meets Robotics: The KITTI Dataset" (IJRR 2013).
"""

import os
from collections.abc import Sequence

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import footage, image_files, kitti_files

DEPTHS = ("velodyne", "velodyne_raw", "groundtruth")
_DEPTH_SCALE = 256.0  # stored units per metre of proj_depth


class KittiRaw(footage.Footage):
  """Drives as they are unpacked, each camera of each drive a clip "<drive>/image_0N".

    2011_09_26/calib_cam_to_cam.txt  calib_velo_to_cam.txt  calib_imu_to_velo.txt
    2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png  ...
                                          velodyne_points/data/0000000000.bin
                                          oxts/data/0000000000.txt
                                          proj_depth/{velodyne_raw,groundtruth}/image_02/0000000005.png

  LiDAR and oxts may be missing: then there is no depth, no pose. The world of a clip is its first camera.

  Args:
    path: folder of dates, folder of a date, or folder of a drive.
    cameras: numbers of the cameras: 2 and 3 are the colour ones, left and right.
    calibration: name of the file of the cameras, in the folder of the date.
    depth: where the label depth is from: "velodyne" projects the scans, "velodyne_raw" and "groundtruth" read the maps
      of the depth benchmark (uint16, metres * 256).
    pose_file: a file of 12 numbers a line, one line a frame, camera to world, instead of oxts; relative to the drive.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    path: str,
    cameras: Sequence[int] = (2,),
    calibration: str = "calib_cam_to_cam.txt",
    depth: str = "velodyne",
    pose_file: str | None = None,
  ):
    if isinstance(cameras, int | str) or not cameras or not set(cameras) <= {0, 1, 2, 3}:
      raise ValueError(
        f"KittiRaw.cameras must be some of 0, 1, 2, 3, e.g. (2,). Received: {cameras!r}."
      )
    if depth not in DEPTHS:
      raise ValueError(f"KittiRaw.depth must be one of {DEPTHS}. Received: {depth!r}.")
    self._path = rgbd_files.absolute(path)
    self._cameras = tuple(cameras)
    self._calibration = calibration
    self._depth = depth
    self._pose_file = pose_file

  @property
  def labels(self) -> tuple[str, ...]:
    return ("depth",)

  def describe(self) -> str:
    return f"KITTI raw {self._path}"

  def clips(self) -> list[footage.Clip]:
    footage.require_folder(self._path, "KITTI raw folder")
    drives = _rectified(_drives(self._path))
    if not drives:
      raise ValueError(
        f"{self._path!r} holds no drive of KITTI raw: <date>/<date>_drive_<number>_sync/image_02/data/*.png is expected. "
        f"It holds {sorted(os.listdir(self._path))[:10]}."
      )
    clips, without = [], []
    for drive in drives:
      for camera in self._cameras:
        found = self._read(drive, camera)
        clips += found
        without += [] if found else [f"{os.path.basename(drive)}/image_{camera:02d}"]
    if clips and without:
      logging.warning("%s: there are no images in %s", self.describe(), ", ".join(without))
    if not clips:
      raise ValueError(
        f"{self._path!r}: the drives have no images in image_0N/data of the cameras {self._cameras}; "
        f"{drives[0]!r} holds {sorted(os.listdir(drives[0]))[:10]}."
      )
    return clips

  def read_label(self, name, clip, frame, view):
    path = frame.files[name]
    if self._depth == "velodyne":
      points = kitti_files.read_scan(path)
      to_camera = clip.extra
      return view.project(points @ to_camera[:3, :3].T + to_camera[:3, 3])
    return read_depth_map(path, view)

  def _read(self, drive, camera):
    folder = os.path.join(drive, f"image_{camera:02d}", "data")
    images = rgbd_files.list_files(folder, rgbd_files.IMAGE_ENDINGS)
    if not images:
      return []
    date = os.path.dirname(drive)
    file = os.path.join(date, self._calibration)
    fields = kitti_files.read_calibration(file)
    projection = kitti_files.field(fields, f"P_rect_{camera:02d}", (3, 4), file)
    width, height = kitti_files.field(fields, f"S_rect_{camera:02d}", (2,), file).astype(int)
    intrinsics, from_first = kitti_files.split_projection(projection)
    depths = self._depth_files(drive, camera)
    to_camera = None
    if self._depth == "velodyne" and depths:
      to_camera = from_first @ _lidar_to_first(date, fields, file)
    poses = self._poses(drive, date, fields, file, images, from_first)
    frames = [
      footage.Frame(name, path, pose, {"depth": depths[name]} if name in depths else {})
      for (name, path), pose in zip(images.items(), poses, strict=True)
    ]
    name = f"{os.path.basename(drive)}/image_{camera:02d}"
    return [
      footage.Clip(
        clip.name,
        clip.frames,
        intrinsics,
        f"P_rect_{camera:02d} of {file!r}",
        (int(height), int(width)),
        extra=to_camera,
      )
      for clip in footage.cut_at_gaps(name, frames, _numbers(images))
    ]

  def _depth_files(self, drive, camera):
    if self._depth == "velodyne":
      return rgbd_files.list_files(os.path.join(drive, "velodyne_points", "data"), (".bin",))
    maps = os.path.join(drive, "proj_depth", self._depth, f"image_{camera:02d}")
    return rgbd_files.list_files(maps, (".png",))

  def _poses(self, drive, date, fields, file, images, from_first):
    """Camera to world of each image, or None for each."""
    if self._pose_file is not None:
      return kitti_files.read_poses_of(os.path.join(drive, self._pose_file), list(images))
    packets = rgbd_files.list_files(os.path.join(drive, "oxts", "data"), (".txt",))
    if not packets:
      return [None] * len(images)
    from_imu = from_first @ _lidar_to_first(date, fields, file) @ _imu_to_lidar(date)
    latitude = kitti_files.read_oxts(next(iter(packets.values())))[0]
    poses = [
      kitti_files.oxts_pose(packets[name], latitude) @ np.linalg.inv(from_imu)
      if name in packets
      else None
      for name in images
    ]
    # Mercator metres are millions: only differences keep their precision in float32.
    origin = next((pose for pose in poses if pose is not None), np.eye(4))
    return [None if pose is None else np.linalg.inv(origin) @ pose for pose in poses]


def read_depth_map(path: str, view) -> np.ndarray:
  """A sparse depth map of KITTI (uint16, metres * 256, 0 = missing) as the sample shows it: [*size, 1] float32.

  Raises:
    ValueError: it cannot be read, is not of 16 bits, or not of the size of its frame.
  """
  stored = image_files.read(path)
  if stored.ndim != 2 or stored.dtype.itemsize < 2:
    raise ValueError(
      f"Depth map {path!r} must have one channel of 16 bits. Received: {stored.dtype} of shape {stored.shape}."
    )
  view.sample(stored, path)
  rows, columns = np.nonzero(stored)
  return view.scatter_depth(columns, rows, stored[rows, columns] / _DEPTH_SCALE)


def _drives(path):
  """Folders with images of a camera: the path itself, those in it, those in these."""
  found, level = [], [path]
  for _ in range(3):
    found += [f for f in level if any(name.startswith("image_0") for name in os.listdir(f))]
    level = [
      os.path.join(folder, name)
      for folder in level
      if folder not in found
      for name in rgbd_files.list_folders(folder)
    ]
  return found


def _rectified(drives):
  """Drives without those of the downloads "unsynced+unrectified", to which no calibration here belongs."""
  raw = [drive for drive in drives if drive.endswith("_extract")]
  if raw and len(raw) == len(drives):
    raise ValueError(
      f"{raw[0]!r} is a drive as recorded, neither synchronised nor rectified; that of the download "
      '"synced+rectified data" (..._sync) is expected.'
    )
  if raw:
    logging.warning(
      "KITTI raw: %d drives are neither synchronised nor rectified and left out, e.g. %r", len(raw), raw[0]
    )  # fmt: skip
  return [drive for drive in drives if drive not in raw]


def _numbers(images):
  if all(name.isdigit() for name in images):
    return [int(name) for name in images]
  return range(len(images))


def _lidar_to_first(date, fields, file):
  """[4, 4] from the axes of the LiDAR to those of camera 0, rectified."""
  path = os.path.join(date, "calib_velo_to_cam.txt")
  rectify = kitti_files.field(fields, "R_rect_00", (3, 3), file)
  return kitti_files.transform(rectify) @ _rigid(path)


def _imu_to_lidar(date):
  return _rigid(os.path.join(date, "calib_imu_to_velo.txt"))


def _rigid(path):
  fields = kitti_files.read_calibration(path)
  rotation = kitti_files.field(fields, "R", (3, 3), path)
  return kitti_files.transform(rotation, kitti_files.field(fields, "T", (3,), path))
