"""Box flow: how the vehicle at each anchor of the first sweep moves on."""

import tensorflow as tf

from tf_taskology.geometry import anchors as anchors_lib
from tf_taskology.tasks import anchor_losses, anchor_targets, task as task_lib

BOX_FLOW = "box_flow"


class BoxFlow(task_lib.Task):
  """Motion of boxes from the first frame of a sample to each of the others (Taskology, 3.2.2).

    box_flow: [batch, 1, rows, columns, per_cell * (num_frames - 1) * 3]: anchor after anchor, and
      of each frame after frame: x and y in metres, heading in radians. With `shared`, all anchors
      of a cell move alike, and the channels are (num_frames - 1) * 3.

  All frames are in one frame of reference. The task takes the whole sequence and answers once, so
  its axis of frames has length 1.

  Attributes:
    name: "box_flow".
    takes: "sequence".
  """

  name = "box_flow"
  observes = "points"
  takes = "sequence"

  def __init__(
    self,
    anchors: anchors_lib.Anchors,
    num_frames: int = 3,
    shared: bool = False,
    positive_iou: float = 0.6,
    negative_iou: float = 0.45,
    weight: float = 1.0,
  ):
    """Box flow.

    Args:
      anchors: as those of the detection.
      num_frames: of a sample, at least 2.
      shared: one flow for all anchors of a cell.
      positive_iou: see `anchor_targets.assign`.
      negative_iou: see there.
      weight: of the loss.

    Raises:
      ValueError: too few frames.
    """
    if num_frames < 2:
      raise ValueError(f"BoxFlow.num_frames must be >= 2. Received: {num_frames}.")
    self._anchors = anchors
    self._num_frames = num_frames
    self._shared = shared
    self._positive_iou, self._negative_iou = positive_iou, negative_iou
    self._weight = weight

  @property
  def anchors(self) -> anchors_lib.Anchors:
    return self._anchors

  @property
  def num_frames(self) -> int:
    return self._num_frames

  @property
  def outputs(self):
    each = 1 if self._shared else self._anchors.per_cell
    unit = "x, y in metres, heading in radians, to each later frame"
    return {
      # Half precision is off by half a centimetre at ten metres.
      BOX_FLOW: task_lib.Output(
        each * (self._num_frames - 1) * 3,
        unit,
        missing=float("nan"),
        grid=self._anchors.shape[:2],
        per_sample=True,
      )
    }

  @property
  def raw_channels(self):
    return self.outputs[BOX_FLOW].channels

  def decode(self, raw):
    """[..., raw_channels]: x and y come in anchor diagonals."""
    unit = tf.constant(self._anchors.diagonals)
    unit = tf.reduce_mean(unit, keepdims=True) if self._shared else unit
    scale = tf.stack([unit, unit, tf.ones_like(unit)], axis=-1)[:, tf.newaxis]
    scale = tf.tile(scale, [1, self._num_frames - 1, 1])
    return {BOX_FLOW: raw * tf.reshape(scale, [-1])}

  @property
  def reads(self):
    return ("boxes", "classes", "tracks")

  def targets(self, labels):
    """Labels of boxes in a common frame of reference; see `anchor_targets.track_flow`.

    Args:
      labels: "boxes" [batch, frames, n, 7] float32, "classes" and "tracks" [batch, frames, n] int.

    Returns:
      {"box_flow": [batch, 1, rows, columns, channels] float32}, NaN where nothing is to be learnt:
      at anchors without a box, and in frames in which the vehicle has none. With `shared` a cell
      learns the flow of the first of its anchors that has one.
    """
    boxes, classes, tracks = (labels[name] for name in self.reads)
    assignment = anchor_targets.assign(
      self._anchors, boxes[:, 0], classes[:, 0], self._positive_iou, self._negative_iou
    )
    flow = anchor_targets.track_flow(boxes, classes, tracks)
    flow = assignment.gather(tf.pad(flow, [[0, 0], [0, 1], [0, 0], [0, 0]]))
    flow = tf.where(assignment.positive[..., tf.newaxis, tf.newaxis], flow, float("nan"))
    if self._shared:
      first = tf.argmax(assignment.positive, axis=-1)
      flow = tf.gather(flow, first[..., tf.newaxis], batch_dims=3)
    return {BOX_FLOW: tf.reshape(flow, [-1, 1, *flow.shape[1:3], self.raw_channels])}

  def loss(self, labels, predictions):
    """Term "flow": smooth L1 in anchor units at positive anchors, by the number of them."""
    truth = self._anchor_flows(labels[BOX_FLOW])
    predicted = self._anchor_flows(predictions[BOX_FLOW])
    known = tf.reduce_any(~tf.math.is_nan(truth), axis=[-2, -1])
    positives = tf.reduce_sum(tf.cast(known, tf.float32), axis=[1, 2, 3])
    diagonals = (
      self._anchors.diagonals.mean(keepdims=True) if self._shared else (self._anchors.diagonals)
    )
    value = anchor_losses.flow(predicted, truth, diagonals)
    return {"flow": self._weight * anchor_losses.per_positive(value, positives, positives > 0)}

  def metrics(self):
    """flow_metres: error of the motion seen from above; flow_radians: of the turn."""
    return {
      "flow_metres": task_lib.TaskMetric(self._error(slice(0, 2)), name="flow_metres"),
      "flow_radians": task_lib.TaskMetric(self._error(slice(2, 3)), name="flow_radians"),
    }

  def sample_weights(self, labels):
    """Which cells have a flow: [batch, 1, rows, columns, 1] float32."""
    known = ~tf.math.is_nan(labels[BOX_FLOW])
    return tf.cast(tf.reduce_any(known, axis=-1, keepdims=True), tf.float32)

  def _anchor_flows(self, flow):
    """[batch, 1, rows, columns, channels] -> [batch, rows, columns, anchors, frames, 3]."""
    return tf.reshape(flow, [-1, *flow.shape[2:4], flow.shape[4] // (3 * (self._num_frames - 1)),
                             self._num_frames - 1, 3])  # fmt: skip

  def _error(self, part):
    def error(labels, predictions):
      truth = self._anchor_flows(labels[BOX_FLOW])[..., part]
      known = ~tf.math.is_nan(truth)
      difference = self._anchor_flows(predictions[BOX_FLOW])[..., part] - truth
      length = tf.norm(tf.where(known, difference, 0.0), axis=-1)
      return length, tf.cast(known[..., 0], tf.float32)

    return error
