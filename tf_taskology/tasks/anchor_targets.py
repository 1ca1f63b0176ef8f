"""Which anchor learns which box: assignment by overlap, residuals, direction bins and flow.

As the original PointPillars (Lang et al. 2019, section 4.2) and its public implementations.
"""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tf_taskology.geometry import anchors as anchors_lib, boxes as boxes_lib

PADDING = 0  # class of a box that is none
DO_NOT_CARE = -1  # class of a box that is neither to be found nor to be taken for background
DIRECTION_OFFSET = math.pi / 4  # bins begin here: no heading of an anchor lies at their ends


@dataclasses.dataclass(frozen=True)
class Assignment:
  """What each anchor is to learn.

  Attributes:
    classes: [batch, rows, columns, per_cell] int32: class from 1 on, 0 background, -1 no matter.
    index: of the box, same shape, int32; 0 where there is none.
  """

  classes: tf.Tensor
  index: tf.Tensor

  @property
  def positive(self) -> tf.Tensor:
    """Which anchors have a box: [batch, rows, columns, per_cell] bool."""
    return self.classes > 0

  def gather(self, values: tf.Tensor) -> tf.Tensor:
    """What belongs to boxes, [batch, n, ...], at each anchor's box: [batch, r, c, per_cell, ...].

    Means something at positive anchors only. n must be at least 1.
    """
    return tf.gather(values, self.index, batch_dims=1)


def assign(
  anchors: anchors_lib.Anchors,
  boxes: tf.Tensor,
  classes: tf.Tensor,
  positive: float = 0.6,
  negative: float = 0.45,
) -> Assignment:
  """Assigns boxes to anchors by the overlap seen from above, turned to the nearest 90 degrees.

  An anchor takes the box that it overlaps most if the IoU is at least `positive`; a box that no
  anchor overlaps that much takes the best one there is, or those near its centre that are equally
  good (all that lie inside a bus, or around a child), even from a box that they overlap more:
  OpenPCDet and Lingvo leave such anchors to the other box, and nothing learns the one that needs
  them. Of several such boxes at an anchor the last takes it. Anchors below `negative` are
  background.

  Only anchors near a box can overlap it enough, so each box looks at a window of the grid: the
  work does not grow with the grid. What an anchor and a box share is an interval of columns times
  one of rows.

  Args:
    anchors: the anchors.
    boxes: [batch, n, 7] float32.
    classes: [batch, n] int: from 1 on, `PADDING` or `DO_NOT_CARE`. A box whose centre is outside
      the grid counts as the latter.
    positive: IoU from which an anchor has a box.
    negative: IoU below which it is background.

  Returns:
    The assignment.

  Raises:
    ValueError: unless 0 < negative <= positive <= 1.
  """
  if not 0 < negative <= positive <= 1:
    raise ValueError(
      f"0 < negative <= positive <= 1 must hold. Received: {negative} and {positive}."
    )
  classes = _within(anchors, boxes, tf.cast(classes, tf.int32))
  # Numbers of padding may be anything; sizes of 0 keep them from overlapping.
  boxes = tf.where((classes == PADDING)[..., tf.newaxis], tf.zeros_like(boxes), boxes)
  rectangles = boxes_lib.axis_aligned(boxes, "nearest")
  iou, anchor = _window_ious(anchors, boxes, rectangles, negative)
  number = tf.range(tf.shape(boxes)[1])[:, tf.newaxis]
  kind = classes[..., tf.newaxis]
  wanted = kind > 0
  most = tf.reduce_max(iou, axis=-1, keepdims=True)
  alone = wanted & (most > 0) & (most < positive) & (iou >= most)
  count = tf.shape(boxes)[0] * anchors.count
  # Where several boxes meet at an anchor; the last segment takes what lies outside of the grid.
  largest = lambda values: tf.math.unsorted_segment_max(values, anchor, count + 1)
  best = tf.maximum(largest(tf.where(wanted, iou, 0.0)), 0.0)
  first = wanted & (iou > 0) & (iou >= tf.gather(best, anchor))
  last = tf.int32.max
  index = tf.math.unsorted_segment_min(tf.where(first, number, last), anchor, count + 1)
  index = tf.where(index < last, index, 0)
  forced = largest(tf.where(alone, number, -1))
  doubtful = largest(tf.cast((kind == DO_NOT_CARE) & (iou >= negative), tf.int32)) > 0
  shape = tf.concat([tf.shape(boxes)[:1], anchors.shape], axis=0)
  best, index, forced, doubtful = (
    tf.reshape(values[:-1], shape) for values in (best, index, forced, doubtful)
  )
  has_box = (best >= positive) | (forced >= 0)
  index = tf.where(forced >= 0, forced, index)
  # One row more, so that there is something to gather from where there are no boxes.
  kinds = tf.gather(tf.pad(classes, [[0, 0], [0, 1]]), index, batch_dims=1)
  none = tf.where((best >= negative) | doubtful, DO_NOT_CARE, 0)
  return Assignment(tf.where(has_box, kinds, none), tf.where(has_box, index, 0))


