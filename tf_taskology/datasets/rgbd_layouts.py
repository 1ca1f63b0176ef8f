"""How folders of RGB-D frames are laid out on disk: which files belong to which frame, and what they mean.

Reading a layout lists files and reads the small text ones; no image is opened.
"""

import os
import re

from tf_taskology.datasets import rgbd_files, rgbd_tum


def read(path: str, layout: str = "auto") -> rgbd_files.Recording:
  """Reads what a folder holds.

  Args:
    path: the folder of one recording.
    layout: one of `LAYOUTS`, or "auto" to tell by the files.

  Raises:
    FileNotFoundError: the folder does not exist.
    ValueError: it has no layout that we know, no colour images, or a malformed text file.
  """
  if not os.path.isdir(path):
    raise FileNotFoundError(f"RGB-D folder {path!r} does not exist or is no folder.")
  if layout == "auto":
    layout = detect(path)
  if layout not in LAYOUTS:
    raise ValueError(f"layout must be 'auto' or one of {sorted(LAYOUTS)}, got {layout!r}.")
  recording = _READERS[layout](path)
  if not recording.frames:
    raise ValueError(f"{path!r} has no colour images in the layout {layout!r}: {LAYOUTS[layout]}.")
  return recording


def detect(path: str) -> str:
  """The layout of a folder, by the names of its files."""
  names = os.listdir(path)
  if any(re.fullmatch(r"frame-\d+\.color\.(jpg|jpeg|png)", name) for name in names):
    return "seven_scenes"
  for layout, mark in (("tum", "rgb"), ("scannet", "color"), ("plain", "image")):
    if mark in names:
      return layout
  known = "; ".join(f"{name}: {text}" for name, text in LAYOUTS.items())
  raise ValueError(
    f"{path!r} has none of the layouts that are known ({known}). It holds {sorted(names)[:10]}."
  )


def _by_name(path, layout, color, depth, poses, normals=None, **fields):
  """A recording whose files belong together when their base names are equal."""
  normals = normals or {}
  frames = tuple(
    rgbd_files.Frame(
      name,
      file,
      depth.get(name),
      normals.get(name),
      rgbd_files.read_pose(poses[name]) if name in poses else None,
    )
    for name, file in color.items()
  )
  orphans = tuple(
    files[name] for files in (depth, normals, poses) for name in files if name not in color
  )
  return rgbd_files.Recording(path, layout, frames, orphans=orphans, **fields)


def _read_seven_scenes(path):
  file = os.path.join(path, "camera-intrinsics.txt")
  return _by_name(
    path,
    "seven_scenes",
    rgbd_files.list_files(path, tuple(f".color{ending}" for ending in rgbd_files.IMAGE_ENDINGS)),
    rgbd_files.list_files(path, (".depth.png",)),
    rgbd_files.list_files(path, (".pose.txt",)),
    intrinsics_file=file,
    intrinsics=rgbd_files.read_optional_matrix(file),
  )


def _read_scannet(path):
  file = os.path.join(path, "intrinsic", "intrinsic_color.txt")
  return _by_name(
    path,
    "scannet",
    rgbd_files.list_files(os.path.join(path, "color"), rgbd_files.IMAGE_ENDINGS),
    rgbd_files.list_files(os.path.join(path, "depth"), (".png",)),
    rgbd_files.list_files(os.path.join(path, "pose"), (".txt",)),
    intrinsics_file=file,
    intrinsics=rgbd_files.read_optional_matrix(file),
    depth_intrinsics=rgbd_files.read_optional_matrix(
      os.path.join(path, "intrinsic", "intrinsic_depth.txt")
    ),
  )


def _read_plain(path):
  file = os.path.join(path, "intrinsics.txt")
  return _by_name(
    path,
    "plain",
    rgbd_files.list_files(os.path.join(path, "image"), rgbd_files.IMAGE_ENDINGS),
    rgbd_files.list_files(os.path.join(path, "depth"), (".png",)),
    rgbd_files.list_files(os.path.join(path, "pose"), (".txt",)),
    rgbd_files.list_files(os.path.join(path, "normals"), (".png",)),
    intrinsics_file=file,
    intrinsics=rgbd_files.read_optional_matrix(file),
  )


LAYOUTS = {
  "seven_scenes": "frame-000000.color.jpg (or .png), .depth.png in millimetres, .pose.txt, camera-intrinsics.txt",
  "tum": "rgb/, depth/ (5000 units a metre), rgb.txt, depth.txt, groundtruth.txt, intrinsics.txt",
  "scannet": "color/, depth/ in millimetres, pose/, intrinsic/intrinsic_color.txt and intrinsic_depth.txt",
  "plain": "image/, depth/ in millimetres, normals/, pose/, intrinsics.txt",
}
_READERS = {
  "seven_scenes": _read_seven_scenes,
  "tum": rgbd_tum.read,
  "scannet": _read_scannet,
  "plain": _read_plain,
}
