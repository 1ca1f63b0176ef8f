"""The Waymo Open Dataset, perception, version 2: LiDAR and boxes in Parquet files.

Source: Sun et al., "Scalability in Perception for Autonomous Driving: Waymo Open Dataset" (CVPR 2020), and
https://github.com/waymo-research/waymo-open-dataset, v2/perception: names of components and columns.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.point_clouds import (
  box_frames,
  parquet,
  point_files,
  range_images,
  recordings,
)
from tf_taskology.datasets.video import footage

CLASSES = {
  "vehicle": recordings.VEHICLE,
  "unknown": recordings.DO_NOT_CARE,
  "pedestrian": recordings.LEFT_OUT,
  "sign": recordings.LEFT_OUT,
  "cyclist": recordings.LEFT_OUT,
}
_TYPES = {0: "unknown", 1: "vehicle", 2: "pedestrian", 3: "sign", 4: "cyclist"}
LASERS = {"top": 1, "front": 2, "side_left": 3, "side_right": 4, "rear": 5}
_TIME, _LASER = "key.frame_timestamp_micros", "key.laser_name"
_POSE = "[VehiclePoseComponent].world_from_vehicle.transform"
_RANGES = "[LiDARComponent].range_image_return{}"
_PIXELS = "[LiDARPoseComponent].range_image_return1"
_EXTRINSIC = "[LiDARCalibrationComponent].extrinsic.transform"
_BEAMS = "[LiDARCalibrationComponent].beam_inclination."
_BOX = "[LiDARBoxComponent]."
_NUMBERS = tuple(
  f"{_BOX}box.{name}"
  for name in (*(f"{group}.{axis}" for group in ("center", "size") for axis in "xyz"), "heading")
)
_LEVEL = f"{_BOX}difficulty_level.detection"
_LEVEL_2_POINTS = 5


class WaymoV2(recordings.Recordings):
  """Segments of 20 s at 10 Hz, each a clip; a folder for each component, a file for each segment in it.

    lidar/<segment>.parquet  lidar_calibration/  lidar_pose/  vehicle_pose/  lidar_box/

  Points and boxes come in the vehicle's frame, whose origin is on the ground. Both returns are joined; intensity i
  comes as tanh(i), which is in 0..1. Labels are boxes, classes, tracks and box_points: the counts of points are those
  of the files, at most 5 for boxes that people called LEVEL_2. Needs pyarrow.

  Args:
    path: folder of components, or folder of such folders (training/, validation/).
    lasers: which of top, front, side_left, side_right, rear.
    returns: 1, 2 or both.
    no_label_zones: keep points of zones in which nothing is labelled.
    sensor_height: metres, see `recordings.Recordings.sensor_height`.

  Raises:
    ValueError: an unknown laser or return.
  """

  def __init__(
    self,
    path: str,
    lasers: Sequence[str] = tuple(LASERS),
    returns: Sequence[int] = (1, 2),
    no_label_zones: bool = False,
    sensor_height: float = 0.0,
  ):
    if not lasers or not set(lasers) <= set(LASERS):
      raise ValueError(f"WaymoV2.lasers must be some of {tuple(LASERS)}. Received: {lasers}.")
    if not returns or not set(returns) <= {1, 2}:
      raise ValueError(f"WaymoV2.returns must be some of 1, 2. Received: {returns}.")
    self._path = rgbd_files.absolute(path)
    self._lasers = tuple(LASERS[name] for name in lasers)
    self._returns = tuple(returns)
    self._no_label_zones = no_label_zones
    self._sensor_height = sensor_height

  @property
  def classes(self) -> Mapping[str, int]:
    return CLASSES

  @property
  def labels(self) -> tuple[str, ...]:
    return ("boxes", "classes", "tracks", "box_points")

  @property
  def sensor_height(self) -> float:
    return self._sensor_height

  def describe(self) -> str:
    return f"Waymo v2 {self._path}"

  def clips(self) -> list[recordings.Clip]:
    footage.require_folder(self._path, "Waymo v2 folder")
    folders = [self._path] + [
      os.path.join(self._path, name) for name in sorted(os.listdir(self._path))
    ]
    clips = []
    for folder in folders:
      segments = rgbd_files.list_files(os.path.join(folder, "lidar"), (".parquet",))
      clips += [clip for name in segments for clip in self._segment(folder, name)]
    if not clips:
      raise ValueError(
        f"{self._path!r}: no lidar/<segment>.parquet there or in a folder of it. It holds "
        f"{sorted(os.listdir(self._path))[:10]}."
      )
    return clips

  def read_points(self, clip: recordings.Clip, sweep: recordings.Sweep) -> np.ndarray:
    folder, segment = clip.extra
    names = [_RANGES.format(number) for number in self._returns]
    found = parquet.read(
      sweep.points,
      [_LASER, *(f"{name}.{part}" for name in names for part in ("values", "shape"))],
      filters=[(_TIME, "==", int(sweep.name)), (_LASER, "in", list(self._lasers))],
    )
    calibration = _calibration(_file(folder, "lidar_calibration", segment))
    parts = []
    for row, laser in enumerate(found[_LASER].to_pylist()):
      place = f"{sweep.points!r}, frame {sweep.name}, laser {laser}"
      if laser not in calibration:
        raise ValueError(
          f"{_file(folder, 'lidar_calibration', segment)!r}: has no laser {laser}, of which {sweep.points!r} has images."
        )
      pixels = self._pixel_poses(folder, segment, sweep) if laser == LASERS["top"] else None
      for name in names:
        image = _image(found, name, row, 4, place)
        if image is not None:
          parts.append(self._points(image, calibration[laser], pixels, sweep, place))
    points = np.concatenate(parts) if parts else np.zeros((0, 4))
    if not len(points):
      raise ValueError(
        f"{sweep.points!r}: frame {sweep.name} has no points of the lasers {self._lasers}, returns {self._returns}."
      )
    return point_files.to_points(points, sweep.points)

  def read_boxes(self, clip: recordings.Clip, sweep: recordings.Sweep) -> recordings.Boxes:
    path = sweep.files[recordings.BOXES]
    count, kind = f"{_BOX}num_lidar_points_in_box", f"{_BOX}type"
    found = parquet.read(
      path,
      ["key.laser_object_id", kind, count, *_NUMBERS],
      optional=[_LEVEL],
      filters=[(_TIME, "==", int(sweep.name))],
    )
    boxes = np.stack([found[name].to_numpy() for name in _NUMBERS], axis=-1).astype(np.float64)
    tracks = found["key.laser_object_id"].to_pylist()
    places = [f"frame {sweep.name}, object {track!r}" for track in tracks]
    names = [_TYPES.get(number, str(number)) for number in found[kind].to_pylist()]
    recordings.number_classes(names, CLASSES, path, [f"{p}, {kind}" for p in places])
    wrong = box_frames.problem(boxes)
    if wrong:
      raise ValueError(f"{path!r}, {places[wrong[0]]}: {wrong[1]}.")
    points = np.array([number or 0 for number in found[count].to_pylist()], np.int32)
    if _LEVEL in found:
      hard = np.array([level == 2 for level in found[_LEVEL].to_pylist()], bool)
      points = np.where(hard, np.minimum(points, _LEVEL_2_POINTS), points)
    return recordings.Boxes(boxes, names, tracks, points.astype(np.int32))

  def _segment(self, folder, segment):
    path = _file(folder, "vehicle_pose", segment)
    table = parquet.read(path, [_TIME, _POSE])
    boxes = _file(folder, "lidar_box", segment)
    labelled = {recordings.BOXES: boxes} if os.path.isfile(boxes) else {}
    poses = dict(zip(table[_TIME].to_pylist(), table[_POSE].to_pylist(), strict=True))
    sweeps = [
      recordings.Sweep(
        str(time),
        _file(folder, "lidar", segment),
        pose=_matrix(poses[time], f"{path!r}, frame {time}, {_POSE}"),
        time=time * 1e-6,
        files=labelled,
      )
      for time in sorted(poses)
    ]
    if not sweeps:
      raise ValueError(f"{path!r}: has no frames.")
    return recordings.by_times(segment, sweeps, (folder, segment))

  def _pixel_poses(self, folder, segment, sweep):
    """[rows, columns, 6] of the laser on top."""
    path = _file(folder, "lidar_pose", segment)
    found = parquet.read(
      path,
      [f"{_PIXELS}.values", f"{_PIXELS}.shape"],
      filters=[(_TIME, "==", int(sweep.name)), (_LASER, "==", LASERS["top"])],
    )
    place = f"{path!r}, frame {sweep.name}"
    image = _image(found, _PIXELS, 0, 6, place) if len(found[f"{_PIXELS}.values"]) else None
    if image is None:
      raise ValueError(f"{place}: has no poses of the pixels of the laser on top.")
    return image

  def _points(self, image, calibration, pixels, sweep, place):
    """[n, 4] of one range image."""
    extrinsic, low, high, values = calibration
    beams = range_images.inclinations(low, high, len(image)) if values is None else values[::-1]
    if len(beams) != len(image):
      raise ValueError(
        f"{place}: {len(image)} rows, but lidar_calibration has {len(beams)} beam_inclination.values."
      )
    kept = image[..., 0] > 0
    if not self._no_label_zones:
      kept &= image[..., 3] != 1
    points = range_images.to_points(image[..., 0].astype(np.float64), beams, extrinsic)[kept]
    if pixels is not None:
      if pixels.shape[:2] != image.shape[:2]:
        raise ValueError(
          f"{place}: the range image is {image.shape[:2]}, but lidar_pose is {pixels.shape[:2]}."
        )
      points = range_images.to_frame(points, pixels[kept], sweep.pose)
    return np.concatenate([points, np.tanh(image[kept][:, 1:2])], axis=-1)


def _file(folder, component, segment):
  return os.path.join(folder, component, f"{segment}.parquet")


@rgbd_files.cached
def _calibration(path):
  """Laser -> (extrinsic [4, 4], lowest and highest beam in radians, beams or None)."""
  names = [_LASER, _EXTRINSIC, *(f"{_BEAMS}{name}" for name in ("min", "max", "values"))]
  columns = [column.to_pylist() for column in parquet.read(path, names).values()]
  result = {}
  for laser, extrinsic, low, high, values in zip(*columns, strict=True):
    matrix = _matrix(extrinsic, f"{path!r}, laser {laser}, {_EXTRINSIC}")
    result[laser] = matrix, low, high, np.array(values) if values else None
  return result


def _matrix(values, place):
  matrix = np.array([] if values is None else values, np.float64)
  if matrix.size != 16 or not rgbd_files.is_pose(matrix.reshape(4, 4)):
    raise ValueError(f"{place}: 16 numbers of a rigid transform are expected. Received: {values}.")
  return matrix.reshape(4, 4)


def _image(found, name, row, channels, place):
  """[rows, columns, channels] float32, or None where there is none."""
  values, shape = found[f"{name}.values"][row], found[f"{name}.shape"][row]
  if not values.is_valid or not shape.is_valid:
    return None
  shape, values = shape.as_py(), values.values.to_numpy()
  if len(shape) != 3 or shape[2] != channels or np.prod(shape) != values.size:
    raise ValueError(
      f"{place}, {name}: [rows, columns, {channels}] is expected. Received: shape {shape} of {values.size} values."
    )
  return values.reshape(shape)
