"""Plain folders of point files with one table of boxes: for recordings of your own."""

import csv
import io
import itertools
import os
from collections.abc import Mapping

import numpy as np

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.point_clouds import box_frames, point_files, recordings
from tf_taskology.datasets.video import footage, kitti_files

BOXES, POSES, TIMES = "boxes.csv", "poses.txt", "times.txt"
_NUMBERS = ("x", "y", "z", "length", "width", "height", "heading")
_COLUMNS = ("file", *_NUMBERS, "class")
_OPTIONAL = ("track",)
_FULL_TURN = 6.2832  # radians; what is more is in degrees


class SweepFolder(recordings.Recordings):
  """A folder of .bin or .npy files, or a folder of such folders, each a clip; names in natural order (9 before 10).

    drive_1/000000.bin  000001.bin  ...  boxes.csv  poses.txt  times.txt

  Points are x forward, y left, z up in metres, then intensity (0 if there is none), in one frame of the sensor or car.
  The three tables are optional, and labels are the boxes, classes and box_points of `boxes.csv`, and its tracks:

    boxes.csv: the columns file,x,y,z,length,width,height,heading,class and, optionally, track, in any order. `file` is
      the name of the point file, with or without ending; x, y, z the middle of the box; heading in radians from x to
      the front, counter-clockwise seen from above; track names an object in all files. Sweeps without a row have no box.
    poses.txt: 12 numbers a line (3x4, row by row), frame of the points to world, one line a file.
    times.txt: seconds, one line a file. Where times jump, the clip is cut.

  Args:
    path: the folder.
    classes: name in the column `class` -> number from 1, 0 (left out) or -1 (neither found nor background).
    columns: float32 numbers of a point in a .bin file; the first four are read.
    intensity_scale: intensities are divided by it, e.g. 255.
    sensor_height: metres from the ground up to the origin of the points' frame.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    path: str,
    classes: Mapping[str, int] | None = None,
    columns: int = 4,
    intensity_scale: float = 1.0,
    sensor_height: float = 0.0,
  ):
    if columns < 3 or not intensity_scale > 0:
      raise ValueError(
        "SweepFolder.columns must be >= 3 and intensity_scale > 0. "
        f"Received: {columns}, {intensity_scale}."
      )
    self._path = rgbd_files.absolute(path)
    self._classes = {"vehicle": recordings.VEHICLE} if classes is None else dict(classes)
    self._columns = columns
    self._intensity_scale = intensity_scale
    self._sensor_height = sensor_height

  @property
  def classes(self) -> Mapping[str, int]:
    return self._classes

  @property
  def labels(self) -> tuple[str, ...]:
    tables = [f for f in (os.path.join(d, BOXES) for d in self._folders()) if os.path.isfile(f)]
    if not tables:
      return ()
    tracks = all("track" in _header(table) for table in tables)
    return ("boxes", "classes", *(("tracks",) if tracks else ()), "box_points")

  @property
  def sensor_height(self) -> float:
    return self._sensor_height

  def describe(self) -> str:
    return f"sweeps {self._path}"

  def clips(self) -> list[recordings.Clip]:
    footage.require_folder(self._path, "Folder of sweeps")
    clips = [clip for folder in self._folders() for clip in self._drive(folder)]
    if not clips:
      raise ValueError(
        f"{self._path!r}: no {' or '.join(point_files.ENDINGS)} file there or in a folder of it. It holds "
        f"{sorted(os.listdir(self._path))[:10]}."
      )
    return clips

  def read_points(self, clip: recordings.Clip, sweep: recordings.Sweep) -> np.ndarray:
    if _is_binary(sweep.points):
      array = point_files.read_binary(sweep.points, self._columns)
    else:
      array = point_files.read_numpy(sweep.points)
    points = point_files.to_points(array, sweep.points)
    points[:, 3] /= self._intensity_scale
    return points

  def read_boxes(self, clip: recordings.Clip, sweep: recordings.Sweep) -> recordings.Boxes:
    path = sweep.files[recordings.BOXES]
    rows = _table(path).get(sweep.name, ())
    names, places = [row[2] for row in rows], [f"line {row[0]}" for row in rows]
    recordings.number_classes(names, self._classes, path, places)
    boxes = np.array([row[1] for row in rows], np.float64).reshape(-1, len(_NUMBERS))
    wrong = box_frames.problem(boxes)
    if wrong:
      raise ValueError(f"{path!r}, {places[wrong[0]]}: {wrong[1]}.")
    tracks = [row[3] for row in rows] if "track" in _header(path) else None
    return recordings.Boxes(boxes, names, tracks)

  def problem(self, sweep: recordings.Sweep) -> str:
    return point_files.problem(sweep.points, self._columns if _is_binary(sweep.points) else None)

  def _folders(self):
    if not os.path.isdir(self._path):
      return []
    inner = [os.path.join(self._path, name) for name in rgbd_files.list_folders(self._path)]
    return [self._path, *inner]

  def _drive(self, folder):
    files = rgbd_files.list_files(folder, point_files.ENDINGS)
    if not files:
      lonely = os.path.join(folder, BOXES)
      if os.path.isfile(lonely):
        raise ValueError(
          f"{lonely!r} has no {' or '.join(point_files.ENDINGS)} files beside it: each folder of point files has a table "
          "of its own."
        )
      return []
    poses = times = [None] * len(files)
    path = os.path.join(folder, POSES)
    if os.path.isfile(path):
      poses = kitti_files.read_poses(path, len(files), "point files")
      odd = [i for i, pose in enumerate(poses) if not rgbd_files.is_pose(pose)]
      if odd:
        raise ValueError(f"{path!r}, line {odd[0] + 1}: is no rigid transform (3x4, row by row).")
    path = os.path.join(folder, TIMES)
    if os.path.isfile(path):
      times = _times(path, len(files))
    path = os.path.join(folder, BOXES)
    labelled = {recordings.BOXES: path} if os.path.isfile(path) else {}
    if labelled:
      unknown = [name for name in _table(path) if name not in files]
      if unknown:
        raise ValueError(
          f"{path!r}, line {_table(path)[unknown[0]][0][0]}: there is no point file {unknown[0]!r} beside it."
        )
    sweeps = [
      recordings.Sweep(name, file, pose=pose, time=time, files=labelled)
      for (name, file), pose, time in zip(files.items(), poses, times, strict=True)
    ]
    name = os.path.basename(os.path.normpath(folder))
    if sweeps[0].time is None:
      return [recordings.Clip(name, tuple(sweeps))]
    return recordings.by_times(name, sweeps)


def _is_binary(path):
  return path.lower().endswith(point_files.BINARY)


def _times(path, count):
  words = rgbd_files.read_text(path).split()
  try:
    times = [float(word) for word in words]
  except ValueError as error:
    raise ValueError(f"{path!r} must hold seconds, one a line: {error}.") from error
  if len(times) != count:
    raise ValueError(
      f"{path!r} has {len(times)} times, but there are {count} point files beside it."
    )
  return times


def _rows(path):
  """(number of the line, words) of the lines of a table that are not empty."""
  # Spreadsheets write a byte order mark, end lines in their own way, and keep empty rows as commas.
  reader = csv.reader(io.StringIO(rgbd_files.read_text(path), newline=""))
  try:
    for words in reader:
      words = [word.strip() for word in words]
      if any(words):
        yield reader.line_num, words
  except csv.Error as error:
    raise ValueError(f"{path!r}, line {reader.line_num}: {error}.") from error


@rgbd_files.cached
def _header(path):
  header = next(_rows(path), (1, []))[1]
  missing = [name for name in _COLUMNS if name not in header]
  unknown = [name for name in header if name not in (*_COLUMNS, *_OPTIONAL)]
  if missing or unknown or len(set(header)) < len(header):
    raise ValueError(
      f"{path!r}, line 1: the columns {','.join(_COLUMNS)} and optionally {','.join(_OPTIONAL)} are expected, with "
      f"commas between them. Received: {','.join(header)}."
    )
  return header


@rgbd_files.cached
def _table(path):
  """Name of a sweep -> rows (number of the line, [7] numbers, class, track)."""
  header, result = _header(path), {}
  for line, words in itertools.islice(_rows(path), 1, None):
    place = f"{path!r}, line {line}"
    if len(words) != len(header):
      raise ValueError(f"{place}: {len(header)} values are expected. Received: {len(words)}.")
    row = dict(zip(header, words, strict=True))
    numbers = []
    for name in _NUMBERS:
      try:
        numbers.append(float(row[name]))
      except ValueError as error:
        raise ValueError(f"{place}, {name}: {error}.") from error
    if abs(numbers[-1]) > _FULL_TURN:
      raise ValueError(
        f"{place}, heading: radians are expected, from -pi to pi. Received: {row['heading']} (degrees?)."
      )
    name, ending = os.path.splitext(row["file"])
    name = name if ending.lower() in point_files.ENDINGS else row["file"]
    result.setdefault(name, []).append((line, numbers, row["class"], row.get("track", "")))
  return result
