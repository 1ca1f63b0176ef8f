"""The layout of the TUM RGB-D benchmark: images and poses that belong together by time."""

import bisect
import os

import numpy as np

from tf_taskology.datasets import rgbd_files

# Seconds; the reach of the TUM benchmark's own association.
_TUM_MAX_DIFFERENCE = 0.02


def read(path: str) -> rgbd_files.Recording:
  """Reads a folder; see `rgbd_layouts.read`."""
  file = os.path.join(path, "intrinsics.txt")
  color, depth = (_tum_images(path, name) for name in ("rgb", "depth"))
  truth = _tum_list(os.path.join(path, "groundtruth.txt"))
  frames, used = [], set()
  for time, color_file in color:
    depth_file = _nearest(depth, time)
    used.add(depth_file)
    pose = _nearest(truth, time)
    frames.append(
      rgbd_files.Frame(
        os.path.splitext(os.path.basename(color_file))[0],
        color_file,
        depth_file,
        pose=None if pose is None else _pose_from_quaternion(pose),
        time=time,
      )
    )
  orphans = tuple(depth_file for _, depth_file in depth if depth_file not in used)
  return rgbd_files.Recording(
    path,
    "tum",
    tuple(frames),
    file,
    rgbd_files.read_optional_matrix(file),
    depth_scale=5000.0,
    orphans=orphans,
  )


def _tum_images(path, name):
  """[(time, path)] by `<name>.txt`, or by the files' names, which are their times."""
  rows = _tum_list(os.path.join(path, f"{name}.txt"))
  if rows:
    return [(time, os.path.join(path, words[0])) for time, words in rows]
  files = rgbd_files.list_files(os.path.join(path, name), rgbd_files.IMAGE_ENDINGS)
  try:
    return sorted((float(base), file) for base, file in files.items())
  except ValueError as error:
    folder = os.path.join(path, name)
    raise ValueError(
      f"{folder!r}: without {name}.txt the files of the TUM layout must be named by their time: {error}."
    ) from error


def _tum_list(path):
  """[(time, other words)] of the lines that are no comments, sorted by time."""
  if not os.path.exists(path):
    return []
  rows = []
  with open(path, encoding="utf-8") as file:
    for number, line in enumerate(file, 1):
      words = line.split()
      if not words or words[0].startswith("#"):
        continue
      try:
        rows.append((float(words[0]), words[1:]))
      except ValueError as error:
        raise ValueError(
          f"{path!r}, line {number}: expected a time in seconds, got {words[0]!r}."
        ) from error
      if len(words) < 2:
        raise ValueError(f"{path!r}, line {number}: expected more than a time, got {line!r}.")
  return sorted(rows, key=lambda row: row[0])


def _nearest(rows, time):
  """What the row nearest in time holds; None if it is too far away."""
  index = bisect.bisect_left(rows, time, key=lambda row: row[0])
  near = rows[max(0, index - 1) : index + 1]
  best = min(near, key=lambda row: abs(row[0] - time), default=None)
  return best[1] if best and abs(best[0] - time) <= _TUM_MAX_DIFFERENCE else None


def _pose_from_quaternion(words):
  """[4, 4] from tx ty tz qx qy qz qw (a quaternion of any length but 0), else NaN."""
  try:
    values = np.array([float(word) for word in words[:7]] + [np.nan] * (7 - len(words)))
  except ValueError:
    values = np.full(7, np.nan)
  x, y, z, w = values[3:] / (np.linalg.norm(values[3:]) or np.nan)
  pose = np.eye(4)
  pose[:3, :3] = [
    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
  ]
  pose[:3, 3] = values[:3]
  return pose
