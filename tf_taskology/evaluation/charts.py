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
  """Curves over the step of one trainer.

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
  recorded = [(name, run.losses(module)) for name, seeds in runs.items() for run in seeds]
  keys = {key for _, entries in recorded for _, values in entries for key in values}
  names = {key.removeprefix("val_") for key in keys}
  charts = []
  for name in sorted(names, key=lambda n: (n != "loss", n)):
    lines = []
    for key in (name, f"val_{name}"):
      for run_name, entries in recorded:
        points = [(step, values[key]) for step, values in entries if key in values]
        lines += _line(run_name, points, dashed=key != name)
    charts.append(Chart(name, "", tuple(lines), smooth=True))
  return charts


def speed(runs: Runs, trainer: str) -> list[Chart]:
  """Steps per second, and the share of time spent waiting for data and peers."""
  rate = _lines(runs, trainer, lambda entry: entry.get("steps_per_sec"))
  waiting = _lines(runs, trainer, lambda entry: _percent(entry.get("waiting_share")))
  return [
    Chart("speed", "steps/s", tuple(rate), smooth=True, from_zero=True),
    Chart("waiting for data and peers", "% of time", tuple(waiting), smooth=True, from_zero=True),
  ]


def staleness(runs: Runs, trainer: str) -> list[Chart]:
  """How old the answers of each peer of a trainer were: in seconds, and in the trainer's own steps."""
  peers = {}
  for _, entries in _histories(runs, trainer):
    for entry in entries:
      peers.update(dict.fromkeys(entry.get("peers", {})))
  charts = []
  for peer in peers:
    for field, unit in (("staleness_secs", "s"), ("staleness_steps", "steps")):
      lines = _lines(
        runs, trainer, lambda entry, f=field, p=peer: entry.get("peers", {}).get(p, {}).get(f)
      )
      title = f"age of answers from {peer}"
      charts.append(Chart(title, unit, tuple(lines), from_zero=True))
  return charts


def modules(runs: Runs) -> list[str]:
  """Names of the modules of all runs, in order of first appearance."""
  return list(
    dict.fromkeys(module for seeds in runs.values() for run in seeds for module in run.modules)
  )


def trainers(runs: Runs) -> list[str]:
  """Names of everything that has a history, in order of first appearance."""
  return list(
    dict.fromkeys(name for seeds in runs.values() for run in seeds for name in run.history)
  )


def _histories(runs: Runs, trainer: str):
  for name, seeds in runs.items():
    for run in seeds:
      if run.history.get(trainer):
        yield name, run.history[trainer]


def _lines(runs: Runs, trainer: str, value_fn) -> list[Line]:
  lines = []
  for name, entries in _histories(runs, trainer):
    points = [(entry["step"], value_fn(entry)) for entry in entries]
    lines += _line(name, [(step, value) for step, value in points if value is not None])
  return lines


def _line(name: str, points: Sequence[tuple[int, float]], dashed: bool = False) -> list[Line]:
  if not points:
    return []
  steps, values = zip(*points, strict=True)
  return [Line(name, steps, values, dashed)]


def _percent(share: float | None) -> float | None:
  return None if share is None else 100 * share
