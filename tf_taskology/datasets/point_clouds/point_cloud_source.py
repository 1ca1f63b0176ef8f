"""Samples of consecutive sweeps from a data set of point clouds on disk."""

import functools
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from absl import logging

from tf_taskology.datasets import element, point_observation, source
from tf_taskology.datasets.point_clouds import check, recordings, sample_points
from tf_taskology.datasets.video import footage, splits as splits_lib
from tf_taskology.geometry import bev_grid
from tf_taskology.tasks import anchor_targets

_SIZES = {"boxes": (7,), "classes": (), "tracks": (), "box_points": (), "difficulty": ()}
_OWNER = "PointCloudSource"


class PointCloudSource(source.Source):
  """Samples of one data set on disk, with the elements that `point_observation` describes.

  Points, boxes and poses are in frames with x forward, y left, z up and z = 0 on the ground (`sensor_height` of the
  data set is added); points without a finite place are left out. Labels are those of the data set; difficulty [frames,
  m] int32 is 1 easy, 2 moderate, 3 hard, 4 harder, 0 unknown. `prepare` looks the files over; `python -m
  tf_taskology.check_data` does so at length.

  Args:
    data: which data set, e.g. `kitti_object.KittiObject`.
    num_frames: sweeps of a sample.
    frame_step: how many sweeps of the recording lie between two of a sample.
    sample_step: a sample begins at every so many-th sweep.
    labels: give boxes; samples of which a sweep has no labels are left out. False reads points alone, as a mediator
      needs them.
    max_points: of a sweep. Of more, so many are chosen at random, always the same ones.
    max_boxes: of a sweep. Of more, the nearest are kept.
    grid: points outside of it are left out, and boxes whose centre is outside seen from above: give that of the
      network, so that max_points is not spent on what it cannot see. None: everything stays.
    classes: class names of the data set -> number from 1, 0 (left out) or -1 (neither found nor background), where it
      is to differ from its own, e.g. {"Pedestrian": 2}.
    min_points: boxes with fewer points have class -1 in split "train"; 6 leaves out LEVEL_2, as public code does.
    common_frame: all sweeps of a sample, and their boxes, in the frame of the first, as box flow and its consistency
      need them; otherwise each in its own.
    splits: name -> (begin, end), shares of the sweeps of each clip in order of time, or names or patterns of clips (as
      `fnmatch`); None for those of the data set.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    data: recordings.Recordings,
    num_frames: int = 1,
    frame_step: int = 1,
    sample_step: int = 1,
    labels: bool = True,
    max_points: int = 60000,
    max_boxes: int = 128,
    grid: bev_grid.BevGrid | None = None,
    classes: Mapping[str, int] | None = None,
    min_points: int = 6,
    common_frame: bool = True,
    splits: Mapping[str, splits_lib.Split] | None = None,
  ):
    for name, value in (
      ("num_frames", num_frames),
      ("frame_step", frame_step),
      ("sample_step", sample_step),
      ("max_points", max_points),
      ("max_boxes", max_boxes),
    ):
      if value < 1:
        raise ValueError(f"{_OWNER}.{name} must be 1 or more. Received: {value}.")
    if num_frames > 1 and not data.consecutive:
      raise ValueError(
        f"{_OWNER}.num_frames must be 1: the sweeps of {data.describe()} do not follow each other. Received: {num_frames}."
      )
    self._data = data
    self._num_frames, self._frame_step, self._sample_step = num_frames, frame_step, sample_step
    self._with_labels = labels
    self._max_points, self._max_boxes = max_points, max_boxes
    self._grid = grid
    self._classes = {**data.classes, **(classes or {})}
    wrong = {name: n for name, n in self._classes.items() if n < recordings.DO_NOT_CARE}
    if wrong:
      raise ValueError(f"{_OWNER}.classes must be numbers of at least -1. Received: {wrong}.")
    self._min_points = min_points
    self._common_frame = common_frame
    self._splits = dict(data.splits if splits is None else splits)
    splits_lib.check(self._splits, _OWNER)

  @functools.cached_property
  def _clips(self) -> list[recordings.Clip]:
    clips = self._data.clips()
    return splits_lib.used(clips, self._splits) or clips

  @functools.cached_property
  def _has_poses(self) -> bool:
    return all(clip.has_poses for clip in self._clips)

  @property
  def num_frames(self) -> int:
    return self._num_frames

  @property
  def labels(self) -> tuple[str, ...]:
    return self._data.labels if self._with_labels else ()

  @property
  def element_spec(self):
    def frames(*shape, dtype=tf.float32):
      return tf.TensorSpec([self._num_frames, *shape], dtype)

    spec = {
      point_observation.POINTS: frames(self._max_points, 4),
      point_observation.NUM_POINTS: frames(dtype=tf.int32),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
    }
    if self._has_poses:
      spec[element.POSE] = frames(4, 4)
    if self.labels:
      spec[element.LABELS] = {
        name: frames(
          self._max_boxes, *_SIZES[name], dtype=tf.float32 if name == "boxes" else tf.int32
        )
        for name in self.labels
      }
    return spec

  def prepare(self):
    """Looks at the size of every file and into a few, so that bad input stops training before it begins."""
    if self._with_labels and not self.labels:
      raise ValueError(
        f"{self.describe()} has no labels; {_OWNER}.labels = False reads points alone."
      )
    if self._num_frames > 1 and self._common_frame and not self._has_poses:
      without = next(clip.name for clip in self._clips if not clip.has_poses)
      raise ValueError(
        f"{self.describe()}: clip {without!r} has no poses, which sweeps need to be in one frame; "
        f"{_OWNER}.common_frame = False leaves each in its own."
      )
    if not any(self._samples(split) for split in self._splits):
      raise ValueError(self._no_sample("its splits have"))
    limits = check.Limits(self._max_points, self._max_boxes, self._grid)
    check.refuse_bad_files(self._data, self._clips, self._classes, self._with_labels, limits)

  def num_samples(self, split: str) -> int:
    return len(self._samples(split))

  def describe(self) -> str:
    return self._data.describe()

  def dataset(self, split: str) -> tf.data.Dataset:
    samples = self._samples(split)
    if not samples:
      raise ValueError(self._no_sample(f"split {split!r} = {self._splits[split]} has"))
    columns = (
      np.array([index for index, _ in samples], np.int32),
      np.array([list(frames) for _, frames in samples], np.int32),
    )
    dataset = tf.data.Dataset.from_tensor_slices(columns)
    return dataset.map(
      lambda clip, frames: self._element(clip, frames, split == "train"),
      num_parallel_calls=tf.data.AUTOTUNE,
    )

  def _samples(self, split):
    if split not in self._splits:
      raise ValueError(
        f"{self.describe()} has no split {split!r}. It has: {', '.join(self._splits)}."
      )
    steps = self._num_frames, self._frame_step, self._sample_step
    found = splits_lib.samples(self._clips, self._splits[split], *steps, labels=())
    if not self._with_labels:
      return found
    # A sweep whose boxes are not known must not look like one without vehicles.
    labelled = [[recordings.BOXES in s.files for s in clip.frames] for clip in self._clips]
    return [(i, frames) for i, frames in found if all(labelled[i][frame] for frame in frames)]

  def _no_sample(self, what_has):
    longest = max(self._clips, key=lambda clip: len(clip.frames))
    labelled = " with labels of all of them" if self._with_labels else ""
    names = ", ".join(clip.name for clip in self._clips[:5])
    return (
      f"{self.describe()}: {what_has} no sample of {self._num_frames} sweep(s) {self._frame_step} apart{labelled}. The "
      f"longest of {len(self._clips)} clip(s), {longest.name!r}, has {len(longest.frames)} sweep(s); clips are: {names}"
      f"{', ...' if len(self._clips) > 5 else ''}."
    )

  def _element(self, clip, frames, train):
    specs = {"": self.element_spec}
    labels = specs[""].pop(element.LABELS, {})
    flat = {**specs[""], **labels}
    values = tf.numpy_function(
      lambda c, f: self._read(int(c), f.tolist(), train, list(flat)),
      [clip, frames],
      [spec.dtype for spec in flat.values()],
    )
    result = {
      name: tf.ensure_shape(value, flat[name].shape)
      for name, value in zip(flat, values, strict=True)
    }
    if labels:
      result[element.LABELS] = {name: result.pop(name) for name in labels}
    return result

  def _read(self, clip_index, frames, train, names):
    """The arrays of a sample in the order of `names`."""
    clip = self._clips[clip_index]
    chosen = [clip.frames[i] for i in frames]
    sweeps = [
      sample_points.read(self._data, clip, sweep, self._classes, self._with_labels)
      for sweep in chosen
    ]
    lost = sum(sweep.not_finite for sweep in sweeps)
    if lost:
      logging.log_first_n(
        logging.WARNING, "%s: %d points of %r without a finite place are left out", 3,
        self.describe(), lost, chosen[0].points,
      )  # fmt: skip
    poses = None
    if self._has_poses:
      height = self._data.sensor_height
      poses = np.stack([sample_points.ground_pose(sweep.pose, height) for sweep in chosen])
      if self._common_frame:
        to_first = np.linalg.inv(poses[0]) @ poses
        sweeps = [
          sweep if i == 0 else sample_points.moved(sweep, to_first[i])
          for i, sweep in enumerate(sweeps)
        ]
    if self._grid is not None:
      sweeps = [sample_points.inside(sweep, self._grid) for sweep in sweeps]
    sweeps = [
      sample_points.limited(sweep, self._max_points, self._max_boxes, f"{clip.name}/{file.name}")
      for sweep, file in zip(sweeps, chosen, strict=True)
    ]
    arrays = self._labels(sweeps, train)
    arrays[point_observation.POINTS] = _stack([sweep.points for sweep in sweeps], self._max_points)
    arrays[point_observation.NUM_POINTS] = np.array([len(s.points) for s in sweeps], np.int32)
    arrays[element.SAMPLE_ID] = footage.name_bytes(f"{clip.name}/{chosen[0].name}")
    if poses is not None:
      origin = np.linalg.inv(self._origin(clip))
      arrays[element.POSE] = (origin @ poses).astype(np.float32)
    return [arrays[name] for name in names]

  def _origin(self, clip):
    """The world of a clip's poses is its own first sweep: metres from a far origin lose precision in float32."""
    return sample_points.ground_pose(clip.frames[0].pose, self._data.sensor_height)

  def _labels(self, sweeps, train):
    classes = [sweep.classes for sweep in sweeps]
    if train:
      classes = [
        np.where(sweep.box_points < self._min_points, anchor_targets.DO_NOT_CARE, sweep.classes)
        for sweep in sweeps
      ]
    values = {
      "boxes": [sweep.boxes.astype(np.float32) for sweep in sweeps],
      "classes": [value.astype(np.int32) for value in classes],
      "tracks": sample_points.number_tracks(sweeps),
      "box_points": [sweep.box_points.astype(np.int32) for sweep in sweeps],
      "difficulty": [sweep.difficulty.astype(np.int32) for sweep in sweeps],
    }
    return {name: _stack(arrays, self._max_boxes) for name, arrays in values.items()}


def _stack(arrays, size):
  return np.stack([sample_points.padded(array, size) for array in arrays])
