"""Pictures of point clouds from above, with what a detector makes of them, for TensorBoard."""

from collections.abc import Mapping

import tensorflow as tf

from tf_taskology.datasets import point_observation
from tf_taskology.tasks import detection

_REACH = 50.0  # metres to each side of the picture of points
_SIZE = 256  # pixels of a picture's side
_FULL = 5.0  # points in a pixel that are white


def from_above(seen: Mapping, predictions: Mapping) -> tf.Tensor:
  """The first sweep and, to its right, where a vehicle is taken to be: x points up, y to the left.

  Args:
    seen: "points" [n, frames, points, 3 or more] and "num_points" [n, frames].
    predictions: output name -> [n, frames, rows, columns, channels]. Only `detection.BOX_LOGITS` is drawn.

  Returns:
    [n, 256, 256 or 512, 3] float32 in 0..1.
  """
  columns = [_density(seen)]
  if detection.BOX_LOGITS in predictions:
    best = tf.reduce_max(tf.sigmoid(predictions[detection.BOX_LOGITS][:, 0]), axis=-1)
    columns.append(tf.image.resize(_upright(best), [_SIZE, _SIZE], method="nearest"))
  return tf.repeat(tf.concat(columns, axis=2), 3, axis=-1)


def _density(seen):
  points = seen[point_observation.POINTS][:, 0]
  counted = tf.range(tf.shape(points)[1]) < seen[point_observation.NUM_POINTS][:, :1]
  place = (points[..., :2] + _REACH) * (_SIZE / (2 * _REACH))
  counted &= tf.reduce_all((place >= 0) & (place < _SIZE), axis=-1)
  pixel = tf.cast(tf.where(counted[..., tf.newaxis], place, 0.0), tf.int32)
  batch = tf.range(tf.shape(points)[0])[:, tf.newaxis]
  segment = (batch * _SIZE + pixel[..., 1]) * _SIZE + pixel[..., 0]
  counts = tf.math.unsorted_segment_sum(
    tf.cast(counted, tf.float32), segment, tf.shape(points)[0] * _SIZE * _SIZE
  )
  grid = tf.reshape(counts, [-1, _SIZE, _SIZE])
  return _upright(tf.minimum(tf.math.log1p(grid) / tf.math.log1p(_FULL), 1.0))


def _upright(grid):
  """[n, rows along y, columns along x] -> [n, height, width, 1] with x up and y to the left."""
  return tf.reverse(tf.transpose(grid, [0, 2, 1]), axis=[1, 2])[..., tf.newaxis]
