"""The rooms world as a source of training samples."""

import tensorflow as tf

from tf_taskology.datasets import element, source
from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.rooms import rooms

LABELS = ("depth", "normals", "segmentation")


class RoomsSource(source.Source):
  """Rooms, rendered on first use into a cache folder.

  Args:
    domain: "simulated" or "sensor".
    image_size: (height, width) in pixels.
    train: samples of split "train".
    validation: samples of split "validation".
    test: samples of split "test".
    seed: of the world; other seeds are other rooms.
    data_dir: TFDS folder; None for the user's cache.
    max_train: use only so many of the training samples (few labels); None for all.
  """

  def __init__(
    self,
    domain: str = "simulated",
    image_size: tuple[int, int] = (48, 64),
    train: int = 1500,
    validation: int = 200,
    test: int = 300,
    seed: int = 0,
    data_dir: str | None = None,
    max_train: int | None = None,
  ):
    height, width = image_size
    self._config = rooms.RoomsConfig(
      domain=domain,
      height=height,
      width=width,
      train=train,
      validation=validation,
      test=test,
      seed=seed,
    )
    if max_train is not None and not 1 <= max_train <= train:
      raise ValueError(
        f"RoomsSource.max_train must be between 1 and train = {train}. Received: {max_train}."
      )
    self._data_dir = data_dir or builder.default_data_dir()
    self._max_train = max_train

  @property
  def image_size(self) -> tuple[int, int]:
    return self._config.height, self._config.width

  @property
  def num_frames(self) -> int:
    return 2

  @property
  def labels(self) -> tuple[str, ...]:
    return LABELS

  @property
  def element_spec(self):
    height, width = self.image_size

    def frames(channels, dtype=tf.float32):
      return tf.TensorSpec([2, height, width, channels], dtype)

    return {
      element.IMAGE: frames(3, tf.uint8),
      element.INTRINSICS: tf.TensorSpec([2, 3, 3], tf.float32),
      element.POSE: tf.TensorSpec([2, 4, 4], tf.float32),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
      element.LABELS: {
        "depth": frames(1),
        "normals": frames(3),
        "segmentation": frames(1, tf.uint8),
      },
    }

  def prepare(self):
    rooms.prepare(self._config, self._data_dir)

  def num_samples(self, split: str) -> int:
    counts = self._config.counts()
    if split not in counts:
      raise ValueError(f"{self.describe()} has no split {split!r}. It has: {', '.join(counts)}.")
    return self._max_train if split == "train" and self._max_train else counts[split]

  def dataset(self, split: str) -> tf.data.Dataset:
    count = self.num_samples(split)
    dataset = rooms.prepare(self._config, self._data_dir).as_dataset(split=split).take(count)
    return dataset.map(_to_element, num_parallel_calls=tf.data.AUTOTUNE)

  def describe(self) -> str:
    return f"rooms/{self._config.name}"


def _to_element(example):
  return {
    **{
      name: example[name]
      for name in (element.IMAGE, element.INTRINSICS, element.POSE, element.SAMPLE_ID)
    },
    element.LABELS: {name: example[name] for name in LABELS},
  }
