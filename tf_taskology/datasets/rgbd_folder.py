"""Folders of RGB-D frames (one's own data) as a source of training samples."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from tf_taskology.datasets import element, rgbd_images, rgbd_index, rgbd_layouts, source
from tf_taskology.geometry import depth_edges, surface_normals

LABELS = ("depth", "normals")
SPLITS = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
_MISSING_DEPTH = (0, 65535)
# A jump of depth by a tenth between neighbours is no surface whose normal could be told.
_NORMALS_MAX_JUMP = 0.1


class RgbdFolder(source.ImageSource):
  """One recording or several, each a folder in one of the layouts of `rgbd_layouts`.

  Colour images are cropped and area-averaged, depth takes the nearest measurement of the same ray, and intrinsics
  follow exactly (`rgbd_geometry` has the convention). Frames whose pose is not rigid are left out when the recordings
  have poses. `python -m tf_taskology.check_data` looks such folders over before training.

  Args:
    path: a folder, or a list of folders.
    layout: one of `rgbd_layouts.LAYOUTS`, or "auto".
    image_size: (height, width) of samples, pixels; None for that of the colour images.
    num_frames: frames of a sample.
    frame_step: how many frames of the recording lie between two of a sample: at 30 Hz, 10 or more give parallax.
    sample_step: a sample begins at every so many-th frame.
    labels: any of "depth", "normals". Normals are those of the folder normals/ of the layout "plain", or else are
      derived from depth. () reads colour alone, as a mediator needs it.
    depth_scale: stored units per metre (1000: millimetres); None for the layout's.
    intrinsics: (fx, fy, cx, cy) of the colour images as stored, pixels; None reads the layout's file.
    keep_aspect: cut off what does not fit into image_size; otherwise stretch.
    normals_window: derived normals are fitted to so many pixels squared (odd); more is smoother, 1 takes neighbours.
    splits: name -> (begin, end), shares of the frames of each recording, in order of time.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    path: str | Sequence[str],
    layout: str = "auto",
    image_size: tuple[int, int] | None = None,
    num_frames: int = 1,
    frame_step: int = 10,
    sample_step: int = 1,
    labels: Sequence[str] = ("depth",),
    depth_scale: float | None = None,
    intrinsics: Sequence[float] | None = None,
    keep_aspect: bool = True,
    normals_window: int = 3,
    splits: Mapping[str, tuple[float, float]] | None = None,
  ):
    counts = dict(
      num_frames=num_frames,
      frame_step=frame_step,
      sample_step=sample_step,
      normals_window=normals_window,
    )
    _check_arguments(labels, counts, depth_scale, intrinsics)
    self._normals_window = normals_window
    self._paths = (path,) if isinstance(path, str) else tuple(path)
    if not self._paths:
      raise ValueError("RgbdFolder: path must name at least one folder, got an empty list.")
    self._layout = layout
    self._image_size = None if image_size is None else tuple(image_size)
    self._num_frames = num_frames
    self._frame_step = frame_step
    self._sample_step = sample_step
    self._labels = tuple(labels)
    self._depth_scale = depth_scale
    self._intrinsics = intrinsics
    self._keep_aspect = keep_aspect
    self._splits = dict(SPLITS if splits is None else splits)
    for name, (begin, end) in self._splits.items():
      if not 0 <= begin < end <= 1:
        raise ValueError(
          f"RgbdFolder: split {name!r} must be (begin, end) with 0 <= begin < end <= 1, got {(begin, end)}."
        )

  @functools.cached_property
  def _recordings(self) -> list[rgbd_index.PreparedRecording]:
    """What is known of each folder, once it is asked for."""
    prepared = [
      rgbd_index.prepare(
        rgbd_layouts.read(path, self._layout),
        self._image_size,
        self._keep_aspect,
        self._intrinsics,
        self._depth_scale,
        "depth" in self._labels or "normals" in self._labels,
      )
      for path in self._paths
    ]
    sizes = {item.resize.size: item.recording.path for item in prepared}
    if len(sizes) > 1:
      raise ValueError(
        f"RgbdFolder: image_size must be given, for the folders differ in size: {sizes}."
      )
    return prepared

  @property
  def image_size(self) -> tuple[int, int]:
    return self._image_size or self._recordings[0].resize.size

  @property
  def num_frames(self) -> int:
    return self._num_frames

  @property
  def labels(self) -> tuple[str, ...]:
    return self._labels

  @functools.cached_property
  def _has_poses(self) -> bool:
    return all(item.has_poses for item in self._recordings)

  @property
  def element_spec(self):
    frames, (height, width) = self._num_frames, self.image_size
    spec = {
      element.IMAGE: tf.TensorSpec([frames, height, width, 3], tf.uint8),
      element.INTRINSICS: tf.TensorSpec([frames, 3, 3], tf.float32),
      element.SAMPLE_ID: tf.TensorSpec([], tf.string),
    }
    if self._has_poses:
      spec[element.POSE] = tf.TensorSpec([frames, 4, 4], tf.float32)
    if self._labels:
      channels = {"depth": 1, "normals": 3}
      spec[element.LABELS] = {
        name: tf.TensorSpec([frames, height, width, channels[name]], tf.float32)
        for name in self._labels
      }
    return spec

  def prepare(self):
    """Looks at the first and last bytes of every image, so that a bad file stops training before it begins."""
    dropped = sum(item.invalid_poses for item in self._recordings) if self._has_poses else 0
    if dropped:
      logging.info("%s: %d frames without a valid pose are left out", self.describe(), dropped)
    for item in self._recordings:
      rgbd_index.check_files(item, with_labels=bool(self._labels))

  def num_samples(self, split: str) -> int:
    return len(self._samples(split))

  def describe(self) -> str:
    more = f" and {len(self._paths) - 1} more" if len(self._paths) > 1 else ""
    return f"RGB-D folder {self._paths[0]}{more}"

  def dataset(self, split: str) -> tf.data.Dataset:
    samples = self._samples(split)
    if not samples:
      raise ValueError(
        f"{self.describe()}: split {split!r} = {self._splits[split]} has no sample of {self._num_frames} frame(s) "
        f"{self._frame_step} apart."
      )
    tables = rgbd_index.tables(self._recordings)
    dataset = tf.data.Dataset.from_tensor_slices(self._slices(samples))
    return dataset.map(
      lambda sample: self._to_element(sample, tables), num_parallel_calls=tf.data.AUTOTUNE
    )

  def _samples(self, split):
    """[(recording index, frames)]."""
    if split not in self._splits:
      raise ValueError(
        f"{self.describe()} has no split {split!r}. It has: {', '.join(self._splits)}."
      )
    samples = []
    for index, item in enumerate(self._recordings):
      frames = item.valid_frames if self._has_poses else item.recording.frames
      begin, end = (round(share * len(frames)) for share in self._splits[split])
      part = frames[begin:end]
      span = (self._num_frames - 1) * self._frame_step
      for start in range(0, len(part) - span, self._sample_step):
        samples.append((index, part[start : start + span + 1 : self._frame_step]))
    return samples

  def _slices(self, samples):
    """Columns for `from_tensor_slices`."""
    recordings = [self._recordings[index].recording for index, _ in samples]
    columns = {
      "recording": np.array([index for index, _ in samples], np.int32),
      "color": [[frame.color for frame in frames] for _, frames in samples],
      "depth": [[frame.depth or "" for frame in frames] for _, frames in samples],
      "normals": [[frame.normals or "" for frame in frames] for _, frames in samples],
      element.SAMPLE_ID: [
        f"{recording.path}/{frames[0].name}"
        for recording, (_, frames) in zip(recordings, samples, strict=True)
      ],
    }
    if self._has_poses:
      poses = [[frame.pose for frame in frames] for _, frames in samples]
      columns[element.POSE] = np.array(poses, np.float32)
    return columns

  def _to_element(self, sample, tables):
    about = {name: table[sample["recording"]] for name, table in tables.items()}
    frames = range(self._num_frames)
    images = [self._color(sample["color"][frame], about) for frame in frames]
    result = {
      element.IMAGE: tf.stack(images),
      element.INTRINSICS: tf.tile(about["intrinsics"][tf.newaxis], [self._num_frames, 1, 1]),
      element.SAMPLE_ID: sample[element.SAMPLE_ID],
    }
    if self._has_poses:
      result[element.POSE] = sample[element.POSE]
    if self._labels:
      labels = [
        self._frame_labels(sample["depth"][frame], sample["normals"][frame], about)
        for frame in frames
      ]
      result[element.LABELS] = {
        name: tf.stack([label[name] for label in labels]) for name in self._labels
      }
    return result

  def _color(self, path, about):
    image = rgbd_images.read_color(path, about["color_size"])
    top, left, crop = about["crop"][0], about["crop"][1], about["crop"][2:]
    return rgbd_images.resize_color(image, top, left, crop, self.image_size)

  def _frame_labels(self, depth_path, normals_path, about):
    stored = rgbd_images.read_depth(depth_path, about["depth_size"])
    stored = rgbd_images.sample(stored, about["depth_rows"], about["depth_columns"])
    known = tf.reduce_all([stored != missing for missing in _MISSING_DEPTH], axis=0)
    depth = tf.where(known, tf.cast(stored, tf.float32) / about["depth_scale"], 0.0)
    depth = tf.ensure_shape(depth, [*self.image_size, 1])
    labels = {"depth": depth}
    if "normals" in self._labels:
      labels["normals"] = tf.cond(
        normals_path == "",
        lambda: _derived_normals(depth, about["intrinsics"], self._normals_window),
        lambda: _stored_normals(normals_path, about),
      )
    return labels


