"""A rendered world as a source of training samples: what those of all worlds share."""

import abc
from collections.abc import Mapping

import tensorflow as tf

from tf_taskology.datasets import element, source
from tf_taskology.datasets.rendering import builder


class WorldSource(source.ImageSource):
  """A world's data set, rendered on first use into a cache folder.

  Args:
    world: its TFDS builder.
    config: which data set of it.
    data_dir: TFDS folder; None for the user's cache.
    max_train: use only so many of the training samples (few labels); None for all.

  Raises:
    ValueError: `max_train` is not between 1 and the training samples there are.
  """

  def __init__(
    self,
    world: type[builder.WorldBuilder],
    config: builder.WorldConfig,
    data_dir: str | None = None,
    max_train: int | None = None,
  ):
    if max_train is not None and not 1 <= max_train <= config.train:
      raise ValueError(
        f"{type(self).__name__}.max_train must be between 1 and train = {config.train}. "
        f"Received: {max_train}."
      )
    self._world = world
    self._config = config
    self._data_dir = data_dir or builder.default_data_dir()
    self._max_train = max_train

  @property
  @abc.abstractmethod
  def label_types(self) -> Mapping[str, tuple[int, tf.DType]]:
    """Label -> channels of a pixel, dtype."""

  def label(self, example: Mapping[str, tf.Tensor], name: str) -> tf.Tensor:
    """A label, [frames, height, width, channels], of an example of the builder."""
    return example[name]

  @property
  def image_size(self) -> tuple[int, int]:
    return self._config.height, self._config.width

  @property
  def num_frames(self) -> int:
    return self._config.num_frames

  @property
  def labels(self) -> tuple[str, ...]:
    return tuple(self.label_types)

  @property
  def element_spec(self):
    def frames(*shape, dtype=tf.float32):
      return tf.TensorSpec([self.num_frames, *shape], dtype)

    size = self.image_size
    return {
      element.IMAGE: frames(*size, 3, dtype=tf.uint8),
      element.INTRINSICS: frames(3, 3),
      element.POSE: frames(4, 4),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
      element.LABELS: {
        name: frames(*size, channels, dtype=dtype)
        for name, (channels, dtype) in self.label_types.items()
      },
    }

  def prepare(self):
    self._prepare()

  def num_samples(self, split: str) -> int:
    counts = self._config.counts()
    if split not in counts:
      raise ValueError(f"{self.describe()} has no split {split!r}. It has: {', '.join(counts)}.")
    return self._max_train if split == "train" and self._max_train else counts[split]

  def dataset(self, split: str) -> tf.data.Dataset:
    count = self.num_samples(split)
    dataset = self._prepare().as_dataset(split=split).take(count)
    return dataset.map(self._to_element, num_parallel_calls=tf.data.AUTOTUNE)

  def describe(self) -> str:
    return f"{self._world.name}/{self._config.name}"

  def _prepare(self):
    return builder.prepare(self._world, self._config, self._data_dir)

  def _to_element(self, example):
    kept = (element.IMAGE, element.INTRINSICS, element.POSE, element.SAMPLE_ID)
    return {
      **{name: example[name] for name in kept},
      element.LABELS: {name: self.label(example, name) for name in self.labels},
    }
