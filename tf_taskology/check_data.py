r"""Looks over a data set before training on it, and says what is wrong or odd.

  python -m tf_taskology.check_data --path=/data/kitchen
  python -m tf_taskology.check_data --path=/data/office --layout=tum --intrinsics=525,525,319.5,239.5
  python -m tf_taskology.check_data --path=/data/kitti_raw --layout=kitti_raw --argument='cameras=(2, 3)'
  python -m tf_taskology.check_data --path=/data/kitti_object

Knows folders of RGB-D frames (see datasets/rgbd_layouts.py), of video and of point clouds (see docs/datasets.md). Prints a summary and
what was found, by severity. Ends with 1 if there are errors, 0 if not.
"""

import sys

from absl import app, flags

from tf_taskology.datasets import data_check
from tf_taskology.training import startup

_PATH = flags.DEFINE_multi_string("path", [], "Folder of a data set; repeatable.")
_LAYOUT = flags.DEFINE_enum(
  "layout", "auto", ["auto", *data_check.LAYOUTS], "How the files are laid out."
)
_INTRINSICS = flags.DEFINE_list(
  "intrinsics", None, "fx,fy,cx,cy of the colour images in pixels, instead of the folder's file "
  "(RGB-D layouts and `frames`).",
)  # fmt: skip
_DEPTH_SCALE = flags.DEFINE_float(
  "depth_scale", None, "Stored depth units per metre, e.g. 1000 for millimetres; default the layout's (RGB-D layouts).",
  lower_bound=1e-6,
)  # fmt: skip
_ARGUMENT = flags.DEFINE_multi_string(
  "argument",
  [],
  "name=value for the constructor of a layout of video or point clouds, e.g. camera=0; repeatable.",
)
_FRAME_STEP = flags.DEFINE_integer(
  "frame_step", 1, "Frames of a video between two that are compared.", lower_bound=1
)
_RESCALE_INTRINSICS = flags.DEFINE_bool(
  "rescale_intrinsics", False, "Images of a video were resized as wholes since their calibration."
)
_MAX_IMAGES = flags.DEFINE_integer(
  "max_images", 500, "At most about so many images (or sweeps) are opened.", lower_bound=1
)


def _intrinsics() -> list[float] | None:
  if _INTRINSICS.value is None:
    return None
  try:
    values = [float(word) for word in _INTRINSICS.value]
  except ValueError as error:
    raise app.UsageError(f"--intrinsics must be four numbers: {error}") from error
  if len(values) != 4:
    raise app.UsageError(f"--intrinsics must be fx,fy,cx,cy, got {len(values)} numbers")
  return values


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments {argv[1:]}; this program takes flags only")
  if not _PATH.value:
    raise app.UsageError("nothing to check: give --path=<folder>")
  options = data_check.Options(
    layout=_LAYOUT.value,
    intrinsics=_intrinsics(),
    depth_scale=_DEPTH_SCALE.value,
    arguments=tuple(_ARGUMENT.value),
    frame_step=_FRAME_STEP.value,
    rescale_intrinsics=_RESCALE_INTRINSICS.value,
    max_images=_MAX_IMAGES.value,
  )
  failed = False
  for path in _PATH.value:
    try:
      report = data_check.check(path, options)
    except data_check.OptionError as error:
      raise app.UsageError(str(error)) from error
    print(report, end="\n\n")
    failed = failed or report.has_errors
  sys.exit(1 if failed else 0)


if __name__ == "__main__":
  startup.run(main)