def residuals(anchors: anchors_lib.Anchors, assignment: Assignment, boxes: tf.Tensor) -> tf.Tensor:
  """Residuals to learn: [batch, rows, columns, per_cell, 7], NaN where an anchor has no box."""
  matched = assignment.gather(tf.pad(boxes, [[0, 0], [0, 1], [0, 0]]))
  encoded = boxes_lib.encode(matched, tf.constant(anchors.boxes()))
  return tf.where(assignment.positive[..., tf.newaxis], encoded, np.nan)


def directions(assignment: Assignment, boxes: tf.Tensor) -> tf.Tensor:
  """Direction bins to learn: [batch, rows, columns, per_cell] int32, -1 where there is no box."""
  bins = direction_bin(boxes[..., 6])
  return tf.where(assignment.positive, assignment.gather(tf.pad(bins, [[0, 0], [0, 1]])), -1)


def direction_bin(heading: tf.Tensor) -> tf.Tensor:
  """In which half of the circle headings lie: int32; 0 from `DIRECTION_OFFSET` on, 1 after pi."""
  return tf.cast(boxes_lib.wrap_angle(heading - DIRECTION_OFFSET - math.pi) >= 0, tf.int32)


def turn_to_bin(heading: tf.Tensor, bins: tf.Tensor) -> tf.Tensor:
  """The heading or its opposite, whichever lies in the bin: -pi..pi, radians."""
  opposite = direction_bin(heading) != bins
  return boxes_lib.wrap_angle(heading + math.pi * tf.cast(opposite, heading.dtype))


def track_flow(boxes: tf.Tensor, classes: tf.Tensor, tracks: tf.Tensor) -> tf.Tensor:
  """How the boxes of the first frame move on: (x, y, heading) to every later frame.

  Args:
    boxes: [batch, frames, n, 7] float32, all frames' boxes in one frame of reference.
    classes: [batch, frames, n] int; 0 and below is not there.
    tracks: [batch, frames, n] int, which boxes are the same vehicle.

  Returns:
    [batch, n, frames - 1, 3] float32: metres, metres, radians in -pi..pi; NaN where the box of the
    first frame is none, or the vehicle has no box in the later one.
  """
  same = tracks[:, :1, :, tf.newaxis] == tracks[:, 1:, tf.newaxis, :]
  same &= (classes[:, :1, :, tf.newaxis] > 0) & (classes[:, 1:, tf.newaxis, :] > 0)
  first = boxes[:, :1]
  there = tf.gather(boxes[:, 1:], tf.argmax(same, axis=-1), batch_dims=2)
  turn = boxes_lib.wrap_angle(there[..., 6:] - first[..., 6:])
  flow = tf.concat([there[..., :2] - first[..., :2], turn], axis=-1)
  flow = tf.where(tf.reduce_any(same, axis=-1, keepdims=True), flow, np.nan)
  return tf.transpose(flow, [0, 2, 1, 3])


