"""Where a depth map jumps."""

import tensorflow as tf


def depth_edges(depth: tf.Tensor, threshold: float, margin: int = 0) -> tf.Tensor:
  """Pixels at which the surface breaks off: their neighbourhood is no patch of one smooth surface.

  Inverse depth w is linear in pixel coordinates on every plane, however slanted. So the test is its
  second difference along x and along y: |w[x-1] - 2 w[x] + w[x+1]| > threshold w[x]. Where depth
  jumps by a ratio of 1 + threshold, the pixels on both sides are marked; so are sharp creases if
  the threshold is small.

  Args:
    depth: [..., height, width, 1] float, metres; 0 means missing. Predicted or measured.
    threshold: relative jump, e.g. 0.1.
    margin: pixels by which the marks grow in every direction.

  Returns:
    [..., height, width, 1] bool. Only directions in which both neighbours have depth count, so none
    at missing depth.

  Raises:
    ValueError: if the rank is wrong or height and width are not static.
  """
  if depth.shape.rank is None or depth.shape.rank < 3 or not depth.shape[-3:].is_fully_defined():
    raise ValueError(f"Expected depth of shape [..., height, width, 1]. Received: {depth.shape}.")
  known = depth > 0
  inverse = tf.where(known, 1 / tf.where(known, depth, tf.ones_like(depth)), tf.zeros_like(depth))
  edges = _bends(inverse, known, -2, threshold) | _bends(inverse, known, -3, threshold)
  if margin:
    folded = tf.reshape(tf.cast(edges, tf.float32), [-1, *depth.shape[-3:]])
    grown = tf.nn.max_pool2d(folded, 2 * margin + 1, 1, "SAME") > 0
    edges = tf.reshape(grown, tf.shape(edges))
  return edges


def _bends(inverse, known, axis, threshold):
  if inverse.shape[axis] < 3:
    return tf.zeros_like(known)
  before, here, after = _triples(inverse, axis)
  known = tf.logical_and(tf.logical_and(*_triples(known, axis)[:2]), _triples(known, axis)[2])
  bent = known & (tf.abs(before - 2 * here + after) > threshold * here)
  paddings = [[0, 0] for _ in range(inverse.shape.rank)]
  paddings[axis] = [1, 1]
  return tf.pad(bent, paddings)


def _triples(x, axis):
  if axis == -2:
    return x[..., :-2, :], x[..., 1:-1, :], x[..., 2:, :]
  return x[..., :-2, :, :], x[..., 1:-1, :, :], x[..., 2:, :, :]
