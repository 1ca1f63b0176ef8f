"""The sweeps world as a source of training samples."""

import tensorflow as tf

from tf_taskology.datasets import element, point_observation, source
from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.sweeps import labels as labels_lib, render, sweeps
from tf_taskology.tasks import anchor_targets

POINTS = point_observation.POINTS
NUM_POINTS = point_observation.NUM_POINTS
WITHHELD = ("samples", "boxes")


class SweepsSource(source.Source):
  """Sweeps, rendered on first use into a cache folder.

  Elements: points [frames, n, 4] float32 (x, y, z in metres, intensity), num_points [frames] int32,
  pose [frames, 4, 4] float32, sample_id, and labels: boxes [frames, m, 7] float32, classes
  [frames, m] int32 (0 padding, -1 withheld or hardly seen), tracks [frames, m] int32 and
  box_points [frames, m] int32.

  Args:
    frames: sweeps of a sample.
    interval: seconds between sweeps.
    beams: of the sensor.
    azimuths: of the sensor.
    train: samples of split "train".
    validation: samples of split "validation".
    test: samples of split "test".
    seed: of the world.
    data_dir: TFDS folder; None for the user's cache.
    common_frame: all sweeps of a sample in the frame of reference of the first, as box flow and its
      consistency need them; otherwise each in its own.
    labelled_share: of split "train", in (0, 1]: what keeps its labels, chosen by `label_seed`.
    withheld: "samples": only the labelled samples are in split "train". "boxes": all samples are,
      and the other vehicles' boxes have class -1.
    label_seed: of that choice.
    min_points: boxes with fewer returns have class -1 in split "train": they are there, but nothing
      can be learnt from them. 6 leaves out LEVEL_2, as public code does.
  """

  def __init__(
    self,
    frames: int = 3,
    interval: float = 0.5,
    beams: int = 32,
    azimuths: int = 360,
    train: int = 1000,
    validation: int = 100,
    test: int = 200,
    seed: int = 0,
    data_dir: str | None = None,
    common_frame: bool = True,
    labelled_share: float = 1.0,
    withheld: str = "samples",
    label_seed: int = 0,
    min_points: int = 6,
  ):
    if withheld not in WITHHELD:
      raise ValueError(f"SweepsSource.withheld must be one of {WITHHELD}. Received: {withheld!r}.")
    if not 0 < labelled_share <= 1:
      raise ValueError(
        f"SweepsSource.labelled_share must be in (0, 1]. Received: {labelled_share}."
      )
    self._config = sweeps.SweepsConfig(
      frames=frames,
      interval=interval,
      beams=beams,
      azimuths=azimuths,
      train=train,
      validation=validation,
      test=test,
      seed=seed,
    )
    self._data_dir = data_dir or builder.default_data_dir()
    self._common_frame = common_frame
    self._share, self._withheld, self._label_seed = labelled_share, withheld, label_seed
    self._min_points = min_points

  @property
  def num_frames(self) -> int:
    return self._config.num_frames

  @property
  def labels(self) -> tuple[str, ...]:
    return ("boxes", "classes", "tracks", "box_points")

  @property
  def element_spec(self):
    def frames(*shape, dtype=tf.float32):
      return tf.TensorSpec([self.num_frames, *shape], dtype)

    boxes = render.MAX_BOXES
    return {
      POINTS: frames(self._config.job().sensor.rays, render.POINT_SIZE),
      NUM_POINTS: frames(dtype=tf.int32),
      element.POSE: frames(4, 4),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
      element.LABELS: {
        "boxes": frames(boxes, 7),
        "classes": frames(boxes, dtype=tf.int32),
        "tracks": frames(boxes, dtype=tf.int32),
        "box_points": frames(boxes, dtype=tf.int32),
      },
    }

  def prepare(self):
    builder.prepare(sweeps.Sweeps, self._config, self._data_dir)

  def num_samples(self, split: str) -> int:
    counts = self._config.counts()
    if split not in counts:
      raise ValueError(f"{self.describe()} has no split {split!r}. It has: {', '.join(counts)}.")
    if split == "train" and self._withheld == "samples":
      return max(1, round(self._share * counts[split]))
    return counts[split]

  def dataset(self, split: str) -> tf.data.Dataset:
    self.num_samples(split)  # refuses unknown splits
    dataset = (
      builder.prepare(sweeps.Sweeps, self._config, self._data_dir)
      .as_dataset(split=split)
      .enumerate()
    )
    train = split == "train"
    if train and self._withheld == "samples" and self._share < 1:
      count = self._config.counts()[split]
      kept = tf.constant(labels_lib.labelled_samples(count, self._share, self._label_seed))
      dataset = dataset.filter(lambda index, _: kept[index])
      dataset = dataset.apply(tf.data.experimental.assert_cardinality(self.num_samples(split)))
    return dataset.map(
      lambda index, example: self._to_element(index, example, train),
      num_parallel_calls=tf.data.AUTOTUNE,
    )

  def describe(self) -> str:
    return f"sweeps/{self._config.name}"

  def _to_element(self, index, example, train):
    points, boxes, classes = example["points"], example["boxes"], example["classes"]
    if self._common_frame:
      points, boxes = labels_lib.to_first_frame(
        points, example["num_points"], boxes, example["pose"]
      )
    if train:
      hardly = (classes > 0) & (example["box_points"] < self._min_points)
      classes = tf.where(hardly, anchor_targets.DO_NOT_CARE, classes)
      if self._withheld == "boxes" and self._share < 1:
        classes = labels_lib.withhold_tracks(
          classes, example["tracks"], index, self._share, self._label_seed
        )
    return {
      POINTS: points,
      NUM_POINTS: example["num_points"],
      element.POSE: example["pose"],
      element.SAMPLE_ID: example["sample_id"],
      element.LABELS: {
        "boxes": boxes,
        "classes": classes,
        "tracks": example["tracks"],
        "box_points": example["box_points"],
      },
    }
