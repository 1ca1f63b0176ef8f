"""The text and LiDAR files of KITTI.

Source: Geiger et al., "Vision meets Robotics: The KITTI Dataset" (IJRR 2013), equations 1-8, and its development kits.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_files

_EARTH_RADIUS = 6378137.0  # metres, as in the raw development kit
_POINT_BYTES = 16  # float32 x, y, z, reflectance
_OXTS_FIELDS = ("lat", "lon", "alt", "roll", "pitch", "yaw")


def read_calibration(path: str) -> dict[str, np.ndarray]:
  """Field -> numbers of a calibration file; fields that are no numbers (times) are left out.

  Raises:
    ValueError: the file does not exist.
  """
  if not os.path.exists(path):
    raise ValueError(f"KITTI: the calibration file {path!r} is missing.")
  fields = {}
  for line in rgbd_files.read_text(path).splitlines():
    # The tracking benchmark leaves some colons out.
    key, _, values = line.strip().partition(":" if ":" in line else " ")
    try:
      fields[key.strip()] = np.array([float(word) for word in values.split()])
    except ValueError:  # calib_time and corner_dist of some devices are text
      continue
  return fields


def field(fields: Mapping[str, np.ndarray], name: str, shape: Sequence[int], path: str):
  """A field as an array of `shape`; ValueError if it is missing or has another number of values."""
  if name not in fields:
    raise ValueError(f"KITTI: {path!r} has no field {name}. It has: {', '.join(fields)}.")
  if fields[name].size != np.prod(shape):
    raise ValueError(
      f"KITTI: field {name} of {path!r} must hold {np.prod(shape)} numbers. Received: {fields[name].size}."
    )
  return fields[name].reshape(shape)


def transform(rotation: np.ndarray, translation: Sequence[float] = (0, 0, 0)) -> np.ndarray:
  """[4, 4] from [3, 3] and [3]."""
  result = np.eye(4)
  result[:3, :3], result[:3, 3] = rotation, np.ravel(translation)
  return result


def split_projection(projection: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Intrinsics and place of a rectified camera.

  Args:
    projection: [3, 4], pixels; K [I | t].

  Returns:
    [3, 3] intrinsics, and [4, 4] from the axes of camera 0 (rectified) to those of the camera.
  """
  intrinsics = projection[:, :3].copy()
  return intrinsics, transform(np.eye(3), np.linalg.solve(intrinsics, projection[:, 3]))


def read_poses(path: str, count: int, what: str = "images") -> list[np.ndarray]:
  """[4, 4] to world of each line of 12 numbers; ValueError unless there are as many as `what`, `count`."""
  poses = _poses(path)
  if len(poses) != count:
    raise ValueError(f"{path!r} has {len(poses)} poses, but there are {count} {what} beside it.")
  return poses


def read_poses_of(path: str, names: Sequence[str]) -> list[np.ndarray]:
  """As `read_poses`, of images that are named by their numbers and may be a part of the drive.

  Args:
    path: of the file, with a line for each image, or one for each from number 0 on, of which some images are missing.
    names: of the images.
  """
  poses = _poses(path)
  if len(poses) == len(names):
    return poses
  if not all(name.isdecimal() and int(name) < len(poses) for name in names):
    raise ValueError(
      f"{path!r} has {len(poses)} poses, but there are {len(names)} images, of {names[0]!r} to {names[-1]!r}: a line for "
      "each, or one for each number from 0 on, is expected."
    )
  logging.warning(
    "%r has %d poses for %d images: taken by their numbers", path, len(poses), len(names)
  )
  return [poses[int(name)] for name in names]


def _poses(path):
  poses = []
  lines = [line for line in rgbd_files.read_text(path).splitlines() if line.strip()]
  for number, line in enumerate(lines, 1):
    try:
      values = np.array([float(word) for word in line.split()])
    except ValueError as error:
      raise ValueError(f"{path!r}, line {number}: {error}.") from error
    if values.size != 12:
      raise ValueError(
        f"{path!r}, line {number}: a pose is 12 numbers (3x4, row by row). Received: {values.size}."
      )
    poses.append(np.vstack([values.reshape(3, 4), (0.0, 0.0, 0.0, 1.0)]))
  return poses


def oxts_pose(path: str, origin_latitude: float) -> np.ndarray:
  """`packet_pose` of a file of oxts/data."""
  return packet_pose(read_oxts(path), origin_latitude)


def packet_pose(packet: Sequence[float], origin_latitude: float) -> np.ndarray:
  """[4, 4] IMU to world (x east, y north, z up; metres, Mercator).

  Args:
    packet: latitude, longitude (degrees), altitude, roll, pitch, yaw (radians).
    origin_latitude: degrees; that of the first packet sets the scale of the projection.
  """
  latitude, longitude, altitude, *angles = packet
  scale = np.cos(np.radians(origin_latitude))
  x = scale * _EARTH_RADIUS * np.radians(longitude)
  y = scale * _EARTH_RADIUS * np.log(np.tan(np.pi / 4 + np.radians(latitude) / 2))
  (cr, cp, cy), (sr, sp, sy) = np.cos(angles), np.sin(angles)
  about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
  about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
  about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
  return transform(about_z @ about_y @ about_x, (x, y, altitude))


def read_oxts(path: str) -> np.ndarray:
  """The first 6 numbers of a packet, see `oxts_pose`."""
  return parse_oxts(rgbd_files.read_text(path), path)


def parse_oxts(text: str, path: str) -> np.ndarray:
  """The first 6 numbers of a packet that is text; ValueError that names `path`."""
  words = text.split()
  try:
    values = np.array([float(word) for word in words[: len(_OXTS_FIELDS)]])
  except ValueError as error:
    raise ValueError(
      f"KITTI: {path!r} must begin with the numbers {_OXTS_FIELDS}: {error}."
    ) from error
  if values.size < len(_OXTS_FIELDS) or not np.all(np.isfinite(values)):
    raise ValueError(f"KITTI: {path!r} must begin with {_OXTS_FIELDS}. Received: {words[:6]}.")
  return values


def read_scan(path: str) -> np.ndarray:
  """[n, 3] float64 points of a LiDAR scan, metres, in its axes (x forward, y left, z up).

  Raises:
    ValueError: the file is missing or no whole number of points.
  """
  try:
    size = os.path.getsize(path)
    data = np.fromfile(path, np.float32)
  except OSError as error:
    raise ValueError(f"Cannot read LiDAR scan {path!r}: {error}.") from error
  if size == 0 or size % _POINT_BYTES:
    raise ValueError(
      f"LiDAR scan {path!r} has {size} bytes; expected some points of {_POINT_BYTES} bytes (float32 x y z reflectance)."
    )
  return data.reshape(-1, 4)[:, :3].astype(np.float64)
