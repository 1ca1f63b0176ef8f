"""What a dataset must give to be trained on."""

import abc

import tensorflow as tf


class Source(abc.ABC):
  """A declared dataset. Making one is light; `prepare` and `dataset` do the work."""

  @property
  @abc.abstractmethod
  def num_frames(self) -> int:
    """Frames of a sample."""

  @property
  @abc.abstractmethod
  def labels(self) -> tuple[str, ...]:
    """Names of the labels that samples have."""

  @property
  @abc.abstractmethod
  def element_spec(self):
    """Nested `tf.TensorSpec`s of an element, see `datasets.element`."""

  @abc.abstractmethod
  def num_samples(self, split: str) -> int:
    """Samples of a split. Raises ValueError for an unknown one."""

  @abc.abstractmethod
  def dataset(self, split: str) -> tf.data.Dataset:
    """Elements of a split, once each, always in the same order."""

  @abc.abstractmethod
  def describe(self) -> str:
    """A short name for messages."""

  def prepare(self):
    """Makes what has to be made once (renders, indexes); here nothing. Safe to call from several processes at once."""


class ImageSource(Source):
  """A dataset of pictures."""

  @property
  @abc.abstractmethod
  def image_size(self) -> tuple[int, int]:
    """(height, width) of every image, pixels."""
