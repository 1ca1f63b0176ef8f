"""What reading the frames of a recording needs to know beforehand: sizes, intrinsics, and where pixels come from."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_taskology.datasets import rgbd_files, rgbd_geometry, rgbd_layouts
from tf_taskology.datasets.video import image_files


@dataclasses.dataclass(frozen=True)
class PreparedRecording:
  """A recording with all that its frames share.

  Attributes:
    recording: the files.
    resize: from stored colour images to samples.
    intrinsics: [3, 3] of samples.
    depth_size: (height, width) of stored depth images; (1, 1) if there are none.
    depth_lookup: (rows, columns) of depth images for those of samples.
    normals_size: the same of stored normals.
    normals_lookup: the same.
    depth_scale: stored units per metre.
    valid_frames: frames whose pose is a pose.
  """

  recording: rgbd_files.Recording
  resize: rgbd_geometry.Resize
  intrinsics: np.ndarray
  depth_size: tuple[int, int]
  depth_lookup: tuple[np.ndarray, np.ndarray]
  normals_size: tuple[int, int]
  normals_lookup: tuple[np.ndarray, np.ndarray]
  depth_scale: float
  valid_frames: tuple[rgbd_files.Frame, ...]

  @property
  def has_poses(self) -> bool:
    return bool(self.valid_frames)

  @property
  def invalid_poses(self) -> int:
    return len(self.recording.frames) - len(self.valid_frames)


def prepare(
  recording: rgbd_files.Recording,
  image_size: tuple[int, int] | None,
  keep_aspect: bool,
  intrinsics: Sequence[float] | None,
  depth_scale: float | None,
  needs_depth: bool,
) -> PreparedRecording:
  """Opens one image of each kind and works out the rest. Arguments as those of `rgbd_folder.RgbdFolder`.

  Raises:
    ValueError: intrinsics or depth are needed and missing, or the first image cannot be read.
  """
  color_intrinsics = color_camera(recording, intrinsics)
  color_size = image_files.size(recording.frames[0].color)
  resize = rgbd_geometry.plan(color_size, image_size, keep_aspect)
  camera = resize.intrinsics(color_intrinsics)
  depth_file = next((frame.depth for frame in recording.frames if frame.depth), None)
  normals_file = next((frame.normals for frame in recording.frames if frame.normals), None)
  if needs_depth and depth_file is None and normals_file is None:
    raise ValueError(
      f"RGB-D folder {recording.path!r} has no depth images in the layout {recording.layout!r} "
      f"({rgbd_layouts.LAYOUTS[recording.layout]}). To read colour alone set RgbdFolder.labels = ()."
    )

  def lookup(file, other_camera):
    if file is None:
      return (1, 1), tuple(np.full(side, -1, np.int32) for side in resize.size)
    size = image_files.size(file)
    if other_camera is None:
      other_camera = rgbd_geometry.scaled_intrinsics(color_intrinsics, color_size, size)
    return size, rgbd_geometry.lookup(camera, resize.size, other_camera, size)

  # Intrinsics given by hand are the colour camera's; then the depth camera is taken to be the same.
  depth_camera = None if intrinsics is not None else recording.depth_intrinsics
  depth_size, depth_lookup = lookup(depth_file, depth_camera)
  normals_size, normals_lookup = lookup(normals_file, None)
  return PreparedRecording(
    recording,
    resize,
    camera,
    depth_size,
    depth_lookup,
    normals_size,
    normals_lookup,
    depth_scale or recording.depth_scale,
    tuple(frame for frame in recording.frames if rgbd_files.is_pose(frame.pose)),
  )


def check_files(item: PreparedRecording, with_labels: bool):
  """Raises ValueError that names the image files that are missing, truncated or of another size."""
  kinds = [("color", item.resize.original)]
  if with_labels:
    kinds += [("depth", item.depth_size), ("normals", item.normals_size)]
  bad = []
  for kind, size in kinds:
    paths = [getattr(frame, kind) for frame in item.recording.frames]
    first = "the first of its folder"
    problems = ((path, image_files.problem(path, size, first)) for path in paths if path)
    bad += [f"{path!r}: {problem}" for path, problem in problems if problem]
  if bad:
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    raise ValueError(
      f"RGB-D folder {item.recording.path!r} has {len(bad)} bad image file(s): {'; '.join(bad[:3])}{more}. "
      "`python -m tf_taskology.check_data` lists them all."
    )


def color_camera(recording: rgbd_files.Recording, intrinsics: Sequence[float] | None) -> np.ndarray:
  """[3, 3] intrinsics of the stored colour images; ValueError if nobody gives them."""
  if intrinsics is not None:
    return rgbd_files.from_focal(intrinsics)
  if recording.intrinsics is None:
    raise ValueError(
      f"RGB-D folder {recording.path!r} has no intrinsics: looked for {recording.intrinsics_file!r} (4 numbers fx fy cx "
      "cy, or a 3x3 or 4x4 matrix, in pixels of the colour images). Write that file, or give them in gin: "
      "rgbd_folder.RgbdFolder.intrinsics = (fx, fy, cx, cy)."
    )
  return recording.intrinsics


def tables(recordings: Sequence[PreparedRecording]) -> dict[str, tf.Tensor]:
  """What `prepare` found, as tensors with a leading axis over recordings."""
  columns = {
    "intrinsics": [item.intrinsics.astype(np.float32) for item in recordings],
    "color_size": [np.array(item.resize.original, np.int32) for item in recordings],
    "crop": [
      np.array([item.resize.top, item.resize.left, *item.resize.crop], np.int32)
      for item in recordings
    ],
    "depth_size": [np.array(item.depth_size, np.int32) for item in recordings],
    "depth_rows": [item.depth_lookup[0] for item in recordings],
    "depth_columns": [item.depth_lookup[1] for item in recordings],
    "normals_size": [np.array(item.normals_size, np.int32) for item in recordings],
    "normals_rows": [item.normals_lookup[0] for item in recordings],
    "normals_columns": [item.normals_lookup[1] for item in recordings],
    "depth_scale": [np.float32(item.depth_scale) for item in recordings],
  }
  return {name: tf.constant(np.stack(values)) for name, values in columns.items()}
