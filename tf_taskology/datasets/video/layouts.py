"""The data sets that can be looked over by name, and how a folder of each is told."""

import ast
import dataclasses
import glob
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

from tf_taskology.datasets import rgbd_files
from tf_taskology.datasets.video import (
  camvid,
  cityscapes,
  coco_panoptic,
  footage,
  frames_folder,
  kitti_odometry,
  kitti_raw,
  waymo,
)


@dataclasses.dataclass(frozen=True)
class Layout:
  """One kind of data set.

  Attributes:
    make: called with the path and arguments of its own.
    marks: patterns of paths in a folder, any of which tells it.
  """

  make: Callable[..., footage.Footage]
  marks: tuple[str, ...]


_IMAGES = tuple(f"*{e}" for ending in rgbd_files.IMAGE_ENDINGS for e in (ending, ending.upper()))
# In the order in which `detect` tries them: the plainest comes last.
LAYOUTS = {
  "kitti_odometry": Layout(kitti_odometry.KittiOdometry, ("sequences/*/image_?",)),
  "kitti_raw": Layout(
    kitti_raw.KittiRaw, ("image_0?/data", "*/image_0?/data", "*/*/image_0?/data")
  ),
  "cityscapes": Layout(cityscapes.Cityscapes, ("leftImg8bit/*", "leftImg8bit_sequence/*")),
  "camvid": Layout(
    camvid.CamVid, tuple(labels for _, labels, _ in camvid.FOLDERS if labels != "labels")
  ),
  "coco_panoptic": Layout(coco_panoptic.CocoPanoptic, ("annotations/panoptic_*.json",)),
  "waymo": Layout(waymo.Waymo, ("*.tfrecord", "*/*.tfrecord")),
  "frames": Layout(
    frames_folder.FramesFolder, (*_IMAGES, *(os.path.join("*", image) for image in _IMAGES))
  ),
}


def detect(path: str) -> str | None:
  """The name of the layout of a folder, or None."""
  for name, layout in LAYOUTS.items():
    if any(next(glob.iglob(os.path.join(glob.escape(path), m)), None) for m in layout.marks):
      return name
  return "waymo" if os.path.isfile(path) and path.endswith(".tfrecord") else None


def make(layout: str, path: str, arguments: Sequence[str] = ()) -> footage.Footage:
  """The data set at a path.

  Args:
    layout: one of `LAYOUTS`.
    path: of it.
    arguments: "name=value" for its constructor; a value that is no Python literal is taken as text.

  Raises:
    ValueError: an argument that the layout does not have, or of a wrong value.
  """
  return make_of(LAYOUTS[layout].make, layout, path, arguments)


def make_of(maker: Callable[..., Any], layout: str, path: str, arguments: Sequence[str]) -> Any:
  """`maker(path, ...)` with "name=value" arguments as `make` takes them; ValueError names `layout`."""
  known = [name for name in inspect.signature(maker).parameters if name != "path"]
  values: dict[str, Any] = {}
  for argument in arguments:
    name, separator, text = argument.partition("=")
    if name not in known or not separator:
      raise ValueError(
        f"Layout {layout!r} has no argument {argument!r}: expected name=value with a name of {known}."
      )
    try:
      values[name] = ast.literal_eval(text)
    except (ValueError, SyntaxError):  # text without quotes
      values[name] = text
  return maker(path, **values)
