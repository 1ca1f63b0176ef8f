"""Keeps the best of boxes that overlap (non-maximum suppression), for use inside exported graphs."""

import dataclasses

import tensorflow as tf

from tf_taskology.geometry import box_overlap

_NONE = -1e30  # below every score


@dataclasses.dataclass(frozen=True)
class Kept:
  """Boxes that were kept, best first.

  Attributes:
    indices: [batch, max_outputs] int32 into the boxes; 0 where nothing was left to keep.
    valid: [batch, max_outputs] bool.
  """

  indices: tf.Tensor
  valid: tf.Tensor

  def gather(self, values: tf.Tensor) -> tf.Tensor:
    """[batch, n, ...] at the kept boxes: [batch, max_outputs, ...], 0 where not valid."""
    # A row of zeros behind the last: also where there is nothing to gather from.
    shape = tf.shape(values)
    zeros = tf.zeros(tf.concat([shape[:1], [1], shape[2:]], axis=0), values.dtype)
    places = tf.where(self.valid, self.indices, shape[1])
    return tf.gather(tf.concat([values, zeros], axis=1), places, batch_dims=1)


def suppress(
  boxes: tf.Tensor,
  scores: tf.Tensor,
  max_outputs: int,
  iou_threshold: float,
  score_threshold: float = 0.0,
  overlap: str = "rotated",
  classes: tf.Tensor | None = None,
) -> Kept:
  """Greedy suppression: the best box stays, those that overlap it more than allowed go, and so on.

  It stops at `max_outputs`, so the work is that many passes over the boxes; areas of intersection
  are computed only of boxes near the one kept. A graph without Python state, of fixed output size.

  Args:
    boxes: [batch, n, 7] float32, see `boxes`.
    scores: [batch, n] float32.
    max_outputs: boxes kept of each sample, at most.
    iou_threshold: 0..1; boxes with a larger overlap go.
    score_threshold: boxes with this score or less go. Scores or boxes that are not finite go, too.
    overlap: "rotated" (from above, exact), "rotated_3d" (volumes), or "axis_aligned" (of enclosing
      rectangles from above, as the original PointPillars).
    classes: [batch, n] int; boxes of different classes do not suppress each other. None: one class.

  Returns:
    What was kept.

  Raises:
    ValueError: for a setting out of its range.
  """
  if overlap not in box_overlap.OVERLAPS:
    raise ValueError(
      f"overlap must be one of {tuple(box_overlap.OVERLAPS)}. Received: {overlap!r}."
    )
  if max_outputs < 1 or not 0 <= iou_threshold <= 1:
    raise ValueError(
      "max_outputs must be >= 1 and iou_threshold in 0..1. "
      f"Received: {max_outputs} and {iou_threshold}."
    )
  finite = tf.reduce_all(tf.math.is_finite(boxes), axis=-1) & tf.math.is_finite(scores)
  boxes = tf.stop_gradient(tf.where(finite[..., tf.newaxis], boxes, tf.zeros_like(boxes)))
  left = tf.where(finite & (scores > score_threshold), tf.stop_gradient(scores), _NONE)
  measure = box_overlap.OVERLAPS[overlap]
  batch = tf.shape(scores)[0]

  def unfinished(step, left, indices, valid):
    return (step < max_outputs) & tf.reduce_any(left > _NONE)

  def keep_one(step, left, indices, valid):
    best = tf.argmax(left, axis=-1, output_type=tf.int32)
    some = tf.gather(left, best, batch_dims=1) > _NONE
    here = tf.range(max_outputs) == step
    indices = tf.where(here & some[:, tf.newaxis], best[:, tf.newaxis], indices)
    valid |= here & some[:, tf.newaxis]
    return step + 1, _remove(left, best, boxes, classes, measure, iou_threshold), indices, valid

  empty = tf.zeros([batch, max_outputs], tf.int32)
  _, _, indices, valid = tf.while_loop(
    unfinished,
    keep_one,
    (tf.constant(0), left, empty, tf.zeros_like(empty, tf.bool)),
    shape_invariants=(
      tf.TensorShape([]),
      scores.shape,
      tf.TensorShape([None, max_outputs]),
      tf.TensorShape([None, max_outputs]),
    ),
  )
  return Kept(indices, valid)


def _remove(left, best, boxes, classes, measure, iou_threshold):
  """Scores without the best box of each sample and those that overlap it."""
  chosen = tf.gather(boxes, best, batch_dims=1)
  radius = lambda box: 0.5 * tf.norm(box[..., 3:5], axis=-1)
  away = boxes[..., :2] - chosen[:, tf.newaxis, :2]
  reach = radius(boxes) + radius(chosen)[:, tf.newaxis]
  # An enclosing rectangle reaches no farther than sqrt(2) times the radius of its box.
  near = (left > _NONE) & (tf.reduce_sum(tf.square(away), -1) <= 2 * tf.square(reach))
  if classes is not None:
    near &= classes == tf.gather(classes, best, batch_dims=1)[:, tf.newaxis]
  pairs = tf.where(near)
  iou = measure(tf.gather(chosen, pairs[:, 0]), tf.gather_nd(boxes, pairs))
  gone = tf.boolean_mask(pairs, iou > iou_threshold)
  itself = tf.stack([tf.range(tf.size(best)), best], axis=-1)
  gone = tf.concat([gone, tf.cast(itself, gone.dtype)], axis=0)
  return tf.tensor_scatter_nd_update(left, gone, tf.fill(tf.shape(gone)[:1], _NONE))
