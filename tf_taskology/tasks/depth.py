"""Monocular depth."""

import math

import tensorflow as tf

from tf_taskology.tasks import task as task_lib

_DECODERS = ("log", "softplus")


class Depth(task_lib.Task):
  """Depth of every pixel.

  One output, "depth": [..., 1], metres along the optical axis, 0 where a label is missing.

  Taskology section 4.3 trains depth with supervision, but its text was not at hand, so the default
  loss, L1 of log depth, is our choice: it is relative, as the metrics are, and less ruled by
  outliers at edges than a square.

  Attributes:
    name: "depth".
  """

  name = "depth"

  def __init__(
    self,
    loss: str = "log_l1",
    decoder: str = "log",
    mean_depth: float = 2.5,
    min_depth: float = 0.1,
    max_depth: float = 100.0,
    scale_invariance: float = 0.5,
  ):
    """Depth with a choice of loss and of what the last layer means.

    Args:
      loss: "log_l1" or "log_l2": mean (squared) difference of log depth; "l1": mean difference in
        metres; "berhu": reverse Huber, in metres, Laina et al. 2016 eq. 2 with c = 0.2 of the
        batch's largest error; "scale_invariant": Eigen et al. 2014 eq. 4.
      decoder: "log": the last layer is log(depth / mean_depth), bent smoothly to stay in
        [min_depth, max_depth]; "softplus": depth is the softplus of the last layer, as in Depth
        from Videos in the Wild (no disparity), shifted so that 0 is mean_depth, above min_depth and
        bent smoothly to stay below max_depth.
      mean_depth: metres; the depth that a last layer of zeros means, so that training starts at the
        right scale.
      min_depth: metres.
      max_depth: metres.
      scale_invariance: Eigen's lambda, for "scale_invariant" only: 0 is "log_l2" per image, 1
        ignores scale.
    """
    self._losses = {
      "log_l1": _log_l1,
      "log_l2": _log_l2,
      "l1": _l1,
      "berhu": _berhu,
      "scale_invariant": lambda *args: _scale_invariant(*args, scale_invariance),
    }
    if loss not in self._losses:
      raise ValueError(f"`loss` must be one of {sorted(self._losses)}. Received: {loss!r}.")
    if decoder not in _DECODERS:
      raise ValueError(f"`decoder` must be one of {sorted(_DECODERS)}. Received: {decoder!r}.")
    if not 0 < min_depth < mean_depth < max_depth:
      raise ValueError(
        "Depths must satisfy 0 < min_depth < mean_depth < max_depth. "
        f"Received: min_depth={min_depth}, mean_depth={mean_depth}, max_depth={max_depth}."
      )
    if not 0 <= scale_invariance <= 1:
      raise ValueError(f"`scale_invariance` must be in [0, 1]. Received: {scale_invariance}.")
    self._loss = loss
    self._decoder = decoder
    self._mean_depth = mean_depth
    self._min_depth = min_depth
    self._max_depth = max_depth

  @property
  def outputs(self):
    return {
      "depth": task_lib.Output(
        channels=1, unit="metres along the optical axis", missing=0.0, peer_dtype="float32"
      )
    }

  @property
  def raw_channels(self):
    return 1

  def decode(self, raw):
    """Depth in metres, in [min_depth, max_depth], from [..., 1]; smooth in `raw`."""
    if self._decoder == "softplus":
      span = self._mean_depth - self._min_depth
      shift = span + math.log(-math.expm1(-span))  # the inverse of softplus
      depth = self._min_depth + tf.nn.softplus(raw + shift)
      bend = (self._max_depth - self._mean_depth) / 20  # metres below max_depth over which it bends
      return {"depth": self._max_depth - bend * tf.nn.softplus((self._max_depth - depth) / bend)}
    low, high = math.log(self._min_depth), math.log(self._max_depth)
    middle = (math.log(self._mean_depth) - low) / (high - low)
    # A sigmoid between the bounds of log depth with value log(mean_depth) and slope 1 at raw = 0.
    slope = 1 / ((high - low) * middle * (1 - middle))
    position = tf.sigmoid(slope * raw + math.log(middle / (1 - middle)))
    return {"depth": tf.exp(low + (high - low) * position)}

  def loss(self, labels, predictions):
    """One term, named as the loss: a mean over labelled pixels."""
    mask = self.sample_weights(labels)
    label = tf.where(mask > 0, labels["depth"], tf.ones_like(mask))
    # Where there is no label the prediction is replaced, so that nothing there can make a gradient,
    # not even NaN.
    prediction = tf.where(mask > 0, predictions["depth"], tf.ones_like(mask))
    return {self._loss: self._losses[self._loss](label, prediction, mask)}

  def metrics(self):
    """abs_rel: mean |z' - z| / z; delta1: share of pixels with a ratio below 1.25."""
    return {
      "abs_rel": task_lib.TaskMetric(self._abs_rel, name="abs_rel"),
      "delta1": task_lib.TaskMetric(self._delta1, name="delta1"),
    }

  def _abs_rel(self, labels, predictions):
    mask = self.sample_weights(labels)
    label = tf.where(mask > 0, labels["depth"], tf.ones_like(mask))
    return tf.abs(predictions["depth"] - label) / label, mask

  def _delta1(self, labels, predictions):
    mask = self.sample_weights(labels)
    label = tf.where(mask > 0, labels["depth"], tf.ones_like(mask))
    prediction = predictions["depth"]
    close = (prediction < 1.25 * label) & (label < 1.25 * prediction)
    return tf.cast(close, tf.float32), mask


def _log_l1(label, prediction, mask):
  return task_lib.masked_mean(tf.abs(_log_difference(label, prediction)), mask)


def _log_l2(label, prediction, mask):
  return task_lib.masked_mean(tf.square(_log_difference(label, prediction)), mask)


def _l1(label, prediction, mask):
  return task_lib.masked_mean(tf.abs(prediction - label), mask)


def _berhu(label, prediction, mask):
  error = tf.abs(prediction - label)
  threshold = tf.stop_gradient(0.2 * tf.reduce_max(error * mask))
  square = tf.math.divide_no_nan(error**2 + threshold**2, 2 * threshold)
  return task_lib.masked_mean(tf.where(error > threshold, square, error), mask)


def _scale_invariant(label, prediction, mask, scale_invariance):
  """Eigen et al. 2014, eq. 4, per image; images without labels do not count."""
  axes = [-3, -2, -1]
  count = tf.reduce_sum(mask, axis=axes)
  difference = _log_difference(label, prediction) * mask
  mean = tf.math.divide_no_nan(tf.reduce_sum(difference, axis=axes), count)
  mean_square = tf.math.divide_no_nan(tf.reduce_sum(difference**2, axis=axes), count)
  return task_lib.masked_mean(
    mean_square - scale_invariance * mean**2, tf.cast(count > 0, tf.float32)
  )


def _log_difference(label, prediction):
  return tf.math.log(prediction) - tf.math.log(label)
