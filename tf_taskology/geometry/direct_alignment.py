"""How a camera moved between two frames, from their colours and depth: direct visual odometry.

Gauss and Newton's method on the photometric error, from coarse to fine, from a first guess (Steinbrücker et
al. 2011, Kerl et al. 2013). Wang et al. 2018, "Learning Depth from Monocular Videos using Direct Methods" (section 3.3),
let depth learn from motion that is found so, for a network's guess is never as exact as the frames allow.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tf_taskology.geometry import cameras, motion_warp, rotations

LEVELS = (4, 4, 2, 2, 1, 1)
_LEAST_SIDE = 4  # pixels; frames that are smaller at a level say nothing there
# Share of the diagonal added to it (Levenberg and Marquardt): what the frames hardly tell stays near the guess.
_DAMPING = 0.02
_LEAST_CURVATURE = 1e-6
_ROBUSTNESS = (
  1.0  # mean errors at which a pixel's weight is 1/4: what moves by itself hardly counts
)
_MIN_DEPTH = 0.1  # metres
_LEAST_SHARE_IN_VIEW = 0.5  # of what is in view with the first guess


class _Level(NamedTuple):
  """Both frames at one resolution: source [n, h, w]; target and its slopes along x and y [n, H, W, 3]."""

  source: tf.Tensor
  depth: tf.Tensor
  intrinsics: tf.Tensor
  target: tf.Tensor
  target_intrinsics: tf.Tensor
  object_motion: tf.Tensor
  to_target: int  # pixels of `target` between two of `source`
  to_depth: int  # pixels of the target's depth between two of `source`


class _Seen(NamedTuple):
  """What moved pixels meet: error and weight in view [n, h, w], slopes, and points in the target's frame."""

  error: tf.Tensor
  in_view: tf.Tensor
  slopes: tuple[tf.Tensor, tf.Tensor]
  point: tuple[tf.Tensor, tf.Tensor, tf.Tensor]


def align(
  image: tf.Tensor,
  target_image: tf.Tensor,
  depth: tf.Tensor,
  target_depth: tf.Tensor,
  rotation: tf.Tensor,
  translation: tf.Tensor,
  intrinsics: tf.Tensor,
  target_intrinsics: tf.Tensor | None = None,
  object_motion: tf.Tensor | None = None,
  occlusion_tolerance: float = 0.0,
  levels: Sequence[int] = LEVELS,
) -> tuple[tf.Tensor, tf.Tensor]:
  """Improves the motion between two frames until their colours fit.

  The translation comes in the unit of depth: with depth that is too large by a factor, so is the translation.

  Args:
    image: [n, height, width, 3] float, the source frame, colours in 0..1.
    target_image: [n, rows, columns, 3] float; a whole number of times larger than `image`, or as large.
    depth: [n, height, width] float, the source frame's, metres.
    target_depth: [n, height, width] float; what lies behind it is not in view.
    rotation: [n, 3, 3], source camera to target camera, the first guess. Errors of a few pixels are found.
    translation: [n, 3], metres.
    intrinsics: [n, 3, 3], the source frame's, pixels of `depth`.
    target_intrinsics: the target frame's; None: the same.
    object_motion: [n, height, width, 3] metres, what is added to the translation at the source's pixels; None: nothing.
    occlusion_tolerance: see `rgbd.compare`.
    levels: a step each: pixels of `depth` between two that count, powers of 2.

  Returns:
    rotation [n, 3, 3] and translation [n, 3]; the first guess where the colours in view fit no better in
    the end, or half of them went out of view. Constant: no gradient reaches the arguments.
  """
  arguments = [image, target_image, depth, target_depth, rotation, translation, intrinsics]
  image, target_image, depth, target_depth, *guess, intrinsics = map(tf.stop_gradient, arguments)
  if target_intrinsics is None:
    target_intrinsics = intrinsics
  if object_motion is None:
    object_motion = tf.zeros([1, 1, 1, 3], depth.dtype)
  target_intrinsics, object_motion = map(tf.stop_gradient, (target_intrinsics, object_motion))
  shared = depth, intrinsics, target_intrinsics, object_motion
  useful = [step for step in levels if min(depth.shape[1:]) >= _LEAST_SIDE * step]
  greys = [tf.reduce_mean(x, axis=-1, keepdims=True) for x in (image, target_image)]
  stride = target_image.shape[1] // image.shape[1]
  made = {1: _level(*greys, *shared, 1, stride)}
  greys[1] = greys[1][:, ::stride, ::stride]
  for step in (2**power for power in range(1, max(useful, default=1).bit_length())):
    greys = [_halved(grey) for grey in greys]
    made[step] = _level(*greys, *shared, step, 1)
  motion = tuple(guess)
  for step in useful:
    seen = _look(made[step], target_depth, motion, occlusion_tolerance)
    motion = _improved(seen, motion, made[step].target_intrinsics)
  ends = [_look(made[1], target_depth, end, occlusion_tolerance) for end in (guess, motion)]
  is_better = _fits_better(*ends)
  chosen = []
  for first, last in zip(guess, motion, strict=True):
    where = tf.reshape(is_better, [-1] + [1] * (first.shape.rank - 1))
    chosen.append(tf.stop_gradient(tf.where(where, last, first)))
  return chosen[0], chosen[1]


