"""Schedules of loss weights: callables of the global step."""

import tensorflow as tf


class Ramp:
  """0 until `begin`, then linear up to `value` at `begin + length`, then constant.

  Consistency should wait until the networks answer sensibly: early answers agree on nonsense.

  Args:
    value: final weight.
    begin: global step at which the weight starts to grow.
    length: steps of the growth; 0 is a jump.
  """

  def __init__(self, value: float, begin: int = 0, length: int = 0):
    for name, number in (("value", value), ("begin", begin), ("length", length)):
      if not isinstance(number, (int, float)) or number < 0:
        raise ValueError(f"Ramp.{name} must be a number >= 0. Received: {number!r}.")
    self.value, self.begin, self.length = value, begin, length

  def __call__(self, step) -> tf.Tensor:
    step = tf.cast(step, tf.float32)
    if self.length == 0:
      return self.value * tf.cast(step >= self.begin, tf.float32)
    return self.value * tf.clip_by_value((step - self.begin) / self.length, 0.0, 1.0)


def weight_at(weight, step) -> tf.Tensor:
  """The value of a constant or a schedule at a step: float32 scalar."""
  return tf.cast(weight(step) if callable(weight) else weight, tf.float32)


def is_zero(weight) -> bool:
  """Whether a weight is 0 at every step, so that its loss need not be computed at all."""
  return (weight.value if isinstance(weight, Ramp) else weight) == 0
