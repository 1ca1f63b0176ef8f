"""Drives made up for tests of ego-motion: poses, and what exact predictions of their pairs would be."""

import numpy as np

from tf_taskology.evaluation import trajectory
from tf_taskology.geometry import rotations
from tf_taskology.tasks import motion


def turn(yaw):
  """Rotation about the camera's y axis, [3, 3]."""
  c, s = np.cos(yaw), np.sin(yaw)
  return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def curve(speed, yaw, frames=8):
  """Poses [frames, 4, 4] of a drive through a bend that tightens, about `speed` metres a step."""
  steps = np.tile(np.eye(4), (frames - 1, 1, 1))
  for i, step in enumerate(steps):
    step[:3, :3] = turn(yaw * (i + 1))
    step[:3, 3] = speed * np.array([0.1 * np.sin(i), 0.02 * i, 1 + 0.1 * np.cos(2 * i)])
  return trajectory.chain(steps)


def predictions(poses, scale=1.0):
  """Rotation and translation [samples, pairs, 1, 1, 3] for poses [samples, frames, 4, 4]."""
  transforms = np.stack(
    [
      [trajectory.inverse(sample[j]) @ sample[i] for i, j in motion.pairs(len(sample))]
      for sample in poses
    ]
  )
  angles, shift = (np.asarray(x) for x in rotations.motion_from_pose(transforms))
  return {
    motion.ROTATION: angles[:, :, None, None].astype(np.float32),
    motion.TRANSLATION: scale * shift[:, :, None, None].astype(np.float32),
  }


def fields(poses, first=0):
  """Fields of samples: poses, ids, and a picture of 2 x 2 pixels for each frame that tells its number.

  Args:
    poses: [frames, 4, 4] of one drive, cut into samples of 3 frames, a frame further each.
    first: number of the first frame.
  """
  starts = range(len(poses) - 2)
  numbers = np.array([[first + i + j for j in range(3)] for i in starts], np.uint8)
  return {
    "pose": np.stack([poses[i : i + 3] for i in starts]).astype(np.float32),
    "image": np.broadcast_to(numbers[..., None, None, None], (*numbers.shape, 2, 2, 3)).copy(),
    "sample_id": np.array([f"drive{first}/{i}".encode() for i in starts], object),
  }
