"""Curves of a training: what to draw, from the runs' histories."""

import dataclasses
from collections.abc import Mapping, Sequence

from tf_taskology.evaluation import runs as runs_lib

Runs = Mapping[str, Sequence[runs_lib.Run]]


@dataclasses.dataclass(frozen=True)
class Line:
  """One curve. Lines of one `name` share a colour; `dashed` ones are validation."""

  name: str
  steps: tuple[int, ...]
  values: tuple[float, ...]
  dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Chart:
  """Curves over the step of one module.

  Attributes:
    title: what is drawn.
    unit: of the values, for the axis; "" for none.
    lines: the curves.
    smooth: values are noisy, so draw a running mean over them.
    from_zero: the axis begins at 0.
  """

  title: str
  unit: str
  lines: tuple[Line, ...]
  smooth: bool = False
  from_zero: bool = False


def losses(runs: Runs, module: str) -> list[Chart]:
  """The total loss, then each term and metric, of one module; validation in the chart of its own name."""
  keys = {}
  for _, entries in _histories(runs, module):
    for entry in entries:
      keys.update(dict.fromkeys(entry.get("losses", {})))
  names = dict.fromkeys(
    key.removeprefix("val_") for key in sorted(keys, key=lambda k: (k != "loss", k))
  )
  charts = []
  for name in names:
    lines = []
    for key in (name, f"val_{name}"):
      lines += _lines(
        runs, module, lambda entry, key=key: entry.get("losses", {}).get(key), key != name
      )
    charts.append(Chart(name, "", tuple(lines), smooth=True))
  return charts


def speed(runs: Runs, module: str) -> list[Chart]:
  """Steps per second, and the share of time spent waiting for data and peers."""
  rate = _lines(runs, module, lambda entry: entry.get("steps_per_sec"))
  waiting = _lines(runs, module, lambda entry: _percent(entry.get("waiting_share")))
  return [
    Chart("speed", "steps/s", tuple(rate), smooth=True, from_zero=True),
    Chart("waiting for data and peers", "% of time", tuple(waiting), smooth=True, from_zero=True),
  ]


def staleness(runs: Runs, module: str) -> list[Chart]:
  """How old the answers of each peer of a module were: in seconds, and in the module's own steps."""
  peers = {}
  for _, entries in _histories(runs, module):
    for entry in entries:
      peers.update(dict.fromkeys(entry.get("peers", {})))
  charts = []
  for peer in peers:
    for field, unit in (("staleness_secs", "s"), ("staleness_steps", "steps")):
      lines = _lines(
        runs, module, lambda entry, f=field, p=peer: entry.get("peers", {}).get(p, {}).get(f)
      )
      title = f"age of answers from {peer}"
      charts.append(Chart(title, unit, tuple(lines), from_zero=True))
  return charts


def modules(runs: Runs) -> list[str]:
  """Names of everything that has a history, in order of first appearance."""
  return list(
    dict.fromkeys(module for seeds in runs.values() for run in seeds for module in run.history)
  )


def _histories(runs: Runs, module: str):
  for name, seeds in runs.items():
    for run in seeds:
      if run.history.get(module):
        yield name, run.history[module]


def _lines(runs: Runs, module: str, value_fn, dashed: bool = False) -> list[Line]:
  lines = []
  for name, entries in _histories(runs, module):
    points = [(entry["step"], value_fn(entry)) for entry in entries]
    points = [(step, value) for step, value in points if value is not None]
    if points:
      steps, values = zip(*points, strict=True)
      lines.append(Line(name, steps, values, dashed))
  return lines


def _percent(share: float | None) -> float | None:
  return None if share is None else 100 * share