def _derived_normals(depth, intrinsics, window):
  normals, _ = surface_normals.depth_to_normals(depth, intrinsics, window)
  jumps = depth_edges.depth_edges(depth, _NORMALS_MAX_JUMP, margin=window // 2)
  return tf.where(jumps, tf.zeros_like(normals), normals)


def _stored_normals(path, about):
  stored = rgbd_images.read_color(path, about["normals_size"])
  stored = rgbd_images.sample(stored, about["normals_rows"], about["normals_columns"])
  normals = tf.cast(stored, tf.float32) * (2.0 / 255.0) - 1.0
  length = tf.norm(normals, axis=-1, keepdims=True)
  # Black (outside) has length sqrt(3), grey (unknown) 0: only what is about a unit vector is a normal.
  return tf.where(tf.abs(length - 1.0) < 0.2, normals / length, tf.zeros_like(normals))


def _check_arguments(labels, counts, depth_scale, intrinsics):
  unknown = sorted(set(labels) - set(LABELS))
  if unknown:
    raise ValueError(f"RgbdFolder: labels must be among {LABELS}, got {unknown}.")
  for name, value in counts.items():
    if value < 1:
      raise ValueError(f"RgbdFolder: {name} must be 1 or more, got {value}.")
  if counts["normals_window"] % 2 == 0:
    raise ValueError(f"RgbdFolder: normals_window must be odd, got {counts['normals_window']}.")
  if depth_scale is not None and depth_scale <= 0:
    raise ValueError(
      f"RgbdFolder: depth_scale, stored units per metre, must be above 0, got {depth_scale}."
    )
  if intrinsics is not None and len(intrinsics) != 4:
    raise ValueError(
      f"RgbdFolder: intrinsics must be (fx, fy, cx, cy) in pixels, got {intrinsics}."
    )