def _padded(x):
  return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")


def _halved(grey):
  """Every second row and column, of weighted means of three."""
  x = _padded(grey)
  x = (x[:, :-2:2] + 2 * x[:, 1:-1:2] + x[:, 2::2]) / 4
  return (x[:, :, :-2:2] + 2 * x[:, :, 1:-1:2] + x[:, :, 2::2]) / 4


def _level(grey, target_grey, depth, intrinsics, target_intrinsics, object_motion, step, to_target):
  padded = _padded(target_grey)
  right = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
  down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
  return _Level(
    source=grey[..., 0],
    depth=depth[:, ::step, ::step],
    intrinsics=cameras.scale_intrinsics(intrinsics, 1 / step),
    # Slopes in pixels of the source.
    target=tf.concat([target_grey, right * to_target, down * to_target], axis=-1),
    target_intrinsics=cameras.scale_intrinsics(target_intrinsics, 1 / step),
    object_motion=object_motion[:, ::step, ::step],
    to_target=to_target,
    to_depth=step,
  )


def _look(level, target_depth, motion, occlusion_tolerance):
  rotation, translation = motion
  moved = motion_warp.move(
    level.depth,
    rotation,
    translation[:, tf.newaxis, tf.newaxis] + level.object_motion,
    level.intrinsics,
    level.target_intrinsics,
  )
  sampled = motion_warp.sample(level.target, moved.x * level.to_target, moved.y * level.to_target)
  surface = motion_warp.sample(
    target_depth[..., tf.newaxis], moved.x * level.to_depth, moved.y * level.to_depth
  )[:, 0]
  in_view = moved.visible & (moved.depth < surface * (1 + occlusion_tolerance))
  in_view &= moved.depth > _MIN_DEPTH
  z = tf.maximum(moved.depth, _MIN_DEPTH)
  k = level.target_intrinsics[:, tf.newaxis, tf.newaxis]
  y = (moved.y - k[..., 1, 2]) / k[..., 1, 1] * z
  x = (moved.x - k[..., 0, 2] - k[..., 0, 1] * y / z) / k[..., 0, 0] * z
  return _Seen(
    error=sampled[:, 0] - level.source,
    in_view=tf.cast(in_view, z.dtype),
    slopes=(sampled[:, 1], sampled[:, 2]),
    point=(x, y, z),
  )


def _mean_error(seen):
  """[n]: mean absolute error in view."""
  total = tf.reduce_sum(tf.abs(seen.error) * seen.in_view, axis=[1, 2])
  return total / (tf.reduce_sum(seen.in_view, axis=[1, 2]) + 1)


def _fits_better(first, last):
  counts = [tf.reduce_sum(seen.in_view, axis=[1, 2]) for seen in (first, last)]
  return (_mean_error(last) < _mean_error(first)) & (counts[1] > _LEAST_SHARE_IN_VIEW * counts[0])


def _improved(seen, motion, intrinsics):
  """One step: points p of the target's frame go to p + a x p + t, for small angles a and translations t."""
  x, y, z = seen.point
  k = intrinsics[:, tf.newaxis, tf.newaxis]
  right, down = seen.slopes
  # The slope of the error along each axis of the target camera.
  by_x = right * k[..., 0, 0] / z
  by_y = (right * k[..., 0, 1] + down * k[..., 1, 1]) / z
  by_z = -(by_x * x + by_y * y) / z
  slopes = [y * by_z - z * by_y, z * by_x - x * by_z, x * by_y - y * by_x, by_x, by_y, by_z]
  slopes = tf.stack(slopes, axis=1)
  slopes = tf.reshape(slopes, [-1, 6, slopes.shape[2] * slopes.shape[3]])
  usual = _mean_error(seen)[:, tf.newaxis, tf.newaxis] + 1e-3
  weights = seen.in_view / tf.square(1 + tf.square(seen.error / (_ROBUSTNESS * usual)))
  flat = lambda value: tf.reshape(value, [-1, 1, slopes.shape[2]])
  weighted = slopes * flat(weights)
  curvature = tf.linalg.matmul(weighted, slopes, transpose_b=True)
  damping = _DAMPING * tf.linalg.diag_part(curvature) + _LEAST_CURVATURE
  gradient = tf.reduce_sum(weighted * flat(seen.error), axis=2)
  step = -_solved(curvature + tf.linalg.diag(damping), gradient)
  rotation, translation = motion
  turn = rotations.matrix_from_angles(step[:, :3])
  return turn @ rotation, tf.linalg.matvec(turn, translation) + step[:, 3:]


def _solved(matrix, vector):
  """x of A x = b for symmetric, positive definite A [n, 6, 6]; 0 where numbers are too far apart for it."""
  root = tf.linalg.cholesky(matrix)
  solution = tf.linalg.cholesky_solve(root, vector[..., tf.newaxis])[..., 0]
  return tf.where(tf.math.is_finite(solution), solution, tf.zeros_like(solution))
