"""What networks look at: the part of an element that a sensor gives, from data sets to networks, peers and exports.

Everything between a data set and a network that depends on the kind of data goes through this one interface: pictures
are `image_observation`, point clouds `point_observation`. `observations` finds the one that a task or an element has.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tf_taskology.datasets import element
from tf_taskology.tasks import task as task_lib

Tensors = Mapping[str, tf.Tensor]


class Observation(abc.ABC):
  """A kind of data. A subclass is one file.

  Words: what is *seen* of a part of a batch is {field: [batch, frames, ...]}, the tensors that networks get. *Folded*
  it is {field: [n, ...]}, with what tasks take along the batch axis: that is what networks and peers are asked about,
  and what published models call their inputs.

  Attributes:
    name: as `Task.observes` has it.
    inputs: field -> dtype of what is folded, on the wire too.
    takes: what tasks may take of it.
    kept: fields of an element that are selected with it.
  """

  name: str
  inputs: Mapping[str, tf.DType]
  takes: tuple[str, ...]
  kept: tuple[str, ...]

  @abc.abstractmethod
  def check_source(self, source):
    """Raises ValueError if a source does not give this."""

  def seen(self, part: Mapping) -> dict[str, tf.Tensor]:
    """What peers, and evaluated models, are shown of elements with a batch axis."""
    return {field: part[field] for field in self.inputs}

  def seen_by_own(self, part: Mapping) -> dict[str, tf.Tensor]:
    """What the module that trains sees of them: the augmented view where there is one."""
    return self.seen(part)

  @abc.abstractmethod
  def fold(self, seen: Tensors, takes: str) -> dict[str, tf.Tensor]:
    """What is seen with frames, pairs or samples along the batch axis. Raises ValueError for too few frames."""

  def count(self, takes: str, num_frames: int) -> int:
    """How many answers there are for a sample; a sequence has one, which has an axis of frames of its own."""
    return 1 if takes == "sequence" else element.count(takes, num_frames)

  def unfold(self, predictions: Tensors, takes: str, num_frames: int) -> dict[str, tf.Tensor]:
    """Predictions on what was folded, as [batch, frames or pairs, ...]."""
    if takes == "sequence":
      return dict(predictions)
    count = self.count(takes, num_frames)
    return {name: element.unfold_frames(value, count) for name, value in predictions.items()}

  @abc.abstractmethod
  def build(self, network: Callable, tasks: Sequence[task_lib.Task], source) -> tf.keras.Model:
    """Calls a network builder.

    Args:
      network: the builder.
      tasks: tasks to perform.
      source: `Source` of the data that it will see first.
    """

  @abc.abstractmethod
  def check_network(self, owner: str, network: tf.keras.Model, takes: str):
    """Raises ValueError unless the network takes what is folded."""

  @abc.abstractmethod
  def run(
    self, network: tf.keras.Model, folded: Tensors, takes: str, training: bool = False
  ) -> dict[str, tf.Tensor]:
    """What a network says of folded inputs: task name -> raw [n, h, w, c], of sequences [n, frames, h, w, c]."""

  def predict(
    self,
    network: tf.keras.Model,
    tasks: Sequence[task_lib.Task],
    folded: Tensors,
    training: bool = False,
  ) -> dict[str, tf.Tensor]:
    """Predictions by output name, float32, of the same shapes as `run` gives."""
    raw = self.run(network, folded, task_lib.takes_of(tasks), training)
    predictions = {}
    for task in tasks:
      predictions.update(task.decode(tf.cast(raw[task.name], tf.float32)))
    return predictions

  @abc.abstractmethod
  def output_size(self, network: tf.keras.Model, tasks: Sequence[task_lib.Task]):
    """(height, width) of the predictions; None if the tasks themselves fix it."""

  @abc.abstractmethod
  def answer_size(self, source) -> tuple[int, int] | None:
    """(height, width) at which peers' answers are compared where no own network has a size."""

  @abc.abstractmethod
  def at_size(self, labels: Tensors, size: tuple[int, int] | None) -> dict[str, tf.Tensor]:
    """Labels [batch, frames, ...] at the resolution of predictions of a size."""

  @abc.abstractmethod
  def mirror(self, batch: Mapping, mirrored: tf.Tensor) -> dict:
    """Mirrors the samples of a batch of elements for which `mirrored` [batch] bool says so, left to right."""

  @abc.abstractmethod
  def augment(self, batch: Mapping, augmentation: Callable, seed: tf.Tensor) -> dict:
    """A batch of elements with an augmentation applied; `seed` [2] int64."""

  @abc.abstractmethod
  def input_specs(self, network: tf.keras.Model, takes: str) -> dict[str, tf.TensorSpec]:
    """Inputs of the signatures of a published model, by field."""

  @abc.abstractmethod
  def example(self, network: tf.keras.Model, takes: str) -> dict[str, Any]:
    """A folded input of batch size 1, numpy arrays by field: for warm-up and checks."""

  @abc.abstractmethod
  def describe_network(self, network: tf.keras.Model) -> dict[str, Any]:
    """What a published model says of its inputs besides, for JSON."""
