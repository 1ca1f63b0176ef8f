"""The label files of KITTI's object and tracking benchmarks.

Source: Geiger et al., "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite" (CVPR 2012), and the
readme files of its development kits.
"""

import collections
import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from tf_taskology.datasets.point_clouds import box_frames, recordings
from tf_taskology.datasets.video import kitti_files

# What the benchmark calls its neighbours of cars are vehicles here too; Tram and Misc are neither found nor background.
CLASSES = {
  "Car": recordings.VEHICLE,
  "Van": recordings.VEHICLE,
  "Truck": recordings.VEHICLE,
  "Tram": recordings.DO_NOT_CARE,
  "Misc": recordings.DO_NOT_CARE,
  "Pedestrian": recordings.LEFT_OUT,
  "Person": recordings.LEFT_OUT,
  "Person_sitting": recordings.LEFT_OUT,
  "Cyclist": recordings.LEFT_OUT,
}
_NO_BOX = "DontCare"  # regions of the image
_FIELDS = 15  # of an object: type ... rotation_y; results have a score too
# Least height in pixels, worst occlusion and truncation of easy, moderate and hard.
_DIFFICULTIES = ((40, 0, 0.15), (25, 1, 0.30), (25, 2, 0.50))


@dataclasses.dataclass(frozen=True)
class Label:
  """One line: an object with a box.

  Attributes:
    place: "line 3".
    name: of its class.
    track: name of the object; "" where it has none, and in the object benchmark.
    numbers: [14] truncated, occluded, alpha, 2D box (left, top, right, bottom), height, width, length, x, y, z,
      rotation_y.
  """

  place: str
  name: str
  track: str
  numbers: np.ndarray


def read_objects(path: str) -> list[Label]:
  """The objects of a file of the object benchmark, one a line; regions without boxes are left out. Raises ValueError."""
  return [label for label in _lines(path, 0) if label is not None]


def read_tracks(path: str) -> dict[int, list[Label]]:
  """Number of the sweep -> objects, of a file of the tracking benchmark (a sequence). Raises ValueError."""
  result = collections.defaultdict(list)
  for label in _lines(path, 2):
    if label is not None:
      number, track = (int(word) for word in label.track.split())
      # Below 0 is no track's number: what has none is followed nowhere.
      result[number].append(dataclasses.replace(label, track=str(track) if track >= 0 else ""))
  return dict(result)


def boxes(labels: Sequence[Label], path: str, from_camera_axes: np.ndarray) -> recordings.Boxes:
  """The labels of a sweep.

  Args:
    labels: of one sweep.
    path: of their file, for messages.
    from_camera_axes: [4, 4] from the axes of the rectified camera 0 to those of the LiDAR.

  Raises:
    ValueError: a size is 0 or a number not finite, or a class is unknown.
  """
  recordings.number_classes(
    [label.name for label in labels], CLASSES, path, [label.place for label in labels]
  )
  numbers = np.array([label.numbers for label in labels]).reshape(-1, _FIELDS - 1)
  found = box_frames.from_camera(
    numbers[:, 10:13], numbers[:, 7:10], numbers[:, 13], from_camera_axes
  )
  wrong = box_frames.problem(found)
  if wrong:
    raise ValueError(f"{path!r}, {labels[wrong[0]].place}: {wrong[1]}.")
  tracks = [label.track for label in labels]
  return recordings.Boxes(
    boxes=found,
    names=[label.name for label in labels],
    tracks=tracks if any(tracks) else None,
    difficulty=difficulty(numbers[:, 6] - numbers[:, 4], numbers[:, 1], numbers[:, 0]),
  )


def difficulty(heights: np.ndarray, occluded: np.ndarray, truncated: np.ndarray) -> np.ndarray:
  """[m] int32: 1 easy, 2 moderate, 3 hard, 4 harder.

  Args:
    heights: [m] of the boxes in the image, pixels.
    occluded: [m] 0 visible, 1 partly, 2 largely, 3 unknown.
    truncated: [m] share of the object outside of the image. The tracking benchmark has levels 0, 1, 2 instead, of which
      0 counts as not truncated here.
  """
  result = np.full(len(heights), len(_DIFFICULTIES) + 1, np.int32)
  for level, (height, occlusion, truncation) in reversed(list(enumerate(_DIFFICULTIES, 1))):
    fits = (heights > height) & (occluded <= occlusion) & (truncated <= truncation)
    result[fits] = level
  return result


def lidar_to_camera(fields, path: str) -> np.ndarray:
  """[4, 4] from the axes of the LiDAR to those of the rectified camera 0, of a file of calibration.

  Raises:
    ValueError: a field is missing or has another number of values.
  """
  rectify = kitti_files.field(fields, _either(fields, "R0_rect", "R_rect"), (3, 3), path)
  rigid = kitti_files.field(fields, _either(fields, "Tr_velo_to_cam", "Tr_velo_cam"), (3, 4), path)
  return kitti_files.transform(rectify) @ kitti_files.transform(rigid[:, :3], rigid[:, 3])


def imu_to_lidar(fields, path: str) -> np.ndarray:
  """[4, 4] from the axes of the IMU to those of the LiDAR. Raises ValueError as `lidar_to_camera`."""
  rigid = kitti_files.field(fields, _either(fields, "Tr_imu_to_velo", "Tr_imu_velo"), (3, 4), path)
  return kitti_files.transform(rigid[:, :3], rigid[:, 3])


def in_view(
  points: np.ndarray, to_camera: np.ndarray, projection: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
  """Which points are in an image: [n] bool.

  Args:
    points: [n, 3 or more] in the LiDAR's axes.
    to_camera: [4, 4] to the axes of the rectified camera 0.
    projection: [3, 4] of the image, pixels.
    size: (height, width), pixels.
  """
  pixels = (
    np.c_[points[:, :3].astype(np.float64), np.ones(len(points))] @ (projection @ to_camera).T
  )
  ahead = pixels[:, 2] > 0
  # Points that are not ahead have no pixel; NaN is in no image.
  depth = np.where(ahead, pixels[:, 2], np.nan)
  x, y = pixels[:, 0] / depth, pixels[:, 1] / depth
  with np.errstate(invalid="ignore"):
    return (x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])


def _either(fields, usual, other):
  """The object and the tracking benchmark name the same fields differently."""
  return other if usual not in fields and other in fields else usual


def _lines(path, leading):
  """A `Label` for each line, None for regions without a box; `track` holds the `leading` words before the class."""
  try:
    with open(path, encoding="utf-8") as file:
      lines = file.read().splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(f"Cannot read labels {path!r}: {error}.") from error
  for number, line in enumerate(lines, 1):
    words = line.split()
    if not words:
      continue
    place = f"line {number}"
    if len(words) - leading not in (_FIELDS, _FIELDS + 1):
      raise ValueError(
        f"{path!r}, {place}: {leading + _FIELDS} words (or a score more) are expected. Received: {len(words)}."
      )
    name = words[leading]
    try:
      before = [int(word) for word in words[:leading]]
      numbers = np.array([float(word) for word in words[leading + 1 : leading + _FIELDS]])
    except ValueError as error:
      raise ValueError(f"{os.path.normpath(path)!r}, {place}: {error}.") from error
    yield None if name == _NO_BOX else Label(place, name, " ".join(map(str, before)), numbers)
