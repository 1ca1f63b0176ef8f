"""The report's sections on videos and trajectories."""

import pathlib
from collections.abc import Mapping, Sequence

from tf_taskology.evaluation import evaluation, path_plots, pictures, report_page, video_gallery

# Run name -> its evaluation, for every data set.
DataSets = Sequence[Mapping[str, evaluation.Evaluation]]
_MAX_BYTES = 7_000_000  # of all videos; further ones are left out


def videos(data_sets: DataSets) -> str:
  """Two frames and an animation of every sample with a video; empty if there is none."""
  groups = ((next(iter(compared.values())).title, _grids(compared)) for compared in data_sets)
  parts = report_page.limited(groups, _MAX_BYTES)
  intro = (
    "Two frames of a video: the second one warped onto the first with depth and motion, grey where it is hidden or out of "
    "view; the difference of colours (black is none), and what it was before; depth, red near and blue far, scaled to "
    "the truth; classes in the colours of Cityscapes; objects' motion seen from above: red away, green right, cyan "
    "towards us, violet left, black none."
  )
  return report_page.section("Videos", intro, *parts)


def paths(data_sets: DataSets, run_names: Sequence[str], legend: str) -> str:
  """Trajectories from above; empty if there is none.

  Args:
    data_sets: what was evaluated.
    run_names: all runs of the page in order.
    legend: HTML with their colours.
  """
  parts = [
    report_page.chart_grid(
      next(iter(compared.values())).title,
      [path_plots.svg(chart, run_names) for chart in path_plots.path_charts(compared)],
    )
    for compared in data_sets
  ]
  if not any(parts):
    return ""
  intro = (
    "Where the camera went, from above, aligned as the table of ego-motion says. Thin and dark: truth; dotted: constant "
    "velocity."
  )
  return report_page.section("Trajectories", intro, legend, *parts)


def write_pictures(folder: pathlib.Path, data_sets: DataSets, run_names: Sequence[str]):
  """Writes the same as PNG and GIF files into an existing folder."""
  for compared in data_sets:
    stem = next(iter(compared.values())).file_stem
    for i, shown in enumerate(video_gallery.galleries(compared)):
      picture = shown.picture(tile_width=320)
      (folder / f"{stem}-video-{i}.png").write_bytes(pictures.png(picture))
    for i, (_, animation) in enumerate(video_gallery.gifs(compared)):
      (folder / f"{stem}-video-{i}.gif").write_bytes(animation)
    charts = path_plots.path_charts(compared)
    if charts:
      (folder / f"{stem}-paths.png").write_bytes(path_plots.png(charts, run_names))


def _grids(compared):
  galleries, gifs = video_gallery.galleries(compared), video_gallery.gifs(compared)
  for shown, (name, animation) in zip(galleries, gifs, strict=True):
    yield report_page.video_grid(shown, name, animation)
