r"""Looks over a folder of RGB-D frames before training on it, and says what is wrong or odd.

  python -m tf_taskology.check_data --path=/data/kitchen
  python -m tf_taskology.check_data --path=/data/office --layout=tum --intrinsics=525,525,319.5,239.5

Prints a summary and what was found, by severity. Ends with 1 if there are errors, 0 if not.
"""

import sys

from absl import app, flags

from tf_taskology.datasets import rgbd_check, rgbd_layouts
from tf_taskology.training import startup

_PATH = flags.DEFINE_multi_string("path", [], "Folder of a recording; repeatable.")
_LAYOUT = flags.DEFINE_enum(
  "layout", "auto", ["auto", *rgbd_layouts.LAYOUTS], "How the files are laid out."
)
_INTRINSICS = flags.DEFINE_list(
  "intrinsics", None, "fx,fy,cx,cy of the colour images in pixels, instead of the folder's file."
)
_DEPTH_SCALE = flags.DEFINE_float(
  "depth_scale", None, "Stored depth units per metre, e.g. 1000 for millimetres; default the layout's.",
  lower_bound=1e-6,
)  # fmt: skip
_MAX_IMAGES = flags.DEFINE_integer(
  "max_images", 500, "At most so many frames have their images opened.", lower_bound=1
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
  intrinsics = _intrinsics()
  failed = False
  for path in _PATH.value:
    report = rgbd_check.check(
      path, _LAYOUT.value, intrinsics, _DEPTH_SCALE.value, _MAX_IMAGES.value
    )
    print(report, end="\n\n")
    failed = failed or report.has_errors
  sys.exit(1 if failed else 0)


if __name__ == "__main__":
  startup.run(main)
