"""Augmentation of point clouds: points and boxes move together, the same for all frames of a sample."""

import math
from collections.abc import Mapping

import tensorflow as tf

from tf_taskology.datasets import element, point_observation


class PointAugmentation:
  """Random rotation about the z axis and scaling about the origin.

  Peers are shown what comes out of it. Draws are stateless: they depend on the seed and the batch's index only.

  Args:
    rotation: half-width of uniform angles, radians, up to pi.
    scale: half-width of uniform log factors, up to 0.5; boxes grow with it.
  """

  def __init__(self, rotation: float = math.pi / 4, scale: float = 0.05):
    for name, value, most in (("rotation", rotation, math.pi), ("scale", scale, 0.5)):
      if not 0 <= value <= most:
        raise ValueError(
          f"PointAugmentation.{name} must be between 0 and {most:g} (0 = off). Received: {value}."
        )
    self._rotation, self._scale = rotation, scale

  def __call__(self, batch: Mapping, seed: tf.Tensor) -> dict:
    """Augments a batch of elements.

    Args:
      batch: points [batch, frames, n, channels], and boxes among the labels and poses where there are any.
      seed: [2] int64.

    Returns:
      The same fields. Poses follow the turned frame, and the world is scaled like the points.
    """
    size = tf.shape(batch[point_observation.POINTS])[0]
    draw = lambda i: tf.random.stateless_uniform([size], seed + [0, i], -1.0, 1.0)
    angle, factor = draw(0) * self._rotation, tf.exp(draw(1) * self._scale)
    result = dict(batch)
    points = batch[point_observation.POINTS]
    result[point_observation.POINTS] = tf.concat(
      [_moved(points[..., :3], angle, factor), points[..., 3:]], axis=-1
    )
    labels = batch.get(element.LABELS, {})
    if point_observation.BOXES in labels:
      boxes = labels[point_observation.BOXES]
      wide = lambda value: value[:, tf.newaxis, tf.newaxis, tf.newaxis]
      heading = tf.math.floormod(boxes[..., 6:] + wide(angle) + math.pi, 2 * math.pi) - math.pi
      moved = [_moved(boxes[..., :3], angle, factor), boxes[..., 3:6] * wide(factor), heading]
      result[element.LABELS] = {**labels, point_observation.BOXES: tf.concat(moved, axis=-1)}
    if element.POSE in batch:
      result[element.POSE] = _turned_poses(batch[element.POSE], angle, factor)
    return result


def _rotations(angle):
  """[batch] radians -> [batch, 3, 3], about z."""
  cosine, sine, zero, one = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle), tf.ones_like(angle)
  rows = [[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]]
  return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def _moved(places, angle, factor):
  """[batch, frames, n, 3] turned and scaled."""
  matrix = _rotations(angle) * factor[:, tf.newaxis, tf.newaxis]
  return tf.einsum("bij,bfnj->bfni", matrix, places)


def _turned_poses(pose, angle, factor):
  """[batch, frames, 4, 4]: from the turned frame to the scaled world."""
  rotation = tf.einsum("bfij,bkj->bfik", pose[..., :3, :3], _rotations(angle))
  place = pose[..., :3, 3:] * factor[:, tf.newaxis, tf.newaxis, tf.newaxis]
  return tf.concat([tf.concat([rotation, place], axis=-1), pose[..., 3:, :]], axis=-2)
