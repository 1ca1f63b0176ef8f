"""Charts drawn with matplotlib: SVG that takes its ink from the page around it, or PNG."""

import io
import re
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib import figure, ticker

from tf_taskology.evaluation import charts

# Legible on white and on dark; the first run is the baseline, so it is the quiet one.
COLORS = ("#8a94a3", "#2f81f7", "#e8702a", "#2da44e", "#a371f7", "#d4a72c", "#e05299", "#1b9aaa")
INK = "#010203"  # replaced by the page's own text colour in SVG
_MAX_POINTS = 400
_SMOOTH_FROM = 30
_COLUMNS = 3


def svg(chart: charts.Chart, run_names: Sequence[str]) -> str:
  """An `<svg>` element without links or ids of its own, for use inside a page.

  Args:
    chart: what to draw.
    run_names: all runs of the page in order, so that a run has one colour throughout.
  """
  return to_svg(lambda: _draw([chart], run_names, INK), chart.title)


def to_svg(draw_fn, salt: str) -> str:
  """What `draw_fn` draws, a figure with the ink `INK`, as an `<svg>` element; `salt` tells it from others."""
  with matplotlib.rc_context(
    {"svg.fonttype": "none", "svg.hashsalt": salt, "svg.image_inline": True}
  ):
    buffer = io.StringIO()
    draw_fn().savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
  text = buffer.getvalue()
  text = text[text.index("<svg") :]
  text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
  text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
  text = re.sub(
    r' id="(?:figure|axes|patch|line2d|text|xtick|ytick|matplotlib\.axis|legend)_[^"]*"', "", text
  )
  text = re.sub(
    r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text)
  )
  return text.replace(INK, "currentColor")


def png(drawn: Sequence[charts.Chart], run_names: Sequence[str]) -> bytes:
  """Charts on white, three beside each other, with a legend."""
  drawing = _draw(drawn, run_names, "#24292f")
  handles, labels = [], []
  for axes in drawing.axes:
    for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
      if label not in labels:
        handles.append(handle)
        labels.append(label)
  if handles:
    drawing.legend(
      handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=len(labels), frameon=False
    )
  buffer = io.BytesIO()
  drawing.savefig(buffer, format="png", dpi=160, facecolor="white", bbox_inches="tight")
  return buffer.getvalue()


def _draw(drawn: Sequence[charts.Chart], run_names: Sequence[str], ink: str) -> figure.Figure:
  columns = min(len(drawn), _COLUMNS)
  rows = -(-len(drawn) // columns)
  drawing = figure.Figure(figsize=(4.4 * columns, 2.6 * rows))
  for i, chart in enumerate(drawn):
    # Fixed margins, so that charts beside each other are aligned.
    left, bottom = i % columns, rows - 1 - i // columns
    box = ((left + 0.13) / columns, (bottom + 0.18) / rows, 0.84 / columns, 0.71 / rows)
    axes = drawing.add_axes(box)
    _draw_chart(axes, chart, run_names)
    _style(axes, chart, ink)
  return drawing


def _draw_chart(axes, chart: charts.Chart, run_names: Sequence[str]):
  labelled = set()
  for line in chart.lines:
    color = COLORS[run_names.index(line.name) % len(COLORS)]
    style = {
      "color": color,
      "linestyle": (0, (4, 2)) if line.dashed else "-",
      "solid_capstyle": "round",
    }
    steps, values = _thinned(np.array(line.steps), np.array(line.values, np.float64))
    label = line.name if line.name not in labelled else None
    labelled.add(line.name)
    if len(steps) == 1:
      axes.plot(steps, values, marker="o", markersize=4, label=label, **style)
    elif chart.smooth and len(steps) >= _SMOOTH_FROM:
      axes.plot(steps, values, linewidth=0.7, alpha=0.35, **style)
      axes.plot(
        steps, _running_mean(values, max(len(values) // 25, 3)), linewidth=1.8, label=label, **style
      )
    else:
      axes.plot(steps, values, linewidth=1.6, label=label, **style)


def _style(axes, chart: charts.Chart, ink: str):
  axes.set_title(chart.title, loc="left", fontsize=10, color=ink, fontweight="bold")
  axes.set_xlabel("step", fontsize=9, color=ink, labelpad=2)
  axes.set_ylabel(chart.unit, fontsize=9, color=ink)
  axes.grid(True, axis="y", color=ink, alpha=0.12, linewidth=0.8)
  axes.tick_params(colors=ink, labelsize=8, length=0)
  axes.spines[:].set_visible(False)
  axes.spines["bottom"].set(visible=True, color=ink, alpha=0.35)
  axes.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True))
  axes.yaxis.set_major_locator(ticker.MaxNLocator(5))
  if chart.from_zero:
    axes.set_ylim(0, max(axes.get_ylim()[1], 1e-3))


def _thinned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """At most `_MAX_POINTS` means over neighbouring points."""
  count = -(-len(steps) // _MAX_POINTS)
  if count <= 1:
    return steps, values
  edges = np.arange(0, len(steps), count)
  sizes = np.diff(np.append(edges, len(steps)))
  return np.add.reduceat(steps, edges) / sizes, np.add.reduceat(values, edges) / sizes


def _running_mean(values: np.ndarray, width: int) -> np.ndarray:
  """Centred mean over `width` values, over fewer at the ends."""
  kernel = np.ones(width)
  return np.convolve(values, kernel, "same") / np.convolve(np.ones_like(values), kernel, "same")
