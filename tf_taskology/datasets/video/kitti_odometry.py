"""KITTI odometry: sequences with calibration, poses and LiDAR.

Source: Geiger et al., "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite" (CVPR 2012).
"""

import os
from collections.abc import Sequence

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import footage, kitti_files


class KittiOdometry(footage.Footage):
  """Sequences as they are unpacked, each a clip "NN".

    sequences/06/image_2/000000.png ...  calib.txt  velodyne/000000.bin ...
    poses/06.txt

  poses/ has no files for the sequences 11-21, and velodyne/ is a download of its own: without them there is no pose, no
  depth. Of sequences with fewer images than poses, the numbers of the images choose their poses. The world is camera 0
  of the first frame.

  Args:
    path: the folder with sequences/ in it.
    sequences: names, e.g. ("09", "10"); None for all that have images.
    camera: 0 and 1 are the grey cameras, left and right, 2 and 3 the colour ones.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(self, path: str, sequences: Sequence[str] | None = None, camera: int = 2):
    if camera not in (0, 1, 2, 3):
      raise ValueError(f"KittiOdometry.camera must be 0, 1, 2 or 3. Received: {camera}.")
    if sequences is not None and (isinstance(sequences, str) or not sequences):
      raise ValueError(
        f"KittiOdometry.sequences must be a list of names such as ('09', '10'). Received: {sequences!r}."
      )
    self._path = rgbd_files.absolute(path)
    self._sequences = sequences
    self._camera = camera

  @property
  def labels(self) -> tuple[str, ...]:
    return ("depth",)

  def describe(self) -> str:
    return f"KITTI odometry {self._path}"

  def clips(self) -> list[footage.Clip]:
    footage.require_folder(self._path, "KITTI odometry folder")
    root = os.path.join(self._path, "sequences")
    there = rgbd_files.list_folders(root) if os.path.isdir(root) else []
    wanted = there if self._sequences is None else list(self._sequences)
    missing = [name for name in wanted if name not in there]
    if not wanted or missing:
      holds = f"sequences/ holds {there[:25]}" if there else f"It holds {_some(self._path)}"
      raise ValueError(
        f"{self._path!r}: expected sequences/<NN>/image_{self._camera}/*.png for {missing or 'a sequence'}. {holds}."
      )
    images = {name: self._images(os.path.join(root, name)) for name in wanted}
    # The downloads of calibration and LiDAR bring a folder for every sequence, whatever images there are.
    empty = [name for name in wanted if not images[name]]
    if empty and (self._sequences is not None or len(empty) == len(wanted)):
      folder = os.path.join(root, empty[0])
      raise ValueError(
        f"{folder!r} has no images in image_{self._camera}; it holds {_some(folder)}. KittiOdometry.camera chooses the "
        "folder."
      )
    if empty:
      logging.warning(
        "%s: sequences without images in image_%d are left out: %s",
        self.describe(), self._camera, ", ".join(empty),
      )  # fmt: skip
    return [
      clip
      for name, files in images.items()
      if files
      for clip in self._read(name, os.path.join(root, name), files)
    ]

  def read_label(self, name, clip, frame, view):
    points = kitti_files.read_scan(frame.files[name])
    return view.project(points @ clip.extra[:3, :3].T + clip.extra[:3, 3])

  def _images(self, folder):
    return rgbd_files.list_files(
      os.path.join(folder, f"image_{self._camera}"), rgbd_files.IMAGE_ENDINGS
    )

  def _read(self, name, folder, images):
    file = os.path.join(folder, "calib.txt")
    fields = kitti_files.read_calibration(file)
    # Copies of the grey cameras alone often lack the projections of the colour ones.
    projection = kitti_files.field(fields, f"P{self._camera}", (3, 4), file)
    intrinsics, from_first = kitti_files.split_projection(projection)
    scans = rgbd_files.list_files(os.path.join(folder, "velodyne"), (".bin",))
    to_camera = None
    if scans:
      lidar = kitti_files.field(fields, "Tr", (3, 4), file)
      to_camera = from_first @ kitti_files.transform(lidar[:, :3], lidar[:, 3])
    poses = self._poses(name, list(images), from_first)
    frames = [
      footage.Frame(base, path, pose, {"depth": scans[base]} if base in scans else {})
      for (base, path), pose in zip(images.items(), poses, strict=True)
    ]
    numbers = [int(base) if base.isdigit() else index for index, base in enumerate(images)]
    calibration = f"P{self._camera} of {file!r}"
    return [
      footage.Clip(clip.name, clip.frames, intrinsics, calibration, extra=to_camera)
      for clip in footage.cut_at_gaps(name, frames, numbers)
    ]

  def _poses(self, name, images, from_first):
    path = os.path.join(self._path, "poses", f"{name}.txt")
    if not os.path.exists(path):
      return [None] * len(images)
    to_first = np.linalg.inv(from_first)
    return [pose @ to_first for pose in kitti_files.read_poses_of(path, images)]


def _some(folder):
  return sorted(os.listdir(folder))[:10]
