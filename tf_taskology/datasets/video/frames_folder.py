"""Plain folders of video frames, with or without intrinsics and poses."""

import os
from collections.abc import Sequence

import numpy as np

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import footage, kitti_files


class FramesFolder(footage.Footage):
  """A folder of images, or a folder of such folders; each is one clip, in natural order of names (9 before 10).

  Beside the images, or in the folder above, may lie
    intrinsics.txt  4 numbers fx fy cx cy, or a 3x3 or 4x4 matrix, in pixels of the images
  and beside the images
    poses.txt       12 numbers a line, one line a frame: camera to world, metres (the format of KITTI odometry)

  Args:
    path: the folder.
    intrinsics: (fx, fy, cx, cy) of all images as stored, pixels; None reads the files.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(self, path: str, intrinsics: Sequence[float] | None = None):
    if intrinsics is not None and len(intrinsics) != 4:
      raise ValueError(
        f"FramesFolder.intrinsics must be (fx, fy, cx, cy) in pixels. Received: {intrinsics}."
      )
    self._path = rgbd_files.absolute(path)
    self._intrinsics = intrinsics

  @property
  def labels(self) -> tuple[str, ...]:
    return ()

  def describe(self) -> str:
    return f"folder of frames {self._path}"

  def clips(self) -> list[footage.Clip]:
    footage.require_folder(self._path, "Folder of frames")
    names = rgbd_files.list_folders(self._path)
    folders = [(os.path.basename(self._path), self._path)]
    folders += [(name, os.path.join(self._path, name)) for name in names]
    clips = [self._clip(name, folder) for name, folder in folders]
    clips = [clip for clip in clips if clip is not None]
    if not clips:
      raise ValueError(
        f"{self._path!r} has no images ({', '.join(rgbd_files.IMAGE_ENDINGS)}), neither directly nor in folders "
        f"directly in it. It holds {sorted(os.listdir(self._path))[:10]}."
      )
    return clips

  def read_label(self, name, clip, frame, view):
    raise ValueError(f"{self.describe()} has no labels, but {name!r} was asked for.")

  def _clip(self, name, folder):
    images = rgbd_files.list_files(folder, rgbd_files.IMAGE_ENDINGS)
    if not images:
      return None
    poses = [None] * len(images)
    pose_file = os.path.join(folder, "poses.txt")
    if os.path.exists(pose_file):
      poses = kitti_files.read_poses(pose_file, len(images))
    frames = tuple(
      footage.Frame(base, path, pose)
      for (base, path), pose in zip(images.items(), poses, strict=True)
    )
    if self._intrinsics is not None:
      source = "the argument intrinsics of FramesFolder"
      return footage.Clip(name, frames, rgbd_files.from_focal(self._intrinsics), source)
    intrinsics, source = self._find_intrinsics(folder)
    return footage.Clip(name, frames, intrinsics, source)

  def _find_intrinsics(self, folder) -> tuple[np.ndarray | None, str]:
    files = [os.path.join(place, "intrinsics.txt") for place in (folder, self._path)]
    for file in files:
      if os.path.exists(file):
        return rgbd_files.read_matrix(file), repr(file)
    return None, f"{files[0]!r} (4 numbers fx fy cx cy, or a 3x3 or 4x4 matrix)"
