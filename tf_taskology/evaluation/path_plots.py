"""Trajectories from above: predicted ones of every run, the true one, and that of constant velocity."""

import dataclasses
import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import figure, ticker

from tf_taskology.evaluation import evaluation, plots, trajectory

TRUTH, GUESS = "truth", "constant velocity"
_LEAST_SPAN = 0.5  # metres, so that standing still does not fill the picture
_COLUMNS = 3


@dataclasses.dataclass(frozen=True)
class PathChart:
  """One sequence: name -> path [frames, 2] metres, x to the right, z ahead of the first camera."""

  title: str
  lines: Mapping[str, np.ndarray]


def path_charts(evaluations: Mapping[str, evaluation.Evaluation]) -> list[PathChart]:
  """A chart for every sequence that all runs kept, protocol by protocol.

  Args:
    evaluations: run name -> its evaluation on one data set.
  """
  first = next(iter(evaluations.values()))
  result = []
  for protocol_name, paths in first.trajectories.items():
    every = {
      name: {path.name: path for path in e.trajectories.get(protocol_name, ())}
      for name, e in evaluations.items()
    }
    shared = [path for path in paths if all(path.name in known for known in every.values())]
    for path in shared:
      result.append(_path_chart(path, {name: known[path.name] for name, known in every.items()}))
  return result


def _path_chart(first: trajectory.Trajectory, runs: Mapping[str, trajectory.Trajectory]):
  lines = {TRUTH: first.truth, GUESS: first.guess}
  lines.update({name: path.predicted for name, path in runs.items()})
  short = "/".join(first.name.split("/")[-2:])
  length = np.linalg.norm(np.diff(first.truth, axis=0), axis=-1).sum()
  title = f"{short}: {len(first.truth)} frames, {length:.1f} m"
  return PathChart(title, {name: line[:, [0, 2]] for name, line in lines.items()})


def svg(chart: PathChart, run_names: Sequence[str]) -> str:
  """An `<svg>` element for use inside a page; colours of runs as in `plots`."""
  return plots.to_svg(lambda: _draw([chart], run_names, plots.INK), chart.title)


def png(charts: Sequence[PathChart], run_names: Sequence[str]) -> bytes:
  """Charts on white, three beside each other, with a legend."""
  drawing = _draw(charts, run_names, "#24292f")
  handles, labels = drawing.axes[0].get_legend_handles_labels()
  drawing.legend(
    handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=len(labels), frameon=False
  )
  buffer = io.BytesIO()
  drawing.savefig(buffer, format="png", dpi=160, facecolor="white", bbox_inches="tight")
  return buffer.getvalue()


def _draw(charts: Sequence[PathChart], run_names: Sequence[str], ink: str) -> figure.Figure:
  columns = min(len(charts), _COLUMNS)
  rows = -(-len(charts) // columns)
  drawing = figure.Figure(figsize=(4.4 * columns, 3.6 * rows))
  for i, chart in enumerate(charts):
    left, bottom = i % columns, rows - 1 - i // columns
    box = ((left + 0.14) / columns, (bottom + 0.15) / rows, 0.82 / columns, 0.75 / rows)
    _draw_chart(drawing.add_axes(box), chart, run_names, ink)
  return drawing


def _draw_chart(axes, chart: PathChart, run_names: Sequence[str], ink: str):
  styles = {
    TRUTH: {"color": ink, "linewidth": 1.0, "zorder": 3},
    GUESS: {"color": ink, "linewidth": 1.2, "linestyle": (0, (1, 2))},
  }
  marker = {"marker": "o", "markersize": 3} if len(chart.lines[TRUTH]) <= 30 else {}
  for name, line in chart.lines.items():
    color = plots.COLORS[run_names.index(name) % len(plots.COLORS)] if name in run_names else ink
    style = styles.get(name, {"color": color, "linewidth": 2.2, **marker})
    axes.plot(line[:, 0], line[:, 1], label=name, solid_capstyle="round", **style)
  axes.set_title(chart.title, loc="left", fontsize=10, color=ink, fontweight="bold")
  axes.set_xlabel("to the right (m)", fontsize=9, color=ink, labelpad=2)
  axes.set_ylabel("ahead (m)", fontsize=9, color=ink)
  axes.grid(True, color=ink, alpha=0.12, linewidth=0.8)
  axes.tick_params(colors=ink, labelsize=8, length=0)
  axes.spines[:].set_visible(False)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(5))
  axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
  _square(axes, chart)


def _square(axes, chart: PathChart):
  """One scale for both directions, with everything in view."""
  points = np.concatenate(list(chart.lines.values()))
  low, high = points.min(axis=0), points.max(axis=0)
  middle, span = (low + high) / 2, 1.08 * np.maximum(high - low, _LEAST_SPAN)
  width, height = axes.get_figure().get_size_inches() * axes.get_position().size
  unit = max(span[0] / width, span[1] / height)  # metres an inch
  axes.set_xlim(middle[0] - unit * width / 2, middle[0] + unit * width / 2)
  axes.set_ylim(middle[1] - unit * height / 2, middle[1] + unit * height / 2)
