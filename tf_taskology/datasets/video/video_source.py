"""Samples of consecutive frames from a data set on disk."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from tf_taskology.datasets import element, rgbd_images, source
from tf_taskology.datasets.video import (
  calibration,
  check,
  footage,
  inspection,
  splits as splits_lib,
  views,
)
from tf_taskology.tasks import road_classes

_CHANNELS = {"depth": 1, "segmentation": 1}
_DTYPES = {"depth": tf.float32, "segmentation": tf.uint8}
_MISSING = {"depth": 0, "segmentation": road_classes.VOID}


class VideoSource(source.ImageSource):
  """Samples of one data set on disk.

  Images are cropped and area-averaged, segmentation takes the nearest pixel, measured points of depth are projected
  into the sample, and intrinsics follow exactly (`rgbd_geometry` has the convention). Poses are given when every
  clip of the splits has them. `prepare` looks the files over; `python -m tf_taskology.check_data` does so at length.

  Args:
    data: which data set, e.g. `kitti_raw.KittiRaw`.
    image_size: (height, width) of samples, pixels; None for that of the images.
    num_frames: frames of a sample.
    frame_step: how many frames of the video lie between two of a sample.
    sample_step: a sample begins at every so many-th frame.
    labels: any that the data set has; () reads images alone, as a mediator needs them. With labels, samples of which
      no frame has one are left out; a frame without one has the missing value everywhere.
    keep_aspect: cut off what does not fit into image_size; otherwise stretch.
    crop_bottom: share of the rows that is cut off below first, for a bonnet in the picture (Cityscapes: 0.25).
    rescale_intrinsics: images were resized as wholes since they were calibrated.
    assumed_field_of_view: degrees across the width of images that have no intrinsics.
    splits: name -> (begin, end), shares of the frames of each clip in order of time, or names or patterns of clips
      (as `fnmatch`); None for those of the data set.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    data: footage.Footage,
    image_size: tuple[int, int] | None = None,
    num_frames: int = 1,
    frame_step: int = 1,
    sample_step: int = 1,
    labels: Sequence[str] = (),
    keep_aspect: bool = True,
    crop_bottom: float = 0.0,
    rescale_intrinsics: bool = False,
    assumed_field_of_view: float | None = None,
    splits: Mapping[str, splits_lib.Split] | None = None,
  ):
    _check_counts(num_frames=num_frames, frame_step=frame_step, sample_step=sample_step)
    unknown = sorted(set(labels) - set(data.labels))
    if unknown:
      raise ValueError(
        f"VideoSource.labels: {data.describe()} has no labels {unknown}. It has: {data.labels}."
      )
    if not 0 <= crop_bottom < 1:
      raise ValueError(f"VideoSource.crop_bottom must be in [0, 1). Received: {crop_bottom}.")
    self._data = data
    self._image_size = None if image_size is None else tuple(image_size)
    self._num_frames = num_frames
    self._frame_step = frame_step
    self._sample_step = sample_step
    self._labels = tuple(labels)
    self._keep_aspect = keep_aspect
    self._crop_bottom = crop_bottom
    self._rescale = rescale_intrinsics
    self._field_of_view = assumed_field_of_view
    self._splits = dict(data.splits if splits is None else splits)
    splits_lib.check(self._splits)

  @functools.cached_property
  def _clips(self) -> list[footage.Clip]:
    clips = self._data.clips()
    return splits_lib.used(clips, self._splits) or clips

  @functools.cached_property
  def _views(self) -> list[views.View]:
    """How the images of each clip become those of samples."""
    found = []
    for clip in self._clips:
      size = self._data.stored_size(clip)
      camera = calibration.camera(clip, size, self._rescale, self._field_of_view)
      resize = views.plan(size, self._image_size, self._keep_aspect, self._crop_bottom)
      found.append(views.View(resize, resize.intrinsics(camera)))
    sizes = {view.size: clip.name for view, clip in zip(found, self._clips, strict=True)}
    if len(sizes) > 1:
      raise ValueError(
        f"{self.describe()}: VideoSource.image_size must be given, for clips differ in size: {sizes}."
      )
    return found

  @functools.cached_property
  def _has_poses(self) -> bool:
    return all(clip.has_poses for clip in self._clips)

  @property
  def image_size(self) -> tuple[int, int]:
    return self._image_size or self._views[0].size

  @property
  def num_frames(self) -> int:
    return self._num_frames

  @property
  def labels(self) -> tuple[str, ...]:
    return self._labels

  @property
  def element_spec(self):
    frames, size = self._num_frames, self.image_size
    spec = {
      element.IMAGE: tf.TensorSpec([frames, *size, 3], tf.uint8),
      element.INTRINSICS: tf.TensorSpec([frames, 3, 3], tf.float32),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
    }
    if self._has_poses:
      spec[element.POSE] = tf.TensorSpec([frames, 4, 4], tf.float32)
    if self._labels:
      spec[element.LABELS] = {
        name: tf.TensorSpec([frames, *size, _CHANNELS[name]], _DTYPES[name])
        for name in self._labels
      }
    return spec

  def prepare(self):
    """Looks at every file's header and at a few images, so that bad input stops training before it begins."""
    assumed = [clip.name for clip in self._clips if clip.intrinsics is None]
    if assumed and self._field_of_view is not None:
      logging.info(
        "%s: %d clip(s) without intrinsics; a field of view of %g degrees is assumed",
        self.describe(), len(assumed), self._field_of_view,
      )  # fmt: skip
    if not any(self._samples(split) for split in self._splits):
      raise ValueError(self._no_sample("its splits have"))
    step = self._frame_step if self._num_frames > 1 else 0
    check.refuse_bad_files(self._data, self._clips, self._views, self._labels, step)

  def num_samples(self, split: str) -> int:
    return len(self._samples(split))

  def describe(self) -> str:
    return self._data.describe()

  def dataset(self, split: str) -> tf.data.Dataset:
    samples = self._samples(split)
    if not samples:
      raise ValueError(self._no_sample(f"split {split!r} = {self._splits[split]} has"))
    crops = np.array([_crop(view) for view in self._views], np.int32)
    cameras = np.array([view.intrinsics for view in self._views], np.float32)
    tables = tf.constant(crops), tf.constant(cameras)
    dataset = tf.data.Dataset.from_tensor_slices(self._slices(samples))
    return dataset.map(
      lambda sample: self._to_element(sample, *tables), num_parallel_calls=tf.data.AUTOTUNE
    )

  def _samples(self, split):
    if split not in self._splits:
      raise ValueError(
        f"{self.describe()} has no split {split!r}. It has: {', '.join(self._splits)}."
      )
    steps = self._num_frames, self._frame_step, self._sample_step
    return splits_lib.samples(self._clips, self._splits[split], *steps, self._labels)

  def _no_sample(self, what_has):
    longest = max(self._clips, key=lambda clip: len(clip.frames))
    labelled = f" with labels {self._labels} in one of its frames" if self._labels else ""
    names = ", ".join(clip.name for clip in self._clips[:5])
    return (
      f"{self.describe()}: {what_has} no sample of {self._num_frames} frame(s) {self._frame_step} apart{labelled}. "
      f"The longest of {len(self._clips)} clip(s), {longest.name!r}, has {len(longest.frames)} frame(s); clips are: "
      f"{names}{', ...' if len(self._clips) > 5 else ''}."
    )

  def _slices(self, samples):
    """Columns for `from_tensor_slices`."""
    columns = {
      "clip": np.array([index for index, _ in samples], np.int32),
      "frames": np.array([list(frames) for _, frames in samples], np.int32),
      element.SAMPLE_ID: [
        _sample_id(self._clips[index], self._clips[index].frames[frames[0]])
        for index, frames in samples
      ],
    }
    if self._has_poses:
      poses = [[self._clips[index].frames[i].pose for i in frames] for index, frames in samples]
      columns[element.POSE] = np.array(poses, np.float32)
    return columns

  def _to_element(self, sample, crops, cameras):
    clip, crop = sample["clip"], crops[sample["clip"]]
    images, labels = [], {name: [] for name in self._labels}
    for position in range(self._num_frames):
      frame = sample["frames"][position]
      image = tf.numpy_function(self._read_image, [clip, frame], tf.uint8)
      image.set_shape([None, None, 3])
      images.append(rgbd_images.resize_color(image, crop[0], crop[1], crop[2:], self.image_size))
      for name in self._labels:
        read = functools.partial(self._read_label, name)
        label = tf.numpy_function(read, [clip, frame], _DTYPES[name])
        labels[name].append(tf.ensure_shape(label, [*self.image_size, _CHANNELS[name]]))
    result = {
      element.IMAGE: tf.stack(images),
      element.INTRINSICS: tf.tile(cameras[clip][tf.newaxis], [self._num_frames, 1, 1]),
      element.SAMPLE_ID: sample[element.SAMPLE_ID],
    }
    if self._has_poses:
      result[element.POSE] = sample[element.POSE]
    if self._labels:
      result[element.LABELS] = {name: tf.stack(values) for name, values in labels.items()}
    return result

  def _read_image(self, clip_index, frame_index):
    clip = self._clips[clip_index]
    frame = clip.frames[frame_index]
    return inspection.read_image(self._data, clip, frame, self._views[clip_index].resize.original)

  def _read_label(self, name, clip_index, frame_index):
    clip, view = self._clips[clip_index], self._views[clip_index]
    frame = clip.frames[frame_index]
    if name not in frame.files:
      shape = (*view.size, _CHANNELS[name])
      return np.full(shape, _MISSING[name], _DTYPES[name].as_numpy_dtype)
    return self._data.read_label(name, clip, frame, view)


def _sample_id(clip, frame):
  # Clips of single images have the image in their name already.
  name = clip.name if clip.name.endswith(f"/{frame.name}") else f"{clip.name}/{frame.name}"
  return footage.name_bytes(name)


def _crop(view):
  return view.resize.top, view.resize.left, *view.resize.crop


def _check_counts(**counts):
  for name, value in counts.items():
    if value < 1:
      raise ValueError(f"VideoSource.{name} must be 1 or more. Received: {value}.")
