"""From the points and boxes of files to those of a sample: ground, common frame, grid, fixed sizes."""

import dataclasses
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.datasets.point_clouds import box_frames, recordings
from tf_taskology.datasets.video import footage
from tf_taskology.geometry import bev_grid


@dataclasses.dataclass(frozen=True)
class Sweep:
  """A sweep in the frame of a sample.

  Attributes:
    points: [n, 4] float32.
    boxes: [m, 7] float64; empty without labels.
    classes: [m] int32, 1 and above or -1.
    tracks: [m] names, "" where unknown.
    box_points: [m] int32.
    difficulty: [m] int32.
    not_finite: points that were left out because they had no place.
  """

  points: np.ndarray
  boxes: np.ndarray
  classes: np.ndarray
  tracks: Sequence[str]
  box_points: np.ndarray
  difficulty: np.ndarray
  not_finite: int = 0


def read(
  data: recordings.Recordings,
  clip: recordings.Clip,
  sweep: recordings.Sweep,
  classes: Mapping[str, int],
  labelled: bool,
) -> Sweep:
  """A sweep as the files have it, with z = 0 on the ground and without points that have no place.

  Raises:
    ValueError: see `Recordings.read_points` and `read_boxes`; or no point has a place.
  """
  points = data.read_points(clip, sweep)
  finite = np.all(np.isfinite(points), axis=-1)
  if not np.any(finite):
    raise ValueError(
      f"Points {sweep.points!r} ({sweep.name}): none of {len(points)} has finite x, y, z and intensity."
    )
  points = points[finite]
  up = np.array([0, 0, data.sensor_height])
  points = np.concatenate([points[:, :3] + up.astype(np.float32), points[:, 3:]], axis=-1)
  lost = int(np.sum(~finite))
  if not labelled:
    none = np.zeros(0, np.int32)
    return Sweep(points, np.zeros((0, 7)), none, (), none, none, lost)
  labels = data.read_boxes(clip, sweep)
  path = sweep.files[recordings.BOXES]
  numbers = recordings.number_classes(labels.names, classes, path, [sweep.name] * len(labels.names))
  boxes = labels.boxes + np.concatenate([up, np.zeros(4)])
  kept = np.flatnonzero(numbers != recordings.LEFT_OUT)
  if labels.num_points is None:
    counts = box_frames.count_points(boxes[kept], points)
  else:
    counts = labels.num_points[kept]
  unknown = np.zeros(len(kept), np.int32)
  return Sweep(
    points=points,
    boxes=boxes[kept],
    classes=numbers[kept],
    tracks=[labels.tracks[i] for i in kept] if labels.tracks is not None else [""] * len(kept),
    box_points=counts,
    difficulty=unknown if labels.difficulty is None else labels.difficulty[kept],
    not_finite=lost,
  )


def ground_pose(pose: np.ndarray, sensor_height: float) -> np.ndarray:
  """[4, 4] of the frame with z = 0 on the ground below the origin, from that of the points' frame."""
  down = np.eye(4)
  down[2, 3] = -sensor_height
  return pose @ down


def moved(sweep: Sweep, transform: np.ndarray) -> Sweep:
  """A sweep in another frame; `transform` [4, 4] takes points there."""
  places = sweep.points[:, :3].astype(np.float64) @ transform[:3, :3].T + transform[:3, 3]
  points = np.concatenate([places.astype(np.float32), sweep.points[:, 3:]], axis=-1)
  return dataclasses.replace(
    sweep, points=points, boxes=box_frames.transform(sweep.boxes, transform)
  )


def inside(sweep: Sweep, grid: bev_grid.BevGrid) -> Sweep:
  """Without points outside of the grid, and without boxes whose centre is outside of it seen from above."""

  def within(values, low_high):
    return (values >= low_high[0]) & (values < low_high[1])

  points, boxes = sweep.points, sweep.boxes
  kept = within(points[:, 0], grid.x_range) & within(points[:, 1], grid.y_range)
  kept &= within(points[:, 2], grid.z_range)
  there = within(boxes[:, 0], grid.x_range) & within(boxes[:, 1], grid.y_range)
  return _chosen(dataclasses.replace(sweep, points=points[kept]), np.flatnonzero(there))


def limited(sweep: Sweep, max_points: int, max_boxes: int, name: str) -> Sweep:
  """At most so many points, chosen at random by the sweep's name, in their order; and the nearest boxes."""
  if len(sweep.points) > max_points:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(footage.name_bytes(name))))
    chosen = np.sort(generator.permutation(len(sweep.points))[:max_points])
    sweep = dataclasses.replace(sweep, points=sweep.points[chosen])
  if len(sweep.boxes) > max_boxes:
    distance = np.hypot(sweep.boxes[:, 0], sweep.boxes[:, 1])
    sweep = _chosen(sweep, np.sort(np.argsort(distance, kind="stable")[:max_boxes]))
  return sweep


def _chosen(sweep, indices):
  return dataclasses.replace(
    sweep,
    boxes=sweep.boxes[indices],
    classes=sweep.classes[indices],
    tracks=[sweep.tracks[i] for i in indices],
    box_points=sweep.box_points[indices],
    difficulty=sweep.difficulty[indices],
  )


def number_tracks(sweeps: Sequence[Sweep]) -> list[np.ndarray]:
  """For each sweep [m] int32: the same number from 1 on for the same name in all of them; 0 for ""."""
  numbers: dict[str, int] = {"": 0}
  return [
    np.array([numbers.setdefault(name, len(numbers)) for name in sweep.tracks], np.int32)
    for sweep in sweeps
  ]


def padded(values: np.ndarray, size: int) -> np.ndarray:
  """[n, ...] -> [size, ...] with zeros behind."""
  result = np.zeros((size, *values.shape[1:]), values.dtype)
  result[: len(values)] = values
  return result
