"""What a task is: the one interface through which networks, losses, peers and evaluation see it."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Output:
  """One prediction tensor of a task.

  Attributes:
    channels: size of the last axis; the axes before it are [batch, frames, height, width].
    unit: what a number means, e.g. "metres along the optical axis".
    missing: the label value (in every channel) that stands for "no label at this pixel".
    per_image: whether it holds of the frame (or pair) as a whole: height and width are 1, whatever the resolution of
      the task's other outputs, and it is never resized.
    peer_dtype: type in which peers are sent it. Half precision halves the bytes, but not every output bears it: the
      normals of a depth map come from small differences of large numbers.
    label_channels: size of the last axis of labels where it is not `channels`: 1 where predictions are logits of
      classes and labels class numbers. Class numbers may come as uint8, all other labels as float32.
  """

  channels: int
  unit: str
  missing: float
  peer_dtype: str = "float16"
  per_image: bool = False
  label_channels: int | None = None


class Task(abc.ABC):
  """One prediction problem. A subclass is one file and states five things:

  1. `name`, and `takes`: whether it answers for a "frame" or for a "pair" of frames. Networks and peers see
     frames (or pairs, in the order of `pairs`) folded into the batch axis, [n, H, W, 3] (or 6).
  2. `outputs`: prediction tensors by name. Names are unique across tasks, so predictions of several tasks
     live in one flat dictionary.
  3. `raw_channels` and `decode`: how many channels a network's head must give and what they mean. Networks
     know no task beyond this.
  4. `loss`: named scalar terms. Missing labels are marked in the label itself (`Output.missing`), per pixel;
     a sample without labels is all missing and must weigh nothing.
  5. `metrics`: Keras metrics that are fed `(labels, predictions)` during training.

  All tensors are [batch, frames or pairs, height, width, channels]; labels come at the predictions' resolution.
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


def takes_of(tasks: Sequence[Task]) -> str:
  """What the tasks of one module take, "frame" or "pair".

  Raises:
    ValueError: they do not all take the same.
  """
  taken = {task.name: task.takes for task in tasks}
  if len(set(taken.values())) != 1 or not set(taken.values()) <= {"frame", "pair"}:
    raise ValueError(
      f"The tasks of a module must all take 'frame' or all take 'pair'. Received: {taken}."
    )
  return tasks[0].takes


def pairs(num_frames: int) -> tuple[tuple[int, int], ...]:
  """The pairs (source, target) of neighbouring frames, in the order in which pairs are folded.

  (0, 1), (1, 0), (1, 2), (2, 1), ...: each two neighbours in both directions.

  Raises:
    ValueError: fewer than two frames make no pair.
  """
  if num_frames < 2:
    raise ValueError(f"Pairs need samples of 2 or more frames. Received: {num_frames}.")
  return tuple(pair for i in range(num_frames - 1) for pair in ((i, i + 1), (i + 1, i)))


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
  """Mean of `values` where `mask` > 0, weighted by it; 0 (with zero gradient) where the mask is all zero."""
  values = tf.where(mask > 0, values, tf.zeros_like(values))
  return tf.math.divide_no_nan(tf.reduce_sum(values * mask), tf.reduce_sum(mask))
