"""The report's sections on point clouds: boxes and tracks from above, precision over recall."""

import pathlib
from collections.abc import Mapping, Sequence

from tf_taskology.evaluation import (
  box_curves,
  box_gallery,
  box_pictures,
  evaluation,
  pictures,
  report_page,
)

# Run name -> its evaluation, for every data set.
DataSets = Sequence[Mapping[str, evaluation.Evaluation]]
_MAX_BYTES = 7_000_000  # of all pictures; further samples are left out


def sweeps(data_sets: DataSets) -> str:
  """Point clouds from above, with boxes, flow and tracks; empty if there is none."""
  groups = (
    (_title(compared), map(report_page.sweep_grid, box_gallery.galleries(compared)))
    for compared in data_sets
  )
  parts = report_page.limited(groups, _MAX_BYTES)
  intro = (
    "Seen from above: x points up, the sensor is the small triangle, circles are 10 or 20 m apart; a line in a box points "
    f"to its front. Boxes with a score of {box_pictures.SHOWN_SCORE:g} or more; right from an overlap of "
    f"{box_pictures.FOUND_IOU:g} on (the tables are stricter). On the right, boxes of later sweeps are darker, and arrows "
    "go where the box flow says that a vehicle will be; of the truth, each moving vehicle has a colour."
  )
  legend = report_page.runs_legend(
    [
      ("true", "", _css(box_pictures.TRUE)),
      ("found", "", _css(box_pictures.FOUND)),
      ("wrong", "nothing is there", _css(box_pictures.WRONG)),
      ("missed", "though it has points", _css(box_pictures.MISSED)),
      ("flow", "", _css(box_pictures.FLOW)),
    ]
  )
  return report_page.section("Sweeps", intro, legend, *parts) if parts else ""


def curves(data_sets: DataSets, run_names: Sequence[str]) -> str:
  """Precision over recall; empty if there is none.

  Args:
    data_sets: what was evaluated.
    run_names: all runs of the page in order.
  """
  parts = [
    report_page.chart_grid(
      _title(compared),
      [box_curves.svg(chart, run_names) for chart in box_curves.charts(compared)],
    )
    for compared in data_sets
  ]
  intro = "Every point of a curve is a least score that a box must have to count; AP is the area below it."
  return report_page.section("Precision and recall", intro, *parts)


def write_pictures(folder: pathlib.Path, data_sets: DataSets, run_names: Sequence[str]):
  """Writes the same as PNG files into an existing folder."""
  for compared in data_sets:
    stem = next(iter(compared.values())).file_stem
    for i, shown in enumerate(box_gallery.galleries(compared)):
      picture = pictures.png(box_gallery.picture(shown))
      (folder / f"{stem}-sweep-{i}.png").write_bytes(picture)
    drawn = box_curves.charts(compared)
    if drawn:
      (folder / f"{stem}-curves.png").write_bytes(box_curves.png(drawn, run_names))


def _css(colour) -> str:
  return "#" + "".join(f"{part:02x}" for part in colour)


def _title(compared):
  return next(iter(compared.values())).title
