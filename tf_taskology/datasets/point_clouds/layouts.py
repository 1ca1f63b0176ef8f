"""The data sets of point clouds that can be looked over by name, and how a folder of each is told."""

import dataclasses
import glob
import os
from collections.abc import Callable, Sequence

from tf_taskology.datasets.point_clouds import (
  dgp,
  kitti_object,
  kitti_tracking,
  recordings,
  sweep_folder,
  waymo_v2,
)
from tf_taskology.datasets.video import layouts as video_layouts


@dataclasses.dataclass(frozen=True)
class Layout:
  """One kind of data set.

  Attributes:
    make: called with the path and arguments of its own.
    marks: sets of patterns of paths in a folder; all patterns of one set tell it.
  """

  make: Callable[..., recordings.Recordings]
  marks: tuple[tuple[str, ...], ...]


# In the order in which `detect` tries them: the plainest comes last.
LAYOUTS = {
  "waymo_v2": Layout(waymo_v2.WaymoV2, (("lidar/*.parquet",), ("*/lidar/*.parquet",))),
  "dgp": Layout(dgp.DgpScenes, (("scene_*.json",), ("*/scene_*.json",))),
  "kitti_tracking": Layout(
    kitti_tracking.KittiTracking,
    (("calib/*.txt", "velodyne/*/*.bin"), ("training/calib/*.txt", "training/velodyne/*/*.bin")),
  ),
  "kitti_object": Layout(
    kitti_object.KittiObject,
    (("calib/*.txt", "velodyne*/*.bin"), ("training/calib/*.txt", "training/velodyne*/*.bin")),
  ),
  "sweep_folder": Layout(
    sweep_folder.SweepFolder, (("*.bin",), ("*.npy",), ("*/boxes.csv",), ("*/poses.txt", "*/*.bin"))
  ),
}


def detect(path: str) -> str | None:
  """The name of the layout of a folder, or None."""
  for name, layout in LAYOUTS.items():
    for patterns in layout.marks:
      if all(next(glob.iglob(os.path.join(glob.escape(path), p)), None) for p in patterns):
        return name
  return None


def make(layout: str, path: str, arguments: Sequence[str] = ()) -> recordings.Recordings:
  """The data set at a path; arguments and errors as `video.layouts.make`."""
  return video_layouts.make_of(LAYOUTS[layout].make, layout, path, arguments)
