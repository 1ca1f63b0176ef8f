"""KITTI's tracking benchmark: sequences of LiDAR scans with boxes that keep their numbers, and poses of the car.

Source: Geiger et al., "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite" (CVPR 2012).
"""

import os
from collections.abc import Mapping

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.point_clouds import (
  kitti_labels,
  kitti_object,
  point_files,
  recordings,
)
from tf_taskology.datasets.video import footage, image_files, kitti_files

_IMAGE_SIZE = (375, 1242)


class KittiTracking(recordings.Recordings):
  """Sequences as they are unpacked, 10 scans a second; each is a clip, or several where scans are missing.

    training/velodyne/0000/000000.bin  calib/0000.txt  oxts/0000.txt  label_02/0000.txt  image_02/0000/000000.png

  Labels, oxts and images may be missing. As in `kitti_object`, boxes come in the LiDAR's axes and points outside of the
  image are left out by default. Labels are boxes, classes, tracks, box_points and difficulty.

  Args:
    path: folder that holds training/, or that folder itself (or testing/).
    field_of_view: leave out points that are not in the image.
    sensor_height: metres, see `recordings.Recordings.sensor_height`.
  """

  def __init__(
    self,
    path: str,
    field_of_view: bool = True,
    sensor_height: float = kitti_object.SENSOR_HEIGHT,
  ):
    self._path = rgbd_files.absolute(path)
    self._field_of_view = field_of_view
    self._sensor_height = sensor_height

  @property
  def classes(self) -> Mapping[str, int]:
    return kitti_labels.CLASSES

  @property
  def labels(self) -> tuple[str, ...]:
    return ("boxes", "classes", "tracks", "box_points", "difficulty")

  @property
  def sensor_height(self) -> float:
    return self._sensor_height

  def describe(self) -> str:
    return f"KITTI tracking {self._path}"

  def clips(self) -> list[recordings.Clip]:
    footage.require_folder(self._path, "KITTI tracking folder")
    inner = os.path.join(self._path, "training")
    folder = inner if os.path.isdir(inner) else self._path
    scans = os.path.join(folder, "velodyne")
    names = sorted(os.listdir(scans)) if os.path.isdir(scans) else []
    clips = [clip for name in names for clip in self._sequence(folder, name)]
    if not clips:
      raise ValueError(
        f"{self._path!r}: no scan {os.path.join(scans, '0000', '*.bin')!r}. The folder holds "
        f"{sorted(os.listdir(folder))[:10]}."
      )
    return clips

  def read_points(self, clip: recordings.Clip, sweep: recordings.Sweep) -> np.ndarray:
    points = point_files.read_binary(sweep.points)
    if not self._field_of_view:
      return points
    calibration = clip.extra
    fields = _calibration(calibration)
    image = sweep.extra
    kept = kitti_labels.in_view(
      points,
      kitti_labels.lidar_to_camera(fields, calibration),
      kitti_files.field(fields, "P2", (3, 4), calibration),
      _IMAGE_SIZE if image is None else image_files.size(image),
    )
    if not np.any(kept) and np.any(np.isfinite(points).all(axis=-1)):
      raise ValueError(
        f"Points {sweep.points!r}: none of {len(points)} is in the image by {calibration!r}; is it the calibration of "
        "this sequence?"
      )
    return points[kept] if np.any(kept) else points

  def read_boxes(self, clip: recordings.Clip, sweep: recordings.Sweep) -> recordings.Boxes:
    path, to_camera = sweep.files[recordings.BOXES], _to_camera(clip.extra)
    labels = _labels(path).get(int(sweep.name), [])
    return kitti_labels.boxes(labels, path, np.linalg.inv(to_camera))

  def problem(self, sweep: recordings.Sweep) -> str:
    return point_files.problem(sweep.points, columns=4)

  def _sequence(self, folder, name):
    scans = rgbd_files.list_files(os.path.join(folder, "velodyne", name), (point_files.BINARY,))
    if not scans:
      return []
    odd = [scan for scan in scans if not scan.isdigit()]
    if odd:
      raise ValueError(
        f"{os.path.join(folder, 'velodyne', name)!r}: names of scans must be numbers. Received: {odd[:5]}."
      )
    calibration = os.path.join(folder, "calib", f"{name}.txt")
    _to_camera(calibration)  # refuses a bad one before training
    labels = os.path.join(folder, "label_02", f"{name}.txt")
    images = rgbd_files.list_files(os.path.join(folder, "image_02", name), (".png", ".jpg"))
    numbers = [int(scan) for scan in scans]
    labelled = os.path.isfile(labels)
    if labelled:
      _say_what_is_beyond(_labels(labels), labels, scans, images)
    poses = self._poses(os.path.join(folder, "oxts", f"{name}.txt"), calibration, numbers)
    sweeps = [
      recordings.Sweep(
        scan,
        path,
        pose=pose,
        time=0.1 * int(scan),
        files={recordings.BOXES: labels} if labelled else {},
        extra=images.get(scan),
      )
      for (scan, path), pose in zip(scans.items(), poses, strict=True)
    ]
    return recordings.by_gaps(name, sweeps, numbers, calibration)

  def _poses(self, path, calibration, numbers):
    """LiDAR to world of each scan; the world is the LiDAR at the first."""
    if not os.path.isfile(path):
      return [None] * len(numbers)
    with open(path, encoding="utf-8") as file:
      lines = [line for line in file.read().splitlines() if line.strip()]
    if len(lines) <= max(numbers):
      raise ValueError(
        f"{path!r} has {len(lines)} packets, a line for each scan, but the last scan of its sequence is "
        f"{max(numbers):06d}."
      )
    packets = [
      kitti_files.parse_oxts(lines[number], f"{path}, line {number + 1}") for number in numbers
    ]
    from_imu = kitti_labels.imu_to_lidar(kitti_files.read_calibration(calibration), calibration)
    poses = [kitti_files.packet_pose(p, packets[0][0]) @ np.linalg.inv(from_imu) for p in packets]
    origin = np.linalg.inv(poses[0])
    return [origin @ pose for pose in poses]


def _say_what_is_beyond(labels, path, scans, images):
  """Labels of scans after the last: those of a part of a sequence, or another sequence's."""
  last = max(int(name) for name in [*scans, *images])
  beyond = [number for number in labels if number > last]
  if beyond:
    logging.warning(
      "%r has labels up to scan %06d, but the last scan of its sequence is %06d: those beyond are not used",
      path, max(beyond), last,
    )  # fmt: skip


@rgbd_files.cached
def _labels(path):
  return kitti_labels.read_tracks(path)


@rgbd_files.cached
def _calibration(path):
  return kitti_files.read_calibration(path)


def _to_camera(path):
  return kitti_labels.lidar_to_camera(_calibration(path), path)
