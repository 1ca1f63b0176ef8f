"""Means of a module's loss terms, as `fit` shows them."""

from collections.abc import Mapping

import tensorflow as tf


class TermMeans(tf.keras.metrics.Metric):
  """Means of many named scalars in one variable: their names are only known when the step is traced.

  (A Keras metric for each would have to be created inside the step, which strategies forbid.)
  """

  CAPACITY = 64

  def __init__(self, name: str):
    super().__init__(name=name)
    self._names = ()
    self._sums = self.add_weight(name="sums", shape=[self.CAPACITY], initializer="zeros")
    self._count = self.add_weight(name="count", initializer="zeros")

  def update_state(self, terms: Mapping[str, tf.Tensor]):
    if len(terms) > self.CAPACITY:
      raise ValueError(
        f"A module can show at most {self.CAPACITY} loss terms. Received: {len(terms)}."
      )
    self._names = tuple(terms)
    values = tf.stack([tf.cast(value, tf.float32) for value in terms.values()])
    self._sums.assign_add(tf.pad(values, [[0, self.CAPACITY - len(terms)]]))
    self._count.assign_add(1.0)

  def reset_state(self):
    self._sums.assign(tf.zeros_like(self._sums))
    self._count.assign(0.0)

  def result(self) -> tf.Tensor:
    return tf.math.divide_no_nan(self._sums, self._count)

  def by_name(self) -> dict[str, tf.Tensor]:
    """The means by name. (Keras keeps what `result` returns, and could not save a dictionary of tensors.)"""
    means = self.result()
    return {name: means[i] for i, name in enumerate(self._names)}
