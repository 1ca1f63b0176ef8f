"""Detections of several sweeps must agree along the box flow (Taskology, section 3.2.2)."""

import math
from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.consistency import consistency_loss
from tf_taskology.geometry import anchors as anchors_lib, boxes as boxes_lib
from tf_taskology.tasks import anchor_losses, box_flow, detection, task

STOP_GRADIENTS = ("source", "target", "flow")
DISTANCES = {"l1": tf.abs, "l2": tf.square, "smooth_l1": anchor_losses.smooth_l1}
CLASS_SPACES = {"probability": tf.sigmoid, "logit": tf.identity}
TEACHERS = ("both", "surer")
_ANGLE_PERIODS = (math.pi, 2 * math.pi)


class BoxTracks(consistency_loss.ConsistencyLoss):
  """Class and residual along predicted tracks, from the first frame to each of the others.

  The flow at an anchor of the first frame leads to an anchor of a later one: the same kind of
  anchor, as many cells on as the flow makes, rounded. There

    class: the scores must be the same,
    residual: the residuals d' must be d plus what the flow explains: of x and y, the remainder that
      rounding to whole cells has left, in units of the anchor's diagonal; of the heading, the turn;
      of z and the sizes, nothing.

  Exact tracks cost nothing. The paper prints the flow's part with the other sign, which exact
  tracks do not satisfy; `as_printed` has it. All sweeps must be in one frame of reference, which
  boxes, anchors and flow are in.

  Counted are anchors that a vehicle is seen at in the first frame (or, see `teacher`, in either)
  and whose track stays in the grid, with a mean over them; the paper sums, and does not say over
  which.
  """

  def __init__(
    self,
    anchors: anchors_lib.Anchors,
    weights=None,
    num_frames: int = 3,
    num_classes: int = 1,
    shared: bool = False,
    class_weight: float = 1.0,
    residual_weight: float = 1.0,
    distance: str = "smooth_l1",
    class_distance: str = "l1",
    class_space: str = "probability",
    min_probability: float = 0.3,
    min_target_probability: float = 0.0,
    angle_period: float = math.pi,
    teacher: str = "both",
    stop_gradients: Sequence[str] = (),
    as_printed: bool = False,
    name: str | None = None,
  ):
    """Box tracks.

    Args:
      anchors: of detection and flow.
      weights: see `ConsistencyLoss`, e.g. {"box_residuals": 1.0, "box_flow": 0.1}.
      num_frames: of a sample, at least 2.
      num_classes: of the detection.
      shared: see `box_flow.BoxFlow`.
      class_weight: of the term "class".
      residual_weight: of the term "residual".
      distance: of residuals: "l1", "l2" (squared) or "smooth_l1".
      class_distance: of scores: the same.
      class_space: in which scores are compared, "probability" or "logit".
      min_probability: of the first frame's anchors that count, the best class's.
      min_target_probability: of the later frame's anchors whose residuals count. A low one is as
        untrained as the class is unsure.
      angle_period: headings that differ by so much are the same. pi: the supervised loss knows the
        residual's angle up to 180 degrees only. 2 pi: it is trusted to be the full heading.
      teacher: which of two answers along a track the other is drawn to. "both": they meet, as printed.
        "surer": the less sure one is drawn to the surer one, which is a constant. What is sure in one
        sweep then teaches the others, rather than being talked out of it. An anchor counts if the surer
        answer has at least `min_probability` and the other one `min_target_probability`, for class and
        residual alike: where the track leads to no vehicle, there is nothing to be taught.
      stop_gradients: what counts as constant: any of "source" (first frame's detections), "target"
        (later frames') and "flow".
      as_printed: the flow's part with the sign of the paper.
      name: of the tf.Module.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    _check("distance", distance, DISTANCES)
    _check("class_distance", class_distance, DISTANCES)
    _check("class_space", class_space, CLASS_SPACES)
    _check("angle_period", angle_period, _ANGLE_PERIODS)
    _check("teacher", teacher, TEACHERS)
    for part in stop_gradients:
      _check("stop_gradients", part, STOP_GRADIENTS)
    if num_frames < 2 or num_classes < 1:
      raise ValueError(
        "BoxTracks.num_frames must be >= 2 and num_classes >= 1. "
        f"Received: {num_frames} and {num_classes}."
      )
    self._num_frames = num_frames
    super().__init__(weights, None, name)
    self._anchors = anchors
    self._num_classes = num_classes
    self._shared = shared
    self._weights = (class_weight, residual_weight)
    self._distance, self._class_distance = DISTANCES[distance], DISTANCES[class_distance]
    self._score = CLASS_SPACES[class_space]
    self._min_probability = min_probability
    self._min_target_probability = min_target_probability
    self._angle_period = angle_period
    self._surer_teaches = teacher == "surer"
    self._constant = frozenset(stop_gradients)
    self._sign = -1.0 if as_printed else 1.0

  @property
  def needs(self):
    frames = tuple(range(self._num_frames))
    return {
      detection.BOX_LOGITS: frames,
      detection.BOX_RESIDUALS: frames,
      box_flow.BOX_FLOW: (frames,),
    }

  @property
  def needs_inputs(self):
    return ()

  def __call__(self, predictions, inputs, labels=None):
    """Terms "class" and "residual"; see `ConsistencyLoss`. Labels stand for nothing here."""
    del inputs, labels
    split = lambda name, frames, size: tf.reshape(
      predictions[name], [-1, frames, self._anchors.count, size]
    )
    logits = split(detection.BOX_LOGITS, self._num_frames, self._num_classes)
    residuals = split(detection.BOX_RESIDUALS, self._num_frames, boxes_lib.SIZE)
    flow = self._hold("flow", self._anchor_flow(predictions[box_flow.BOX_FLOW]))
    sums = [[], []]
    for frame in range(1, self._num_frames):
      terms = self._along(
        (self._hold("source", logits[:, 0]), self._hold("source", residuals[:, 0])),
        (self._hold("target", logits[:, frame]), self._hold("target", residuals[:, frame])),
        flow[:, :, frame - 1],
      )
      for values, term in zip(sums, terms, strict=True):
        values.append(term)
    return {
      term: weight * task.masked_mean(*(tf.stack(part) for part in zip(*values, strict=True)))
      for term, weight, values in zip(("class", "residual"), self._weights, sums, strict=True)
    }

  def _anchor_flow(self, flow):
    """[batch, 1, rows, columns, channels] -> [batch, anchors, later frames, 3]."""
    rows, columns, per_cell = self._anchors.shape
    later = self._num_frames - 1
    flow = tf.reshape(flow, [-1, rows, columns, 1 if self._shared else per_cell, later, 3])
    if self._shared:
      flow = tf.repeat(flow, per_cell, axis=3)
    return tf.reshape(flow, [-1, self._anchors.count, later, 3])

  def _along(self, source, target, flow):
    """(values, mask) of the class and of the residual term: [batch, anchors] each."""
    finite = tf.reduce_all(tf.math.is_finite(flow), axis=-1)
    # Masking the loss is not enough: the gradient of what is not a number is none either.
    flow = tf.where(finite[..., tf.newaxis], flow, tf.zeros_like(flow))
    place, shift, inside = self._landing(flow)
    target = tuple(tf.gather(part, place, batch_dims=1) for part in target)
    sureness, later_sureness = (
      tf.stop_gradient(tf.reduce_max(tf.sigmoid(answer[0]), axis=-1)) for answer in (source, target)
    )
    teaching, taught = sureness, later_sureness
    if self._surer_teaches:
      is_surer = (sureness >= later_sureness)[..., tf.newaxis]
      source = tuple(tf.where(is_surer, tf.stop_gradient(part), part) for part in source)
      target = tuple(tf.where(is_surer, part, tf.stop_gradient(part)) for part in target)
      teaching, taught = tf.maximum(sureness, later_sureness), tf.minimum(sureness, later_sureness)
    counted = inside & finite & (teaching >= self._min_probability)
    compared = counted & (taught >= self._min_target_probability)
    if self._surer_teaches:
      counted = compared
    (logits, residuals), (later_logits, later_residuals) = source, target
    scores = self._class_distance(self._score(later_logits) - self._score(logits))
    remainder = flow[..., :2] - shift
    diagonals = tf.tile(self._anchors.diagonals, [self._anchors.shape[0] * self._anchors.shape[1]])
    change = later_residuals - residuals
    explained = self._sign * remainder / tf.cast(diagonals, flow.dtype)[:, tf.newaxis]
    turn = boxes_lib.wrap_angle(change[..., 6:] - self._sign * flow[..., 2:], self._angle_period)
    rest = tf.concat([change[..., :2] - explained, change[..., 2:6], turn], axis=-1)
    as_mask = lambda value: tf.stop_gradient(tf.cast(value, flow.dtype))
    return (
      (tf.reduce_sum(scores, axis=-1), as_mask(counted)),
      (tf.reduce_sum(self._distance(rest), axis=-1), as_mask(compared)),
    )

  def _landing(self, flow):
    """Where the flow leads: index of the anchor, metres of whole cells, whether in the grid."""
    rows, columns, per_cell = self._anchors.shape
    cell = self._anchors.grid.cell
    row, column, kind = (
      tf.reshape(value, [-1])
      for value in tf.meshgrid(tf.range(rows), tf.range(columns), tf.range(per_cell), indexing="ij")
    )
    # What leads far out must not overflow an integer.
    whole = tf.round(tf.stop_gradient(flow[..., :2]) / cell)
    whole = tf.clip_by_value(whole, -float(rows + columns), float(rows + columns))
    to_column = column + tf.cast(whole[..., 0], tf.int32)
    to_row = row + tf.cast(whole[..., 1], tf.int32)
    inside = (to_row >= 0) & (to_row < rows) & (to_column >= 0) & (to_column < columns)
    place = tf.where(inside, (to_row * columns + to_column) * per_cell + kind, 0)
    return place, whole * cell, inside

  def _hold(self, part, value):
    return tf.stop_gradient(value) if part in self._constant else value


def _check(field, value, valid):
  if value not in valid:
    raise ValueError(f"BoxTracks.{field} must be one of {tuple(valid)}. Received: {value!r}.")
