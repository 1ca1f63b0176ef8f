"""KITTI's 3D object benchmark: single LiDAR scans with boxes of what the front camera sees.

Source: Geiger et al., "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite" (CVPR 2012).
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.point_clouds import kitti_labels, point_files, recordings
from tf_taskology.datasets.video import footage, image_files, kitti_files

SENSOR_HEIGHT = 1.73  # metres, of the LiDAR on KITTI's car
_IMAGE_SIZE = (375, 1242)  # of most images, where there is none to look at
_ALL = "training"  # name of the one clip where no lists divide the scans


class KittiObject(recordings.Recordings):
  """Scans as they are unpacked; the files of a scan have its number.

    training/velodyne/000000.bin  calib/000000.txt  label_2/000000.txt  image_2/000000.png

  Labels may be missing, and images: without one, it is taken to have the usual size of 1242x375. Boxes come in the
  LiDAR's axes. They are those of objects in the image, so by default the points outside of it are left out: vehicles
  behind have no box, and would be taken for background. Scans are not consecutive. Labels are boxes, classes,
  box_points, difficulty (1 easy, 2 moderate, 3 hard, 4 harder).

  Args:
    path: folder that holds training/, or that folder itself (or testing/).
    scans: name of the folder of scans; "velodyne_reduced" is what some tools call those cut to the image.
    lists: split -> file with a number of a scan a line, e.g. {"train": "ImageSets/train.txt"}, relative to `path`; each
      is a clip and a split. None: one clip, "training", divided by shares.
    field_of_view: leave out points that are not in the image.
    sensor_height: metres, see `recordings.Recordings.sensor_height`.
  """

  def __init__(
    self,
    path: str,
    scans: str = "velodyne",
    lists: Mapping[str, str] | None = None,
    field_of_view: bool = True,
    sensor_height: float = SENSOR_HEIGHT,
  ):
    self._path = rgbd_files.absolute(path)
    self._scans = scans
    self._lists = None if lists is None else dict(lists)
    self._field_of_view = field_of_view
    self._sensor_height = sensor_height

  @property
  def classes(self) -> Mapping[str, int]:
    return kitti_labels.CLASSES

  @property
  def labels(self) -> tuple[str, ...]:
    return ("boxes", "classes", "box_points", "difficulty")

  @property
  def consecutive(self) -> bool:
    return False

  @property
  def sensor_height(self) -> float:
    return self._sensor_height

  @property
  def splits(self) -> Mapping[str, Sequence]:
    return footage.SHARES if self._lists is None else {name: (name,) for name in self._lists}

  def describe(self) -> str:
    return f"KITTI object {self._path}"

  def clips(self) -> list[recordings.Clip]:
    footage.require_folder(self._path, "KITTI object folder")
    folder = self._folder()
    scans = rgbd_files.list_files(os.path.join(folder, self._scans), (point_files.BINARY,))
    if not scans:
      raise ValueError(
        f"{self._path!r}: no scan {os.path.join(folder, self._scans, '*.bin')!r}. The folder holds "
        f"{sorted(os.listdir(folder))[:10]}."
      )
    files = {
      name: rgbd_files.list_files(os.path.join(folder, name), (".txt", ".png"))
      for name in ("calib", "label_2", "image_2")
    }
    missing = [name for name in scans if name not in files["calib"]]
    if missing:
      raise ValueError(
        f"{self._path!r}: {len(missing)} of {len(scans)} scans have no calibration, e.g. "
        f"{os.path.join(folder, 'calib', missing[0] + '.txt')!r}."
      )
    sweeps = {
      name: recordings.Sweep(
        name,
        path,
        files={recordings.BOXES: files["label_2"][name]} if name in files["label_2"] else {},
        extra=(files["calib"][name], files["image_2"].get(name)),
      )
      for name, path in scans.items()
    }
    if self._lists is None:
      return [recordings.Clip(_ALL, tuple(sweeps.values()))]
    return [self._listed(name, file, sweeps) for name, file in self._lists.items()]

  def read_points(self, clip: recordings.Clip, sweep: recordings.Sweep) -> np.ndarray:
    points = point_files.read_binary(sweep.points)
    if not self._field_of_view:
      return points
    calibration, image = sweep.extra
    fields = kitti_files.read_calibration(calibration)
    projection = kitti_files.field(fields, "P2", (3, 4), calibration)
    to_camera = kitti_labels.lidar_to_camera(fields, calibration)
    size = _IMAGE_SIZE if image is None else image_files.size(image)
    kept = kitti_labels.in_view(points, to_camera, projection, size)
    if not np.any(kept) and np.any(np.isfinite(points).all(axis=-1)):
      raise ValueError(
        f"Points {sweep.points!r}: none of {len(points)} is in the image by {calibration!r}; is it the calibration of "
        "this scan?"
      )
    return points[kept] if np.any(kept) else points

  def read_boxes(self, clip: recordings.Clip, sweep: recordings.Sweep) -> recordings.Boxes:
    calibration, _ = sweep.extra
    to_camera = kitti_labels.lidar_to_camera(kitti_files.read_calibration(calibration), calibration)
    path = sweep.files[recordings.BOXES]
    return kitti_labels.boxes(kitti_labels.read_objects(path), path, np.linalg.inv(to_camera))

  def problem(self, sweep: recordings.Sweep) -> str:
    return point_files.problem(sweep.points, columns=4)

  def _folder(self):
    inner = os.path.join(self._path, "training")
    return inner if os.path.isdir(inner) else self._path

  def _listed(self, name, file, sweeps):
    path = os.path.join(self._path, file)
    if not os.path.isfile(path):
      raise ValueError(f"KittiObject.lists: {path!r} of split {name!r} does not exist.")
    with open(path, encoding="utf-8") as lines:
      wanted = lines.read().split()
    missing = [number for number in wanted if number not in sweeps]
    if missing or not wanted:
      raise ValueError(
        f"KittiObject.lists: {path!r} must name scans that there are. It names {len(wanted)}, of which {len(missing)} "
        f"are missing: {missing[:5]}."
      )
    return recordings.Clip(name, tuple(sweeps[number] for number in wanted))
