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
    grid: (height, width) where the task itself fixes them, as anchors do; it is never resized.
    per_sample: whether it holds of the sample as a whole: its axis of frames has length 1. Only tasks that take a
      sequence have such outputs.
  """

  channels: int
  unit: str
  missing: float
  peer_dtype: str = "float16"
  per_image: bool = False
  label_channels: int | None = None
  grid: tuple[int, int] | None = None
  per_sample: bool = False

  @property
  def fixed_size(self) -> tuple[int, int] | None:
    """(height, width) of an output that is never resized; None for those at a network's resolution."""
    return (1, 1) if self.per_image else self.grid


class Task(abc.ABC):
  """One prediction problem. A subclass is one file and states five things:

  1. `name`; `observes`: what it looks at, "image" or "points" (`datasets.observation`); and `takes`: whether it
     answers for a "frame", for a "pair" of frames or for the whole "sequence". Networks and peers see frames (or
     pairs, in the order of `pairs`) folded into the batch axis, [n, H, W, 3] (or 6); sequences as they are.
  2. `outputs`: prediction tensors by name. Names are unique across tasks, so predictions of several tasks
     live in one flat dictionary.
  3. `raw_channels` and `decode`: how many channels a network's head must give and what they mean. Networks
     know no task beyond this.
  4. `loss`: named scalar terms. Missing labels are marked in the label itself (`Output.missing`), per pixel;
     a sample without labels is all missing and must weigh nothing.
  5. `metrics`: Keras metrics that are fed `(labels, predictions)` during training.

  Where labels of data sets are not what the network learns (boxes, but targets at anchors), a task also says what it
  `reads` and makes `targets` of it, in the input pipeline. And where people want something else than predictions,
  `answers` makes it inside the published model.

  All tensors are [batch, frames or pairs, height, width, channels]; labels come at the predictions' resolution.
  """

  name: str
  observes: str = "image"
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

  @property
  def reads(self) -> tuple[str, ...]:
    """Names of a data set's labels that `targets` makes this task's labels of."""
    return tuple(self.outputs)

  def targets(self, labels: Tensors) -> dict[str, tf.Tensor]:
    """Labels by output name, [batch, frames, ...], of what a data set gives, those that the task `reads`."""
    return {name: labels[name] for name in self.outputs}

  def answers(self, predictions: Tensors) -> dict[str, tf.Tensor]:
    """What production gets in place of predictions, by name: [batch, ...] of predictions [batch, ...]."""
    return dict(predictions)

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
  """What the tasks of one module take together: "frame", "pair" or "sequence".

  Tasks that take a frame go with those that take a sequence: the module gets sequences, and answers for each frame.

  Raises:
    ValueError: they take what does not go together.
  """
  taken = {task.name: task.takes for task in tasks}
  kinds = set(taken.values())
  if len(kinds) == 1 and kinds <= {"frame", "pair", "sequence"}:
    return tasks[0].takes
  if kinds == {"frame", "sequence"}:
    return "sequence"
  raise ValueError(
    "The tasks of a module must all take 'frame', or all take 'pair', or each 'frame' or 'sequence'. "
    f"Received: {taken}."
  )


def observes_of(tasks: Sequence[Task]) -> str:
  """What the tasks of one module look at, e.g. "image".

  Raises:
    ValueError: they do not all look at the same.
  """
  observed = {task.name: task.observes for task in tasks}
  if len(set(observed.values())) != 1:
    raise ValueError(f"The tasks of a module must all observe the same. Received: {observed}.")
  return tasks[0].observes


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
