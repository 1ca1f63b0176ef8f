"""COCO 2017 panoptic as TensorFlow Datasets has prepared it; classes as in `coco_panoptic`."""

import functools
import os

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_taskology.datasets import element, rgbd_files, rgbd_images, source
from tf_taskology.datasets.video import coco_panoptic, views

_NAME = "coco/2017_panoptic"


class CocoTfds(source.ImageSource):
  """Labelled single images from a prepared coco/2017_panoptic. Nothing is downloaded.

  Labels: segmentation. COCO has no intrinsics: a field of view of 60 degrees across the width is given.

  Args:
    data_dir: TFDS folder, with coco/2017_panoptic/<version>/ in it.
    image_size: (height, width) of samples, pixels.
    keep_aspect: cut off what does not fit into image_size; otherwise stretch.
  """

  def __init__(self, data_dir: str, image_size: tuple[int, int], keep_aspect: bool = True):
    self._data_dir = rgbd_files.absolute(data_dir)
    self._image_size = tuple(image_size)
    self._keep_aspect = keep_aspect

  @property
  def image_size(self) -> tuple[int, int]:
    return self._image_size

  @property
  def num_frames(self) -> int:
    return 1

  @property
  def labels(self) -> tuple[str, ...]:
    return ("segmentation",)

  @property
  def element_spec(self):
    return {
      element.IMAGE: tf.TensorSpec([1, *self._image_size, 3], tf.uint8),
      element.INTRINSICS: tf.TensorSpec([1, 3, 3], tf.float32),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
      element.LABELS: {"segmentation": tf.TensorSpec([1, *self._image_size, 1], tf.uint8)},
    }

  def describe(self) -> str:
    return f"TFDS {_NAME} in {self._data_dir}"

  def prepare(self):
    """Raises ValueError if the data set has not been prepared, or has other categories."""
    _ = self._classes

  def num_samples(self, split: str) -> int:
    splits = self._builder.info.splits
    if split not in splits:
      raise ValueError(f"{self.describe()} has no split {split!r}. It has: {', '.join(splits)}.")
    return splits[split].num_examples

  def dataset(self, split: str) -> tf.data.Dataset:
    self.num_samples(split)
    dataset = self._builder.as_dataset(split=split, shuffle_files=False)
    return dataset.map(self._to_element, num_parallel_calls=tf.data.AUTOTUNE)

  @functools.cached_property
  def _builder(self):
    root = os.path.join(self._data_dir, *_NAME.split("/"))
    names = os.listdir(root) if os.path.isdir(root) else ()
    versions = sorted(tfds.core.Version(n) for n in names if tfds.core.Version.is_valid(n))
    if not versions:
      raise ValueError(
        f"{self.describe()} is not prepared: {root!r} has no version of it. Once, where there is a network: "
        f"python -c \"import tensorflow_datasets as tfds; tfds.builder('{_NAME}', data_dir='{self._data_dir}')"
        '.download_and_prepare()".'
      )
    return tfds.builder_from_directory(os.path.join(root, str(versions[-1])))

  @functools.cached_property
  def _classes(self) -> np.ndarray:
    """Train id of each of the labels of TFDS."""
    names = self._builder.info.features["panoptic_objects"]["label"].names
    classes = coco_panoptic.category_classes(dict(enumerate(names)), self.describe())
    return np.array([classes[number] for number in range(len(names))], np.uint8)

  def _to_element(self, example):
    objects = example["panoptic_objects"]
    label, crop = tf.numpy_function(
      self._label,
      [example["panoptic_image"], objects["id"], objects["label"], example["image/filename"]],
      [tf.uint8, tf.int32],
    )
    label = tf.ensure_shape(label, [*self._image_size, 1])
    crop = tf.ensure_shape(crop, [4])
    size = self._image_size
    image = rgbd_images.resize_color(example["image"], crop[0], crop[1], crop[2:], size)
    focal = size[1] / 2 / np.tan(np.radians(30.0))
    camera = [[focal, 0, (size[1] - 1) / 2], [0, focal, (size[0] - 1) / 2], [0, 0, 1]]
    return {
      element.IMAGE: image[tf.newaxis],
      element.INTRINSICS: tf.constant([camera], tf.float32),
      element.SAMPLE_ID: example["image/filename"],
      element.LABELS: {"segmentation": label[tf.newaxis]},
    }

  def _label(self, pixels, ids, labels, name):
    """The label as the sample shows it, and the crop: first row, first column, rows, columns."""
    resize = views.plan(pixels.shape[:2], self._image_size, self._keep_aspect)
    order = np.argsort(ids)
    path = f"panoptic_image of {name.decode()}"
    sampled = views.View(resize, np.eye(3)).sample(pixels, path)
    classes = coco_panoptic.segments_to_classes(
      sampled, ids[order], self._classes[labels[order]], path
    )
    return classes[..., np.newaxis], np.array([resize.top, resize.left, *resize.crop], np.int32)
