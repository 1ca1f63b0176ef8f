"""Boxes and poses of recordings in numpy, double precision: from the frames of files to those of samples.

Boxes are those of `geometry.boxes`: centre x, y, z, length, width, height in metres, heading in radians.
"""

from collections.abc import Sequence

import numpy as np

from tf_taskology.geometry import boxes as boxes_lib


def transform(boxes: np.ndarray, pose: np.ndarray) -> np.ndarray:
  """Boxes in another frame, as `geometry.boxes.transform`.

  Args:
    boxes: [m, 7] float64.
    pose: [4, 4], takes points of the boxes' frame to the other.

  Returns:
    [m, 7] float64, upright, headings in -pi..pi.
  """
  centre = boxes[:, :3] @ pose[:3, :3].T + pose[:3, 3]
  front = np.stack([np.cos(boxes[:, 6]), np.sin(boxes[:, 6]), np.zeros(len(boxes))], axis=-1)
  turned = front @ pose[:3, :3].T
  heading = np.arctan2(turned[:, 1], turned[:, 0])
  return np.concatenate([centre, boxes[:, 3:6], heading[:, np.newaxis]], axis=-1)


def from_camera(
  bottoms: np.ndarray, sizes: np.ndarray, turns: np.ndarray, from_camera_axes: np.ndarray
) -> np.ndarray:
  """Boxes of KITTI's labels.

  Args:
    bottoms: [m, 3] metres, middle of the box's floor in the rectified camera's axes (x right, y down, z forward).
    sizes: [m, 3] metres: height, width, length, in the order of the label files.
    turns: [m] radians about the camera's y axis; 0: the front points along x.
    from_camera_axes: [4, 4] to a frame with z up.

  Returns:
    [m, 7] float64 in that frame, upright.
  """
  height, width, length = sizes.T
  middle = bottoms - np.stack([np.zeros_like(height), 0.5 * height, np.zeros_like(height)], axis=-1)
  front = np.stack([np.cos(turns), np.zeros_like(turns), -np.sin(turns)], axis=-1)
  rotation = from_camera_axes[:3, :3]
  centre, front = middle @ rotation.T + from_camera_axes[:3, 3], front @ rotation.T
  heading = np.arctan2(front[:, 1], front[:, 0])
  return np.concatenate([centre, np.stack([length, width, height, heading], axis=-1)], axis=-1)


def rotation(quaternion: Sequence[float]) -> np.ndarray:
  """[3, 3] of a quaternion (w, x, y, z) of any length but 0.

  Raises:
    ValueError: it is of length 0, or not finite.
  """
  length = np.linalg.norm(quaternion)
  if not (np.isfinite(length) and length > 0):
    raise ValueError(f"a quaternion (w, x, y, z) other than 0 is expected. Received: {quaternion}")
  w, x, y, z = np.asarray(quaternion, np.float64) / length
  return np.array(
    [
      [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
      [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
      [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
  )


def count_points(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
  """How many points lie in each box, faces included: [m] int32.

  Args:
    boxes: [m, 7].
    points: [n, 3 or more]; only x, y, z are read.
  """
  counts = np.zeros(len(boxes), np.int32)
  order = np.argsort(points[:, 0], kind="stable")
  sorted_points = points[order, :3].astype(np.float64)
  reach = 0.5 * np.hypot(boxes[:, 3], boxes[:, 4])
  # Only points in the strip of x that the box can reach are looked at: most boxes are small, scans are large.
  begins = np.searchsorted(sorted_points[:, 0], boxes[:, 0] - reach - 1e-6)
  ends = np.searchsorted(sorted_points[:, 0], boxes[:, 0] + reach + 1e-6)
  for i, (box, begin, end) in enumerate(zip(boxes, begins, ends, strict=True)):
    offset = sorted_points[begin:end] - box[:3]
    cosine, sine = np.cos(box[6]), np.sin(box[6])
    along = offset[:, 0] * cosine + offset[:, 1] * sine
    across = offset[:, 1] * cosine - offset[:, 0] * sine
    local = np.stack([along, across, offset[:, 2]], axis=-1)
    counts[i] = np.sum(np.all(np.abs(local) <= 0.5 * box[3:6], axis=-1))
  return counts


def problem(boxes: np.ndarray) -> tuple[int, str] | None:
  """(index, what is wrong) of the first box that cannot be one; None if all can."""
  for i, box in enumerate(boxes):
    if not np.all(np.isfinite(box)):
      return i, f"{boxes_lib.SIZE} finite numbers are expected. Received: {box.tolist()}"
    if np.any(box[3:6] <= 0):
      length, width, height = box[3:6]
      return i, (
        f"length, width and height must be > 0 metres. Received: {length:g}, {width:g}, {height:g}"
      )
  return None
