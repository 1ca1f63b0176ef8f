"""Precision over recall of every run."""

import dataclasses
import io
from collections.abc import Mapping, Sequence

from matplotlib import figure

from tf_taskology.evaluation import box_samples, evaluation, plots

_COLUMNS = 3


@dataclasses.dataclass(frozen=True)
class CurveChart:
  """One kind of precision: run name -> its curve."""

  title: str
  lines: Mapping[str, box_samples.Curve]


def charts(evaluations: Mapping[str, evaluation.Evaluation]) -> list[CurveChart]:
  """A chart for every curve that one run has, of the runs that have it.

  Args:
    evaluations: run name -> its evaluation on one data set.
  """
  by_name: dict[str, dict[str, box_samples.Curve]] = {}
  for run, found in evaluations.items():
    for curve in found.curves:
      by_name.setdefault(curve.name, {})[run] = curve
  return [CurveChart(name, lines) for name, lines in by_name.items()]


def svg(chart: CurveChart, run_names: Sequence[str]) -> str:
  """An `<svg>` element for use inside a page; colours of runs as in `plots`."""
  return plots.to_svg(lambda: _draw([chart], run_names, plots.INK), f"curve {chart.title}")


def png(drawn: Sequence[CurveChart], run_names: Sequence[str]) -> bytes:
  """Charts on white, three beside each other."""
  buffer = io.BytesIO()
  _draw(drawn, run_names, "#24292f").savefig(
    buffer, format="png", dpi=160, facecolor="white", bbox_inches="tight"
  )
  return buffer.getvalue()


def _draw(drawn, run_names, ink) -> figure.Figure:
  columns = min(len(drawn), _COLUMNS)
  rows = -(-len(drawn) // columns)
  drawing = figure.Figure(figsize=(4.4 * columns, 3.4 * rows))
  for i, chart in enumerate(drawn):
    left, bottom = i % columns, rows - 1 - i // columns
    box = (left + 0.13) / columns, (bottom + 0.15) / rows, 0.83 / columns, 0.74 / rows
    axes = drawing.add_axes(box)
    for name, curve in chart.lines.items():
      color = plots.COLORS[run_names.index(name) % len(plots.COLORS)]
      order = curve.recalls.argsort(kind="stable")
      axes.plot(
        100 * curve.recalls[order], 100 * curve.precisions[order], color=color, linewidth=1.8,
        solid_joinstyle="round", label=f"{name}: AP {100 * curve.ap:.1f}",
      )  # fmt: skip
    axes.set_title(chart.title, loc="left", fontsize=10, color=ink, fontweight="bold")
    axes.set_xlabel("recall (%)", fontsize=9, color=ink, labelpad=2)
    axes.set_ylabel("precision (%)", fontsize=9, color=ink)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 103)
    axes.grid(True, color=ink, alpha=0.12, linewidth=0.8)
    axes.tick_params(colors=ink, labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    axes.legend(loc="lower left", fontsize=8, frameon=False, labelcolor=ink)
  return drawing
