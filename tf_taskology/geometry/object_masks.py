"""Where a frame may move by itself: masks of movable objects."""

from collections.abc import Sequence

import tensorflow as tf


def movable(logits: tf.Tensor, classes: Sequence[int], soft: bool = False) -> tf.Tensor:
  """Which pixels a segmentation gives to movable classes.

  Args:
    logits: [..., height, width, channels] float, of all classes.
    classes: numbers of the movable ones.
    soft: their probability, rather than 1 where one of them has the largest logit.

  Returns:
    [..., height, width, 1], same dtype, in 0..1. Differentiable only if soft.
  """
  if soft:
    return tf.reduce_sum(
      tf.gather(tf.nn.softmax(logits), list(classes), axis=-1), axis=-1, keepdims=True
    )
  return movable_labels(tf.argmax(logits, axis=-1)[..., tf.newaxis], classes, logits.dtype)


def movable_labels(labels: tf.Tensor, classes: Sequence[int], dtype=tf.float32) -> tf.Tensor:
  """1 where class numbers [...] are among `classes`, else 0: the same shape."""
  found = tf.zeros_like(labels, tf.bool)
  for number in classes:
    found |= labels == tf.cast(number, labels.dtype)
  return tf.cast(found, dtype)


def boxes(instances: tf.Tensor, max_instances: int = 32, min_area: int = 20) -> tf.Tensor:
  """Bounding boxes of objects, filled: the masks of Depth from Videos in the Wild.

  Args:
    instances: [batch, height, width, 1], number of the object at each pixel, 0 for none. Numbers
      above `max_instances` are ignored.
    max_instances: highest number that counts.
    min_area: objects of this many pixels or fewer are left out: most are errors.

  Returns:
    [batch, height, width, 1] float32, 0 or 1.
  """
  result = tf.zeros(tf.shape(instances), tf.bool)
  for number in range(1, max_instances + 1):
    mask = tf.equal(instances, tf.cast(number, instances.dtype))
    large = tf.reduce_sum(tf.cast(mask, tf.int32), axis=[1, 2], keepdims=True) > min_area
    rows = tf.reduce_any(mask, axis=2, keepdims=True)
    columns = tf.reduce_any(mask, axis=1, keepdims=True)
    result |= rows & columns & large
  return tf.cast(result, tf.float32)


def dilate(mask: tf.Tensor, pixels: int) -> tf.Tensor:
  """Masks [batch, height, width, 1] grown by `pixels` in every direction (maximum over squares)."""
  return tf.nn.max_pool2d(mask, 2 * pixels + 1, 1, "SAME") if pixels else mask
