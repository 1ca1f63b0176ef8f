"""Looks over a data set of any layout: the one entry to the checks of RGB-D recordings, point clouds and video."""

import dataclasses
import os
from collections.abc import Sequence

from tf_taskology.datasets import rgbd_check, rgbd_files, rgbd_findings, rgbd_layouts
from tf_taskology.datasets.point_clouds import check as points_check, layouts as points_layouts
from tf_taskology.datasets.video import check as video_check, layouts

LAYOUTS = (*rgbd_layouts.LAYOUTS, *points_layouts.LAYOUTS, *layouts.LAYOUTS)


class OptionError(ValueError):
  """An option that the layout does not have."""


@dataclasses.dataclass(frozen=True)
class Options:
  """What to look for.

  Attributes:
    layout: one of `LAYOUTS`, or "auto".
    intrinsics: (fx, fy, cx, cy) in pixels, for layouts that have no calibration of their own.
    depth_scale: stored units per metre; RGB-D layouts only.
    arguments: "name=value" for layouts of video and point clouds, see `video.layouts.make`.
    frame_step: frames between two that are compared; video layouts only.
    rescale_intrinsics: see `video.video_source.VideoSource`; video layouts only.
    max_images: at most about so many images, or sweeps, are opened.
  """

  layout: str = "auto"
  intrinsics: Sequence[float] | None = None
  depth_scale: float | None = None
  arguments: tuple[str, ...] = ()
  frame_step: int = 1
  rescale_intrinsics: bool = False
  max_images: int = 500


def check(path: str, options: Options) -> rgbd_check.Report:
  """Checks the data set at a path.

  Raises:
    OptionError: an option does not fit the layout.
  """
  path = rgbd_files.absolute(path)
  layout = options.layout if options.layout != "auto" else _detect(path)
  if layout is None:
    return _unknown(path)
  if layout in rgbd_layouts.LAYOUTS:
    if options.arguments or options.rescale_intrinsics or options.frame_step != 1:
      raise OptionError(
        f"{path!r} has the RGB-D layout {layout!r}: arguments, frame_step and rescale_intrinsics are for video layouts "
        f"({', '.join(layouts.LAYOUTS)}), arguments also for those of point clouds."
      )
    return rgbd_check.check(
      path, layout, options.intrinsics, options.depth_scale, options.max_images
    )
  if layout in points_layouts.LAYOUTS:
    return _point_clouds(path, layout, options)
  if options.depth_scale is not None or (options.intrinsics is not None and layout != "frames"):
    raise OptionError(
      f"{path!r} has the layout {layout!r}, which knows its own depth and calibration: intrinsics are for 'frames' and "
      f"RGB-D layouts, depth_scale for RGB-D layouts ({', '.join(rgbd_layouts.LAYOUTS)})."
    )
  arguments = list(options.arguments)
  if options.intrinsics is not None:
    arguments.append(f"intrinsics={tuple(options.intrinsics)}")
  try:
    data = layouts.make(layout, path, arguments)
  except ValueError as error:
    raise OptionError(str(error)) from error
  return video_check.check(data, options.max_images, options.frame_step, options.rescale_intrinsics)


def _point_clouds(path, layout, options):
  given = {
    "intrinsics": options.intrinsics is not None,
    "depth_scale": options.depth_scale is not None,
    "frame_step": options.frame_step != 1,
    "rescale_intrinsics": options.rescale_intrinsics,
  }
  wrong = [name for name, is_given in given.items() if is_given]
  if wrong:
    raise OptionError(
      f"{path!r} has the layout {layout!r} of point clouds, which has no {' or '.join(wrong)}."
    )
  try:
    data = points_layouts.make(layout, path, options.arguments)
  except ValueError as error:
    raise OptionError(str(error)) from error
  return points_check.check(data, options.max_images)


def _detect(path):
  if os.path.isdir(path):
    try:
      return rgbd_layouts.detect(path)
    except ValueError:  # none of its own; point clouds and video have others
      return points_layouts.detect(path) or layouts.detect(path)
  return layouts.detect(path)


def _unknown(path):
  if os.path.exists(path):
    holds = f"It holds {sorted(os.listdir(path))[:10]}." if os.path.isdir(path) else "It is a file."
    text = (
      f"{path!r} has none of the layouts that are known: {', '.join(LAYOUTS)} (the "
      f"first {len(rgbd_layouts.LAYOUTS)} are described in datasets/rgbd_layouts.py, the others in docs/datasets.md). "
      f"{holds}"
    )
  else:
    text = f"{path!r} does not exist."
  return rgbd_check.Report((("folder", path),), (rgbd_findings.Finding(rgbd_findings.ERROR, text),))
