"""What a data set of point clouds on disk holds: clips of sweeps, and how their points and boxes are read.

A data set is one subclass of `Recordings`; `point_cloud_source.PointCloudSource` makes samples of any of them, and
`check` looks any of them over.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_taskology.datasets.point_clouds import point_files
from tf_taskology.datasets.video import footage

BOXES = "boxes"  # key of `Sweep.files`
VEHICLE = 1  # class of vehicles
LEFT_OUT, DO_NOT_CARE = 0, -1  # what a class map may say besides classes from 1


@dataclasses.dataclass(frozen=True)
class Sweep:
  """One turn of the sensor, and what is known of it.

  Attributes:
    name: unique within its clip.
    points: path of the file with its points.
    pose: [4, 4] float64, frame of the points to world, metres; None where it is not known.
    time: seconds; None where it is not known.
    files: {"boxes": path of the file of its boxes}; empty where it has no labels.
    extra: whatever else the data set needs to read the sweep.
  """

  name: str
  points: str
  pose: np.ndarray | None = None
  time: float | None = None
  files: Mapping[str, str] = dataclasses.field(default_factory=dict)
  extra: Any = None

  @property
  def file(self) -> str:
    """What messages name it by."""
    return self.points


@dataclasses.dataclass(frozen=True)
class Clip:
  """Sweeps of one drive, evenly spaced in time, in their order; or a single sweep.

  Attributes:
    name: unique within the data set; splits choose clips by it.
    frames: its sweeps, one at least.
    extra: whatever else the data set needs to read sweeps.
  """

  name: str
  frames: tuple[Sweep, ...]
  extra: Any = None

  @property
  def has_poses(self) -> bool:
    return all(sweep.pose is not None for sweep in self.frames)


@dataclasses.dataclass(frozen=True)
class Boxes:
  """The labels of a sweep, in the frame of its points.

  Attributes:
    boxes: [m, 7] float64, see `geometry.boxes`; sizes above 0.
    names: of their classes, as the data set calls them.
    tracks: names of the objects, the same in all sweeps of a clip, "" of those without one; None where the data set does
      not follow them.
    num_points: [m] int32 points inside as the data set counts them; None to count those of the sweep.
    difficulty: [m] int32: 1 easy, 2 moderate, 3 hard, 4 harder than what a benchmark asks for, 0 unknown; None where
      the data set does not tell.
  """

  boxes: np.ndarray
  names: Sequence[str]
  tracks: Sequence[str] | None = None
  num_points: np.ndarray | None = None
  difficulty: np.ndarray | None = None


class Recordings(abc.ABC):
  """A data set on disk. Making one is light; `clips` lists files and reads the small text ones."""

  @property
  @abc.abstractmethod
  def classes(self) -> Mapping[str, int]:
    """Every name of a class that labels may have -> number from 1, 0 (left out) or -1 (neither found nor background)."""

  @property
  @abc.abstractmethod
  def labels(self) -> tuple[str, ...]:
    """Labels that it can give: boxes, classes and box_points, and tracks and difficulty where they are known."""

  @property
  @abc.abstractmethod
  def sensor_height(self) -> float:
    """Metres from the ground up to the origin of the frame of points."""

  @property
  def consecutive(self) -> bool:
    """Whether the sweeps of a clip follow each other, so that samples of several make sense."""
    return True

  @property
  def splits(self) -> Mapping[str, Sequence]:
    """Its usual splits, as the argument `splits` of `point_cloud_source.PointCloudSource`."""
    return footage.SHARES

  @abc.abstractmethod
  def describe(self) -> str:
    """A short name with the folder, for messages."""

  @abc.abstractmethod
  def clips(self) -> list[Clip]:
    """All clips, in a fixed order.

    Raises:
      FileNotFoundError: the folder does not exist.
      ValueError: the files are not laid out as expected, there is no sweep, or a text file is malformed.
    """

  @abc.abstractmethod
  def read_points(self, clip: Clip, sweep: Sweep) -> np.ndarray:
    """Points of a sweep: [n, 4] float32, x forward, y left, z up in metres, and intensity; some may be NaN.

    Raises:
      ValueError: the file cannot be read or has no point; names it.
    """

  @abc.abstractmethod
  def read_boxes(self, clip: Clip, sweep: Sweep) -> Boxes:
    """Labels of a sweep that has some.

    Raises:
      ValueError: the file cannot be read, a number is no number, a box has a size of 0 or an unknown class; names
        file, place and value.
    """

  def problem(self, sweep: Sweep) -> str:
    """What is wrong with the file of points as far as its size tells; "" if nothing."""
    return point_files.problem(sweep.points)


def by_gaps(name: str, sweeps: Sequence[Sweep], numbers: Sequence[float], extra=None) -> list[Clip]:
  """Clips of evenly numbered sweeps, named as `footage.cut_at_gaps` names them.

  Args:
    name: of the drive.
    sweeps: in order.
    numbers: that of each sweep.
    extra: of every clip.
  """
  parts = footage.even_parts(numbers)
  if len(parts) == 1:
    return [Clip(name, tuple(sweeps), extra)]
  return [Clip(f"{name}@{sweeps[b].name}", tuple(sweeps[b:e]), extra) for b, e in parts]


def by_times(name: str, sweeps: Sequence[Sweep], extra=None) -> list[Clip]:
  """Clips of sweeps that follow each other at the usual pace, by `Sweep.time`.

  Raises:
    ValueError: times do not increase.
  """
  times = np.array([sweep.time for sweep in sweeps], np.float64)
  steps = np.diff(times)
  if len(steps) and not np.all(steps > 0):
    first = int(np.flatnonzero(~(steps > 0))[0])
    raise ValueError(
      f"Clip {name!r}: times of sweeps must increase, but {sweeps[first + 1].name!r} is at {times[first + 1]!r} s after "
      f"{sweeps[first].name!r} at {times[first]!r} s."
    )
  # Sensors are late by a few per cent; a sweep that is missing makes a step of twice the usual.
  usual = np.median(steps) if len(steps) else 1.0
  numbers = np.concatenate([[0], np.cumsum(np.maximum(np.round(steps / usual), 1))])
  return by_gaps(name, sweeps, numbers.astype(int).tolist(), extra)


def number_classes(
  names: Sequence[str], classes: Mapping[str, int], path: str, places: Sequence[str]
) -> np.ndarray:
  """[m] int32 numbers of classes.

  Args:
    names: of the boxes.
    classes: name -> number.
    path: of the file that they are from.
    places: where each is in the file, e.g. "line 3".

  Raises:
    ValueError: a name is not in `classes`; says file, place and the names that are.
  """
  for name, place in zip(names, places, strict=True):
    if name not in classes:
      raise ValueError(
        f"{path!r}, {place}: unknown class {name!r}. Known: {', '.join(map(repr, classes))}."
      )
  return np.array([classes[name] for name in names], np.int32)
