"""The streets world as a source of training samples."""

import tensorflow as tf

from tf_taskology.datasets import element, source
from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.streets import motion, streets

# Label -> step to the frame that the motion leads to; see `motion`.
_MOTIONS = {"object_motion": 1, "object_motion_back": -1}


class StreetsSource(source.Source):
  """Streets, rendered on first use into a cache folder.

  Labels: depth (0 in the sky), segmentation (Cityscapes train ids, see `classes`) and, where a
  sample has several frames, object_motion and object_motion_back (see `motion`): to the next frame
  and to the one before, NaN on the frame that has none.

  Args:
    domain: "street" (video) or "stills" (single images).
    image_size: (height, width) in pixels.
    frames: consecutive frames of a sample; None for 3 of `street`, 1 of `stills`.
    train: samples of split "train".
    validation: samples of split "validation".
    test: samples of split "test".
    seed: of the world; other seeds are other streets.
    noise: standard deviation of the sensor's noise, of a full scale of 1.
    data_dir: TFDS folder; None for the user's cache.
    max_train: use only so many of the training samples (few labels); None for all.
  """

  def __init__(
    self,
    domain: str = "street",
    image_size: tuple[int, int] = (128, 416),
    frames: int | None = None,
    train: int = 1000,
    validation: int = 100,
    test: int = 200,
    seed: int = 0,
    noise: float = 0.008,
    data_dir: str | None = None,
    max_train: int | None = None,
  ):
    height, width = image_size
    self._config = streets.StreetsConfig(
      domain=domain,
      height=height,
      width=width,
      frames=frames,
      train=train,
      validation=validation,
      test=test,
      seed=seed,
      noise=noise,
    )
    if max_train is not None and not 1 <= max_train <= train:
      raise ValueError(
        f"StreetsSource.max_train must be between 1 and train = {train}. Received: {max_train}."
      )
    self._data_dir = data_dir or builder.default_data_dir()
    self._max_train = max_train

  @property
  def image_size(self) -> tuple[int, int]:
    return self._config.height, self._config.width

  @property
  def num_frames(self) -> int:
    return self._config.num_frames

  @property
  def labels(self) -> tuple[str, ...]:
    return ("depth", "segmentation", *(_MOTIONS if self.num_frames > 1 else ()))

  @property
  def element_spec(self):
    def frames(*shape, dtype=tf.float32):
      return tf.TensorSpec([self.num_frames, *shape], dtype)

    size = self.image_size
    labels = {"depth": frames(*size, 1), "segmentation": frames(*size, 1, dtype=tf.uint8)}
    labels.update({name: frames(*size, 3) for name in self.labels[2:]})
    return {
      element.IMAGE: frames(*size, 3, dtype=tf.uint8),
      element.INTRINSICS: frames(3, 3),
      element.POSE: frames(4, 4),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
      element.LABELS: labels,
    }

  def prepare(self):
    streets.prepare(self._config, self._data_dir)

  def num_samples(self, split: str) -> int:
    counts = self._config.counts()
    if split not in counts:
      raise ValueError(f"{self.describe()} has no split {split!r}. It has: {', '.join(counts)}.")
    return self._max_train if split == "train" and self._max_train else counts[split]

  def dataset(self, split: str) -> tf.data.Dataset:
    count = self.num_samples(split)
    dataset = streets.prepare(self._config, self._data_dir).as_dataset(split=split).take(count)
    return dataset.map(self._to_element, num_parallel_calls=tf.data.AUTOTUNE)

  def describe(self) -> str:
    return f"streets/{self._config.name}"

  def _to_element(self, example):
    labels = {name: example[name] for name in ("depth", "segmentation")}
    labels.update({name: motion.object_motion(example, _MOTIONS[name]) for name in self.labels[2:]})
    kept = (element.IMAGE, element.INTRINSICS, element.POSE, element.SAMPLE_ID)
    return {**{name: example[name] for name in kept}, element.LABELS: labels}