def _within(anchors, boxes, classes):
  """Classes with `DO_NOT_CARE` for boxes outside the grid."""
  grid = anchors.grid
  x, y = boxes[..., 0], boxes[..., 1]
  inside = (x >= grid.x_range[0]) & (x < grid.x_range[1])
  inside &= (y >= grid.y_range[0]) & (y < grid.y_range[1])
  return tf.where((classes > 0) & ~inside, DO_NOT_CARE, classes)


def _window_ious(anchors, boxes, rectangles, negative):
  """IoU of boxes with the anchors near them.

  Args:
    anchors: the anchors.
    boxes: [batch, n, 7].
    rectangles: [batch, n, 4], the boxes turned to the nearest 90 degrees.
    negative: anchors with this IoU or more are near.

  Returns:
    iou: [batch, n, window] float32, 0 outside of the grid.
    anchor: which one each is of all samples' anchors, the same shape, int32; the number of them outside of the grid.
  """
  rows, columns, per_cell = anchors.shape
  length, width, _, heading = anchors.kinds.T
  across = np.abs(np.sin(heading)) > math.sqrt(0.5)
  half_x, half_y = 0.5 * np.where(across, [width, length], [length, width])
  reach = _reach(anchors, negative)
  offsets = tf.range(-reach, reach + 1)
  low_x, low_y, high_x, high_y = tf.split(rectangles, 4, axis=-1)

  def shared(axis, centres, half, low, high):
    """Intervals shared along an axis, [batch, n, side, per_cell], and the cells' numbers."""
    start = (anchors.grid.x_range, anchors.grid.y_range)[axis][0]
    cell = tf.cast(tf.floor((boxes[..., axis : axis + 1] - start) / anchors.grid.cell), tf.int32)
    cells = cell + offsets
    inside = (cells >= 0) & (cells < len(centres))
    cells = tf.where(inside, cells, 0)
    centre = tf.gather(tf.constant(centres), cells)[..., tf.newaxis]
    common = tf.minimum(centre + half, high[..., tf.newaxis])
    common = tf.nn.relu(common - tf.maximum(centre - half, low[..., tf.newaxis]))
    return common, cells, inside

  x, y = anchors.centres
  common_x, column, inside_x = shared(0, x, half_x, low_x, high_x)
  common_y, row, inside_y = shared(1, y, half_y, low_y, high_y)
  common = common_y[:, :, :, tf.newaxis] * common_x[:, :, tf.newaxis]
  area = ((high_x - low_x) * (high_y - low_y))[..., tf.newaxis, tf.newaxis]
  iou = common / (tf.constant(length * width) + area - common)
  sample = tf.range(tf.shape(boxes)[0])[:, tf.newaxis, tf.newaxis, tf.newaxis]
  cell = (sample * rows + row[:, :, :, tf.newaxis]) * columns + column[:, :, tf.newaxis]
  anchor = cell[..., tf.newaxis] * per_cell + tf.range(per_cell)
  inside = (inside_y[:, :, :, tf.newaxis] & inside_x[:, :, tf.newaxis])[..., tf.newaxis]
  beyond = tf.shape(boxes)[0] * anchors.count
  flat = tf.concat([tf.shape(boxes)[:2], [(2 * reach + 1) ** 2 * per_cell]], axis=0)
  return (
    tf.reshape(tf.where(inside, iou, 0.0), flat),
    tf.reshape(tf.where(inside, anchor, beyond), flat),
  )


def _reach(anchors, negative):
  """Cells to each side of a box's in which an anchor can have the IoU.

  A box that overlaps an anchor of length a so much is at most a / IoU long, and shares IoU of its
  own length or more: their centres are no farther apart than half of both lengths without that.
  """
  longest = float(np.max(anchors.kinds[:, :2]))
  metres = 0.5 * longest + max(0.0, 0.5 - negative) * longest / negative
  return math.ceil(metres / anchors.grid.cell) + 1
