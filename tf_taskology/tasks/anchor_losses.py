"""Losses at anchors: focal classification, boxes, directions and flow, normalised by positives.

Each takes predictions and targets as [batch, ..., channels]; the sums are divided by the number of
positive anchors of a sample (at least 1), then averaged over the samples that have labels.
"""

import tensorflow as tf

from tf_taskology.geometry import boxes as boxes_lib

HUBER_DELTA = 1 / 9  # where smooth L1 turns straight (sigma 3 of SSD and SECOND)


def per_positive(values: tf.Tensor, positives: tf.Tensor, labelled: tf.Tensor) -> tf.Tensor:
  """Sum of each sample over its positives, mean over labelled samples; 0 where none is.

  Args:
    values: [batch, ...] float32.
    positives: [batch] float32, numbers of positive anchors.
    labelled: [batch] bool.
  """
  total = tf.reduce_sum(values, axis=tf.range(1, tf.rank(values)))
  labelled = tf.cast(labelled, total.dtype)
  mean = total / tf.maximum(positives, 1.0)
  return tf.math.divide_no_nan(tf.reduce_sum(mean * labelled), tf.reduce_sum(labelled))


def focal(
  logits: tf.Tensor, targets: tf.Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> tf.Tensor:
  """Focal loss of sigmoids (Lin et al. 2017, eq. 5), element by element.

  Args:
    logits: [...] float32.
    targets: [...], 1 or 0; elements below 0 do not matter.
    alpha: weight of 1; that of 0 is 1 - alpha.
    gamma: exponent; the larger, the less counts what is easy.

  Returns:
    [...] float32.
  """
  known, one = targets >= 0, targets > 0
  # Of the outcome that is right: log probability is -softplus(-margin).
  margin = tf.where(one, logits, -logits)
  wrong = tf.sigmoid(-margin)
  weight = tf.where(one, alpha, 1 - alpha) * tf.pow(wrong, gamma)
  return tf.where(known, weight * tf.nn.softplus(-margin), tf.zeros_like(logits))


def smooth_l1(difference: tf.Tensor, delta: float = HUBER_DELTA) -> tf.Tensor:
  """Half the square over delta up to delta, from there on straight with slope 1: [...]."""
  size = tf.abs(difference)
  return tf.where(size < delta, 0.5 * tf.square(size) / delta, size - 0.5 * delta)


def box_residuals(predicted: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
  """Smooth L1 of residuals, of the sine of the angle's error: [..., 7], 0 where targets are NaN.

  The sine (SECOND, Yan et al. 2018, eq. 4) lets a box that is turned by 180 degrees be right; the
  direction bins tell front from rear.
  """
  difference = _difference(predicted, targets)
  angle = tf.sin(difference[..., 6:])
  return smooth_l1(tf.concat([difference[..., :6], angle], axis=-1))


def directions(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
  """Cross entropy of direction bins: [...] of logits [..., 2] and bins [...], 0 where below 0."""
  loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(targets, 0), logits)
  return tf.where(targets >= 0, loss, tf.zeros_like(loss))


def flow(predicted: tf.Tensor, targets: tf.Tensor, diagonals: tf.Tensor) -> tf.Tensor:
  """Smooth L1 of flow in anchor units.

  Args:
    predicted: [..., per_cell, frames, 3] float32: x, y in metres, heading in radians.
    targets: the same; NaN where there is none.
    diagonals: [per_cell] metres, the unit of x and y.

  Returns:
    [..., per_cell, frames, 3] float32, 0 where targets are NaN.
  """
  difference = _difference(predicted, targets)
  place = difference[..., :2] / diagonals[:, tf.newaxis, tf.newaxis]
  angle = boxes_lib.wrap_angle(difference[..., 2:])
  return smooth_l1(tf.concat([place, angle], axis=-1))


def _difference(predicted, targets):
  known = ~tf.math.is_nan(targets)
  return tf.where(known, predicted - tf.where(known, targets, 0.0), tf.zeros_like(predicted))
