"""Trajectories of a camera: steps chained to paths, aligned, and compared.

Poses are camera to world, [4, 4] float64, metres; x right, y down, z forward. A step is the pose of one frame's camera
in the frame before it. ATE and RPE are those of Sturm et al., "A Benchmark for the Evaluation of RGB-D SLAM Systems"
(IROS 2012), section V; alignment is Umeyama, "Least-Squares Estimation of Transformation Parameters Between Two Point
Patterns" (PAMI 1991), equations 34 to 42.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Trajectory:
  """Paths of one sequence for a picture; each is [frames, 3] metres in the first camera's frame.

  Attributes:
    name: of the sequence.
    truth: the true path.
    predicted: what the models say, aligned.
    guess: what a constant velocity gives, aligned alike.
  """

  name: str
  truth: np.ndarray
  predicted: np.ndarray
  guess: np.ndarray


def inverse(poses: np.ndarray) -> np.ndarray:
  """Inverses of rigid transforms [..., 4, 4]."""
  rotation = np.swapaxes(poses[..., :3, :3], -1, -2)
  result = np.zeros_like(poses)
  result[..., :3, :3] = rotation
  result[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, poses[..., :3, 3])
  result[..., 3, 3] = 1
  return result


def steps_of(poses: np.ndarray) -> np.ndarray:
  """Steps [n - 1, 4, 4] between poses [n, 4, 4]."""
  return inverse(poses[:-1]) @ poses[1:]


def chain(steps: Sequence[np.ndarray]) -> np.ndarray:
  """Poses [n + 1, 4, 4] of n steps [4, 4]; the first is the identity."""
  poses = [np.eye(4)]
  for step in steps:
    poses.append(poses[-1] @ step)
  return np.stack(poses)


def scaled(steps: np.ndarray, scale: float) -> np.ndarray:
  """Steps [..., 4, 4] with their translations times `scale`."""
  result = np.array(steps)
  result[..., :3, 3] *= scale
  return result


def scale_sums(truth: np.ndarray, path: np.ndarray) -> np.ndarray:
  """(sum of products, sum of squares) of two paths [n, 3] that begin at one point: their ratio is the best scale."""
  truth, path = truth - truth[0], path - path[0]
  return np.array([np.sum(truth * path), np.sum(path * path)])


def best_scale(sums: np.ndarray) -> float:
  """The scale of `scale_sums`: never below 0, for a path in the wrong direction must not be put right; 1 of no path."""
  products, squares = sums
  return max(float(products / squares), 0.0) if squares > 1e-18 else 1.0


def umeyama(truth: np.ndarray, path: np.ndarray, with_scale: bool):
  """The rotation [3, 3], translation [3] and scale that take `path` [n, 3] nearest to `truth` [n, 3].

  Of points that coincide the scale is 1.
  """
  truth_mean, path_mean = truth.mean(axis=0), path.mean(axis=0)
  centred = path - path_mean
  u, singular, vt = np.linalg.svd((truth - truth_mean).T @ centred / len(path))
  sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
  rotation = (u * sign) @ vt
  variance = np.sum(centred**2) / len(path)
  scale = float(singular @ sign / variance) if with_scale and variance > 1e-18 else 1.0
  return rotation, truth_mean - scale * rotation @ path_mean, scale


def position_rmse(truth: np.ndarray, path: np.ndarray) -> float:
  """ATE: the root of the mean squared distance of positions [n, 3], metres."""
  return float(np.sqrt(np.mean(np.sum((truth - path) ** 2, axis=-1))))


def step_errors(truth: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """RPE of each step: inverse(true step) times step, its translation in metres and its angle in degrees.

  Args:
    truth: [n, 4, 4].
    steps: [n, 4, 4], metric or scaled.

  Returns:
    [n] and [n].
  """
  error = inverse(truth) @ steps
  rotation = error[..., :3, :3]
  skew = rotation - np.swapaxes(rotation, -1, -2)
  # |R - R^T| = 2 sqrt(2) sin and trace = 1 + 2 cos: together exact at small and large angles.
  sine = np.linalg.norm(skew, axis=(-2, -1)) / np.sqrt(8)
  cosine = (np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2
  return np.linalg.norm(error[..., :3, 3], axis=-1), np.degrees(np.arctan2(sine, cosine))


def snippet_error(truth: np.ndarray, path: np.ndarray) -> float:
  """ATE of a short snippet as the public code of Zhou et al. (CVPR 2017) takes it, metres.

  First positions made one, path scaled, then the root of the SUM of squares divided by the number of frames (not the
  root of the mean).

  Args:
    truth: [frames, 3].
    path: [frames, 3].
  """
  scale = best_scale(scale_sums(truth, path))
  difference = scale * (path - path[0]) - (truth - truth[0])
  return float(np.sqrt(np.sum(difference**2)) / len(path))
