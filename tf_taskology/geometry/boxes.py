"""Boxes in space: what their seven numbers mean, and what follows from them directly.

A box is (x, y, z, length, width, height, heading): its centre and size in metres, and the angle in
radians about the z axis, counter-clockwise seen from above, from the x axis to the box's front.
Length lies along the heading. The frame is right-handed with z up, e.g. a vehicle's: x forward,
y left. "Bird's-eye view" (bev) means the rectangle that is left without z and height.
"""

import math

import tensorflow as tf

SIZE = 7  # numbers of a box
_CORNER_SIGNS = (
  (1, 1),
  (-1, 1),
  (-1, -1),
  (1, -1),
)  # front left, rear left, rear right, front right


def wrap_angle(angle: tf.Tensor, period: float = 2 * math.pi) -> tf.Tensor:
  """The same angle in -period / 2 <= angle < period / 2, radians. Its gradient is 1."""
  return angle - period * tf.floor(angle / period + 0.5)


def bev_corners(boxes: tf.Tensor) -> tf.Tensor:
  """Corners seen from above: [..., 7] -> [..., 4, 2], counter-clockwise from the front left one."""
  cosine, sine = tf.cos(boxes[..., 6:]), tf.sin(boxes[..., 6:])
  signs = tf.constant(_CORNER_SIGNS, boxes.dtype)
  along = 0.5 * boxes[..., 3:4] * signs[:, 0]
  across = 0.5 * boxes[..., 4:5] * signs[:, 1]
  x = boxes[..., 0:1] + along * cosine - across * sine
  y = boxes[..., 1:2] + along * sine + across * cosine
  return tf.stack([x, y], axis=-1)


def corners(boxes: tf.Tensor) -> tf.Tensor:
  """All corners: [..., 7] -> [..., 8, 3], the four at the bottom as `bev_corners`, then the top."""
  flat = bev_corners(boxes)
  bottom, top = boxes[..., 2] - 0.5 * boxes[..., 5], boxes[..., 2] + 0.5 * boxes[..., 5]
  level = lambda z: tf.concat(
    [flat, tf.broadcast_to(z[..., tf.newaxis, tf.newaxis], tf.shape(flat[..., :1]))], axis=-1
  )
  return tf.concat([level(bottom), level(top)], axis=-2)


def axis_aligned(boxes: tf.Tensor, how: str = "enclosing") -> tf.Tensor:
  """Rectangles parallel to the axes that stand for boxes seen from above.

  Args:
    boxes: [..., 7] float.
    how: "enclosing": the smallest that holds the box. "nearest": the box turned to the nearest
      multiple of 90 degrees, as PointPillars assigns anchors.

  Returns:
    [..., 4]: smallest x, smallest y, largest x, largest y, metres.

  Raises:
    ValueError: for another `how`.
  """
  if how == "enclosing":
    points = bev_corners(boxes)
    return tf.concat([tf.reduce_min(points, axis=-2), tf.reduce_max(points, axis=-2)], axis=-1)
  if how != "nearest":
    raise ValueError(f"how must be 'enclosing' or 'nearest'. Received: {how!r}.")
  across = tf.abs(tf.sin(boxes[..., 6])) > math.sqrt(0.5)
  half_x = 0.5 * tf.where(across, boxes[..., 4], boxes[..., 3])
  half_y = 0.5 * tf.where(across, boxes[..., 3], boxes[..., 4])
  x, y = boxes[..., 0], boxes[..., 1]
  return tf.stack([x - half_x, y - half_y, x + half_x, y + half_y], axis=-1)


def transform(boxes: tf.Tensor, pose: tf.Tensor) -> tf.Tensor:
  """Boxes in another frame.

  Args:
    boxes: [..., n, 7] float.
    pose: [..., 4, 4] float, takes points of the boxes' frame to the other frame. Boxes stay upright
      (z up): of a pose that tilts, only the turn of the heading seen from above is kept.

  Returns:
    [..., n, 7], headings in -pi..pi.
  """
  rotation = pose[..., tf.newaxis, :3, :3]
  centre = tf.linalg.matvec(rotation, boxes[..., :3]) + pose[..., tf.newaxis, :3, 3]
  heading = boxes[..., 6]
  front = tf.stack([tf.cos(heading), tf.sin(heading), tf.zeros_like(heading)], axis=-1)
  turned = tf.linalg.matvec(rotation, front)
  heading = tf.atan2(turned[..., 1], turned[..., 0])
  return tf.concat([centre, boxes[..., 3:6], heading[..., tf.newaxis]], axis=-1)


def contains(boxes: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
  """Which points lie in which boxes, faces included.

  Args:
    boxes: [..., boxes, 7] float.
    points: [..., points, 3 or more] float; only x, y, z are read.

  Returns:
    [..., points, boxes] bool.
  """
  boxes = boxes[..., tf.newaxis, :, :]
  offset = points[..., :, tf.newaxis, :3] - boxes[..., :3]
  cosine, sine = tf.cos(boxes[..., 6]), tf.sin(boxes[..., 6])
  along = offset[..., 0] * cosine + offset[..., 1] * sine
  across = offset[..., 1] * cosine - offset[..., 0] * sine
  local = tf.stack([along, across, offset[..., 2]], axis=-1)
  return tf.reduce_all(tf.abs(local) <= 0.5 * boxes[..., 3:6], axis=-1)


def encode(boxes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
  """Residuals of boxes to anchors (Lang et al., PointPillars, section 2.2).

  x and y in units of the anchor's diagonal seen from above, z of its height, the logarithms of the
  ratios of sizes, and the difference of headings in -pi..pi.

  Args:
    boxes: [..., 7] float, sizes above 0.
    anchors: [..., 7] float, sizes above 0; broadcast against `boxes`.

  Returns:
    [..., 7]: x, y, z, log length, log width, log height, heading.
  """
  scale = _scale(anchors)
  place = (boxes[..., :3] - anchors[..., :3]) / scale
  size = tf.math.log(boxes[..., 3:6] / anchors[..., 3:6])
  heading = wrap_angle(boxes[..., 6:] - anchors[..., 6:])
  return tf.concat([place, size, heading], axis=-1)


def decode(residuals: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
  """The boxes that `encode` turns into these residuals: [..., 7], headings in -pi..pi."""
  place = residuals[..., :3] * _scale(anchors) + anchors[..., :3]
  size = tf.exp(residuals[..., 3:6]) * anchors[..., 3:6]
  heading = wrap_angle(residuals[..., 6:] + anchors[..., 6:])
  return tf.concat([place, size, heading], axis=-1)


def _scale(anchors):
  """[..., 3]: units of x, y and z residuals, metres."""
  diagonal = tf.sqrt(tf.square(anchors[..., 3:4]) + tf.square(anchors[..., 4:5]))
  return tf.concat([diagonal, diagonal, anchors[..., 5:6]], axis=-1)
