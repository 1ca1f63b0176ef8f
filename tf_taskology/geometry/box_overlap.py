"""How much boxes overlap: exact areas of intersection of turned rectangles, IoU from above and 3D.

All functions broadcast their arguments against each other, so [n, 7] with [n, 7] are n pairs and
[n, 1, 7] with [m, 7] all of them (`pairs` does that). Boxes are as in `boxes`.
"""

from collections.abc import Callable

import tensorflow as tf

from tf_taskology.geometry import boxes as boxes_lib

# Below this a difference (metres) counts as none when a crossing is sought; the area that this
# gets wrong is less than 1e-9 m times the box's length.
_PARALLEL = 1e-9


def pairs(overlap: Callable, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """All pairs: overlap of [..., n, 7] and [..., m, 7] as [..., n, m]."""
  return overlap(first[..., :, tf.newaxis, :], second[..., tf.newaxis, :, :])


def bev_intersection(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """Area of the intersection seen from above, square metres.

  By Green's theorem in the frame of the first box, where it is |x| <= a, |y| <= b: the area is the
  integral of clamp(x, -a, a) dy along the part of the second box's outline with |y| <= b. On an
  edge that is at most three straight pieces. Nothing is sorted or counted, so edges that coincide
  are no special case, and the area is continuous in both boxes.

  Args:
    first: [..., 7] float.
    second: [..., 7] float.

  Returns:
    [...] of the same dtype, 0 where boxes do not touch.
  """
  cosine, sine = tf.cos(first[..., 6]), tf.sin(first[..., 6])
  away = second[..., :2] - first[..., :2]
  centre_x = away[..., 0] * cosine + away[..., 1] * sine
  centre_y = away[..., 1] * cosine - away[..., 0] * sine
  turn = second[..., 6] - first[..., 6]
  along_x, along_y = 0.5 * second[..., 3] * tf.cos(turn), 0.5 * second[..., 3] * tf.sin(turn)
  across_x, across_y = -0.5 * second[..., 4] * tf.sin(turn), 0.5 * second[..., 4] * tf.cos(turn)
  # The edges, anticlockwise: front, left, rear, right. Each starts at its right end.
  start_x = _edges(along_x - across_x, along_x + across_x) + centre_x[..., tf.newaxis]
  start_y = _edges(along_y - across_y, along_y + across_y) + centre_y[..., tf.newaxis]
  step_x, step_y = _edges(2 * across_x, -2 * along_x), _edges(2 * across_y, -2 * along_y)
  half_length, half_width = 0.5 * first[..., 3:4], 0.5 * first[..., 4:5]
  area = tf.reduce_sum(
    _edge_integral(start_x, start_y, step_x, step_y, half_length, half_width), axis=-1
  )
  reach = _radius(first) + _radius(second)
  near = tf.reduce_sum(tf.square(away), axis=-1) < tf.square(reach)
  return tf.where(near, tf.nn.relu(area), tf.zeros_like(area))


def bev_iou(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """Intersection over union seen from above: [...] in 0..1; 0 where both areas are 0."""
  shared = bev_intersection(first, second)
  total = first[..., 3] * first[..., 4] + second[..., 3] * second[..., 4]
  return _ratio(shared, total)


def iou_3d(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """Intersection over union of volumes: [...] in 0..1; 0 where both volumes are 0."""
  top = tf.minimum(first[..., 2] + 0.5 * first[..., 5], second[..., 2] + 0.5 * second[..., 5])
  bottom = tf.maximum(first[..., 2] - 0.5 * first[..., 5], second[..., 2] - 0.5 * second[..., 5])
  shared = bev_intersection(first, second) * tf.nn.relu(top - bottom)
  total = tf.reduce_prod(first[..., 3:6], axis=-1) + tf.reduce_prod(second[..., 3:6], axis=-1)
  return _ratio(shared, total)


def enclosing_iou(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """IoU of the axis-aligned rectangles that enclose the boxes seen from above: [...]."""
  return rectangle_iou(boxes_lib.axis_aligned(first), boxes_lib.axis_aligned(second))


def nearest_iou(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """IoU seen from above of boxes turned to the nearest multiple of 90 degrees: [...]."""
  turned = [boxes_lib.axis_aligned(value, "nearest") for value in (first, second)]
  return rectangle_iou(*turned)


def rectangle_iou(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
  """IoU of axis-aligned rectangles [..., 4] (smallest x, y, largest x, y): [...]."""
  low = tf.maximum(first[..., :2], second[..., :2])
  high = tf.minimum(first[..., 2:], second[..., 2:])
  shared = tf.reduce_prod(tf.nn.relu(high - low), axis=-1)
  area = lambda value: tf.reduce_prod(value[..., 2:] - value[..., :2], axis=-1)
  return _ratio(shared, area(first) + area(second))


# What `overlap` may be where a setting names it.
OVERLAPS = {
  "rotated": bev_iou,
  "rotated_3d": iou_3d,
  "axis_aligned": enclosing_iou,
}


def _ratio(shared, total):
  # A rounding error must not make more of the intersection than of the whole.
  shared = tf.minimum(shared, 0.5 * total)
  return tf.math.divide_no_nan(shared, total - shared)


def _radius(box):
  return 0.5 * tf.sqrt(tf.square(box[..., 3]) + tf.square(box[..., 4]))


def _edges(front, left):
  """[..., 4] of four edges; what belongs to the rear and the right is the opposite."""
  return tf.stack([front, left, -front, -left], axis=-1)


def _edge_integral(start_x, start_y, step_x, step_y, half_length, half_width):
  """Integral of clamp(x) dy along an edge, start + t step, where |y| <= half_width."""
  first, last = _crossings(start_y, step_y, half_width)
  first, last = tf.clip_by_value(first, 0.0, 1.0), tf.clip_by_value(last, 0.0, 1.0)
  enter, leave = _crossings(start_x, step_x, half_length)
  enter, leave = tf.clip_by_value(enter, first, last), tf.clip_by_value(leave, first, last)
  values = [
    tf.clip_by_value(start_x + time * step_x, -half_length, half_length)
    for time in (first, enter, leave, last)
  ]
  pieces = (
    (values[0] + values[1]) * (enter - first)
    + (values[1] + values[2]) * (leave - enter)
    + (values[2] + values[3]) * (last - leave)
  )
  return 0.5 * step_y * pieces


def _crossings(start, step, half):
  """Times at which start + t step is -half or half, the earlier first."""
  small = tf.abs(step) < _PARALLEL
  step = tf.where(small, tf.constant(_PARALLEL, step.dtype), step)
  one, other = (-half - start) / step, (half - start) / step
  return tf.minimum(one, other), tf.maximum(one, other)
