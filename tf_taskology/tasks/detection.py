"""Detection of boxes in point clouds: classes, residuals and directions at anchors."""

import math
from collections.abc import Callable

import tensorflow as tf

from tf_taskology.geometry import anchors as anchors_lib, boxes as boxes_lib
from tf_taskology.tasks import anchor_losses, anchor_targets, task as task_lib

BOX_LOGITS = "box_logits"
BOX_RESIDUALS = "box_residuals"
BOX_DIRECTIONS = "box_directions"
_PRIOR = 0.01  # probability of a box that an untrained head should give (Lin et al. 2017)


class Detection(task_lib.Task):
  """3D boxes relative to anchors (PointPillars).

  Predictions are [batch, frames, rows, columns, channels] over the anchors' grid; channels are
  anchor after anchor:

    box_logits: [..., per_cell * num_classes], of sigmoids.
    box_residuals: [..., per_cell * 7], see `boxes.encode`. The heading is known up to 180 degrees.
    box_directions: [..., per_cell * 2] logits of `anchor_targets.direction_bin`.

  Labels have the same shapes (`targets` makes them of boxes): 1 and 0 for logits and directions. Published, a
  detector answers boxes (`decoder`).
  """

  name = "detection"
  observes = "points"

  def __init__(
    self,
    anchors: anchors_lib.Anchors,
    num_classes: int = 1,
    positive_iou: float = 0.6,
    negative_iou: float = 0.45,
    class_weight: float = 1.0,
    box_weight: float = 2.0,
    direction_weight: float = 0.2,
    decoder: Callable[[task_lib.Tensors], dict[str, tf.Tensor]] | None = None,
  ):
    """Detection.

    Args:
      anchors: the anchors.
      num_classes: classes of boxes, numbered from 1.
      positive_iou: see `anchor_targets.assign`.
      negative_iou: see there.
      class_weight: of the focal loss.
      box_weight: of the smooth L1 of residuals.
      direction_weight: of the cross entropy of directions.
      decoder: makes boxes of predictions [batch, rows, columns, channels]: a `box_decoding.BoxDecoder` of the same
        anchors. None: predictions are published as they are.

    Raises:
      ValueError: no classes.
    """
    if num_classes < 1:
      raise ValueError(f"Detection.num_classes must be >= 1. Received: {num_classes}.")
    self._anchors = anchors
    self._num_classes = num_classes
    self._positive_iou, self._negative_iou = positive_iou, negative_iou
    self._weights = (class_weight, box_weight, direction_weight)
    self._decoder = decoder

  @property
  def anchors(self) -> anchors_lib.Anchors:
    return self._anchors

  @property
  def num_classes(self) -> int:
    return self._num_classes

  @property
  def outputs(self):
    n, grid = self._anchors.per_cell, self._anchors.shape[:2]
    return {
      BOX_LOGITS: task_lib.Output(
        n * self._num_classes, "logits of sigmoids", missing=-1.0, grid=grid
      ),
      # Half precision moves a box by a millimetre or two.
      BOX_RESIDUALS: task_lib.Output(
        n * boxes_lib.SIZE,
        "x, y in anchor diagonals, z in heights, log sizes, radians",
        missing=float("nan"),
        grid=grid,
      ),
      BOX_DIRECTIONS: task_lib.Output(n * 2, "logits of two bins", missing=-1.0, grid=grid),
    }

  @property
  def raw_channels(self):
    return sum(output.channels for output in self.outputs.values())

  def decode(self, raw):
    """Splits [..., raw_channels]. Logits of boxes start at a small probability."""
    parts = tf.split(raw, [output.channels for output in self.outputs.values()], axis=-1)
    predictions = dict(zip(self.outputs, parts, strict=True))
    predictions[BOX_LOGITS] += math.log(_PRIOR / (1 - _PRIOR))
    return predictions

  @property
  def reads(self):
    return ("boxes", "classes")

  def targets(self, labels):
    """Labels of boxes.

    Args:
      labels: "boxes" [batch, frames, n, 7] float32, "classes" [batch, frames, n] int, see `anchor_targets.assign`.

    Returns:
      Labels by output name, [batch, frames, rows, columns, channels] float32.
    """
    boxes, classes = labels["boxes"], labels["classes"]
    frames = boxes.shape[1]
    boxes = tf.reshape(boxes, [-1, *boxes.shape[2:]])
    assignment = anchor_targets.assign(
      self._anchors,
      boxes,
      tf.reshape(classes, [-1, classes.shape[2]]),
      self._positive_iou,
      self._negative_iou,
    )
    found = assignment.classes[..., tf.newaxis]
    one_hot = tf.cast(found == tf.range(1, self._num_classes + 1), tf.float32)
    bins = anchor_targets.directions(assignment, boxes)[..., tf.newaxis]
    made = {
      BOX_LOGITS: tf.where(found >= 0, one_hot, -1.0),
      BOX_RESIDUALS: anchor_targets.residuals(self._anchors, assignment, boxes),
      BOX_DIRECTIONS: tf.where(bins >= 0, tf.cast(bins == tf.range(2), tf.float32), -1.0),
    }
    return {
      name: tf.reshape(value, [-1, frames, *self._anchors.shape[:2], self.outputs[name].channels])
      for name, value in made.items()
    }

  def answers(self, predictions):
    return dict(predictions) if self._decoder is None else self._decoder(predictions)

  def loss(self, labels, predictions):
    """Terms "class", "box" and "direction", weighed and normalised as in `anchor_losses`."""
    wanted = _samples(labels[BOX_LOGITS], self._num_classes)
    labelled = tf.reduce_any(wanted >= 0, axis=[1, 2, 3, 4])
    positive = tf.reduce_any(wanted > 0, axis=-1)
    positives = tf.reduce_sum(tf.cast(positive, tf.float32), axis=[1, 2, 3])
    bins = _samples(labels[BOX_DIRECTIONS], 2)[..., 1]
    losses = {
      "class": anchor_losses.focal(_samples(predictions[BOX_LOGITS], self._num_classes), wanted),
      "box": anchor_losses.box_residuals(
        _samples(predictions[BOX_RESIDUALS], boxes_lib.SIZE),
        _samples(labels[BOX_RESIDUALS], boxes_lib.SIZE),
      ),
      "direction": anchor_losses.directions(
        _samples(predictions[BOX_DIRECTIONS], 2), tf.cast(bins, tf.int32)
      ),
    }
    return {
      name: weight * anchor_losses.per_positive(value, positives, labelled)
      for weight, (name, value) in zip(self._weights, losses.items(), strict=True)
    }

  def metrics(self):
    """positive_probability: mean at positive anchors; place_metres: their error seen from above."""
    return {
      "positive_probability": task_lib.TaskMetric(
        self._positive_probability, name="positive_probability"
      ),
      "place_metres": task_lib.TaskMetric(self._place_metres, name="place_metres"),
    }

  def sample_weights(self, labels):
    """Which cells have an anchor with a label: [batch, frames, rows, columns, 1] float32."""
    return tf.cast(tf.reduce_any(labels[BOX_LOGITS] >= 0, axis=-1, keepdims=True), tf.float32)

  def _positive_probability(self, labels, predictions):
    positive = tf.cast(labels[BOX_LOGITS] > 0, tf.float32)
    return tf.sigmoid(predictions[BOX_LOGITS]), positive

  def _place_metres(self, labels, predictions):
    truth = _samples(labels[BOX_RESIDUALS], boxes_lib.SIZE)[..., :2]
    known = ~tf.math.is_nan(truth)
    predicted = _samples(predictions[BOX_RESIDUALS], boxes_lib.SIZE)[..., :2]
    error = tf.norm(tf.where(known, predicted - truth, 0.0), axis=-1) * self._anchors.diagonals
    return error, tf.cast(known[..., 0], tf.float32)


def _samples(value, channels):
  """[batch, frames, rows, columns, n * channels] -> [batch * frames, rows, columns, n, channels]."""
  return tf.reshape(value, [-1, *value.shape[2:4], value.shape[4] // channels, channels])
