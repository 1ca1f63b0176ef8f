"""What a task is: the one interface through which networks, losses, peers and evaluation see it."""

import abc
import dataclasses
from collections.abc import Mapping

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Output:
  """One prediction tensor of a task.

  Attributes:
    channels: size of the last axis; the axes before it are [batch, frames, height, width].
    unit: what a number means, e.g. "metres along the optical axis".
    missing: the label value (in every channel) that stands for "no label at this pixel".
    peer_dtype: type in which peers are sent it. Half precision halves the bytes, but not every output bears it: the
      normals of a depth map come from small differences of large numbers.
  """

  channels: int
  unit: str
  missing: float
  peer_dtype: str = "float16"


class Task(abc.ABC):
  """One prediction problem. A subclass is one file and states five things:

  1. `name`, and `takes`: whether it answers for a "frame" or for a "pair" of frames. Peers fold frames (or
     pairs) into the batch axis by it.
  2. `outputs`: prediction tensors by name. Names are unique across tasks, so predictions of several tasks
     live in one flat dictionary.
  3. `raw_channels` and `decode`: how many channels a network's head must give and what they mean. Networks
     know no task beyond this.
  4. `loss`: named scalar terms. Missing labels are marked in the label itself (`Output.missing`), per pixel;
     a sample without labels is all missing and must weigh nothing.
  5. `metrics`: Keras metrics that are fed `(labels, predictions)` during training.

  All tensors are [batch, frames, height, width, channels]; labels come at the predictions' resolution.
  """

  name: str
  takes: str = "frame"

  @property
  @abc.abstractmethod
  def outputs(self) -> Mapping[str, Output]:
    """Prediction tensors by name."""

  @property
  @abc.abstractmethod
  def raw_channels(self) -> int:
    """Channels that the last layer of a network must give."""

  @abc.abstractmethod
  def decode(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
    """Turns a network's last layer, [..., raw_channels] float32, into predictions by output name."""

  @abc.abstractmethod
  def loss(self, labels: Tensors, predictions: Tensors) -> dict[str, tf.Tensor]:
    """Supervised loss terms (float32 scalars, means over valid pixels; 0 where nothing is valid)."""

  @abc.abstractmethod
  def metrics(self) -> "dict[str, TaskMetric]":
    """Fresh metrics by name."""

  def sample_weights(self, labels: Tensors) -> tf.Tensor:
    """Which pixels of the first output have a label: [batch, frames, height, width, 1] float32, 0 or 1."""
    name, output = next(iter(self.outputs.items()))
    return tf.cast(
      tf.reduce_any(labels[name] != output.missing, axis=-1, keepdims=True), tf.float32
    )


class TaskMetric(tf.keras.metrics.Mean):
  """A Keras mean over `fn(labels, predictions) -> (values, weights)`."""

  def __init__(self, fn, name: str):
    super().__init__(name=name)
    self._fn = fn

  def update(self, labels: Tensors, predictions: Tensors):
    values, weights = self._fn(labels, predictions)
    self.update_state(values, sample_weight=weights)


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Mean of `values` where `mask` > 0, weighted by it; 0 (with zero gradient) where the mask is all zero."""
  values = tf.where(mask > 0, values, tf.zeros_like(values))
  return tf.math.divide_no_nan(tf.reduce_sum(values * mask), tf.reduce_sum(mask))
