"""Tables of evaluations: runs beside each other, difference to the first, mean ± sd over seeds."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.evaluation import evaluation as evaluation_lib, protocol

Runs = Mapping[str, Sequence[evaluation_lib.Evaluation]]
_DECIMALS = {"%": 1, "°": 2}


@dataclasses.dataclass(frozen=True)
class Cell:
  """A table's cell. `tone` is "", "best", "better", "worse" or "unclear"."""

  text: str
  tone: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
  """What every format is made from. The first column holds names, the others numbers."""

  title: str
  header: tuple[str, ...]
  rows: tuple[tuple[Cell, ...], ...]
  notes: tuple[str, ...] = ()


def by_data_set(
  runs: Mapping[str, Sequence[Sequence[evaluation_lib.Evaluation]]],
) -> dict[tuple[str, str], Runs]:
  """Turns {run: per seed, the evaluations in its work folder} into {(name, split): {run: evaluations}}."""
  data_sets: dict[tuple[str, str], dict[str, list]] = {}
  for name, seeds in runs.items():
    for evaluations in seeds:
      for evaluation in evaluations:
        data_sets.setdefault(evaluation.key, {}).setdefault(name, []).append(evaluation)
  return data_sets


def comparison(runs: Runs) -> list[Table]:
  """One table per protocol with metrics as rows: every run, and the difference of each to the first run.

  A difference is "better" or "worse" by the metric's direction. With several seeds, one that is not larger than
  the root of the sum of both variances is called unclear.

  Args:
    runs: name -> evaluations of one data set, one per seed (work folder). The first run is the baseline.
  """
  tables = []
  baseline = next(iter(runs))
  others = [name for name in runs if name != baseline]
  title = next(iter(runs.values()))[0].title
  for protocol_name, scores in _scores(runs).items():
    metrics = next(iter(scores.values()))[0].metrics
    header = ("", *(_with_seeds(name, scores.get(name, ())) for name in runs))
    header += tuple(f"{name} vs {baseline}" if len(others) > 1 else "difference" for name in others)
    rows = []
    for key, metric in metrics.items():
      values = {name: _values(scores.get(name, ()), key) for name in runs}
      row = [Cell(_label(metric)), *_value_cells(values, metric)]
      row += [_difference(values[baseline], values[name], metric) for name in others]
      rows.append(tuple(row))
    tables.append(
      Table(f"{title} · {protocol_name}", header, tuple(rows), _notes(runs, protocol_name, scores))
    )
  return tables


@dataclasses.dataclass(frozen=True)
class Headline:
  """A number worth a large font: what it is, the last run's value, its difference to the first run."""

  label: str
  run: str
  value: str
  difference: Cell


def headlines(runs: Runs) -> list[Headline]:
  """The first metric of each direction of every protocol, for the last run.

  Args:
    runs: as for `comparison`.
  """
  names = list(runs)
  first, last = names[0], names[-1]
  chosen = []
  for protocol_name, scores in _scores(runs).items():
    metrics = next(iter(scores.values()))[0].metrics
    keys = {}
    for key, metric in metrics.items():
      keys.setdefault(metric.higher_is_better, key)
    for key in keys.values():
      before, after = (_values(scores.get(name, ()), key) for name in (first, last))
      value = format_value(float(after.mean()), metrics[key]) if after.size else "n/a"
      difference = _difference(before, after, metrics[key]) if len(runs) > 1 else Cell("")
      chosen.append(Headline(f"{protocol_name}: {_label(metrics[key])}", last, value, difference))
  return chosen


def overview(runs: Runs, metrics: Mapping[str, Sequence[str]] | None = None) -> Table:
  """One table with runs as rows and metrics as columns, for many settings.

  Args:
    runs: as for `comparison`.
    metrics: protocol name -> metrics to show; all by default.
  """
  all_scores = _scores(runs)
  columns = _columns(all_scores, metrics)
  cells = []
  for protocol_name, key, metric in columns:
    values = {name: _values(all_scores[protocol_name].get(name, ()), key) for name in runs}
    cells.append(_value_cells(values, metric))
  seeds = [Cell(str(len(evaluations))) for evaluations in runs.values()]
  rows = tuple(zip([Cell(name) for name in runs], seeds, *cells, strict=True))
  header = ("run", "seeds", *(f"{name}: {_label(metric)}" for name, _, metric in columns))
  notes = [note for name, scores in all_scores.items() for note in _notes(runs, name, scores)]
  return Table(next(iter(runs.values()))[0].title, header, rows, tuple(dict.fromkeys(notes)))


def paired(
  runs: Runs, pairs: Sequence[tuple[str, str]], metrics: Mapping[str, Sequence[str]] | None = None
) -> Table:
  """One table of what each second run of a pair gains over the first, seed by seed.

  Where a seed chooses more than initial weights, seeds can differ by more than runs do, and only the
  differences within a seed tell: their mean, sd and number in favour of the second run.

  Args:
    runs: as for `comparison`; the evaluations of two runs of a pair are of the same seeds in the same order.
    pairs: (baseline, other), names of `runs`.
    metrics: as for `overview`.

  Raises:
    ValueError: the runs of a pair have not the same number of seeds, or a metric is unknown.
  """
  all_scores = _scores(runs)
  columns = _columns(all_scores, metrics)
  rows = []
  for baseline, other in pairs:
    cells = []
    for protocol_name, key, metric in columns:
      before, after = (
        _values(all_scores[protocol_name].get(name, ()), key) for name in (baseline, other)
      )
      if before.size and after.size and before.size != after.size:
        raise ValueError(
          f"{other!r} has {after.size} seeds and {baseline!r} {before.size}: they are no pairs."
        )
      cells.append(_gain(before, after, metric))
    rows.append((Cell(f"{other} vs {baseline}"), Cell(str(len(runs[other]))), *cells))
  header = ("difference", "seeds", *(f"{name}: {_label(metric)}" for name, _, metric in columns))
  notes = ("Mean ± standard deviation of the differences within a seed; (seeds that gain).",)
  return Table(next(iter(runs.values()))[0].title, header, tuple(rows), notes)


def format_value(value: float, metric: protocol.Metric, sign: bool = False) -> str:
  """A number with the decimals that its unit deserves."""
  if not math.isfinite(value):
    return "n/a"
  return f"{value:{'+' if sign else ''}.{_DECIMALS.get(metric.unit, 3)}f}"


def _label(metric: protocol.Metric) -> str:
  unit = f" ({metric.unit})" if metric.unit else ""
  return f"{metric.title}{unit} {'↑' if metric.higher_is_better else '↓'}"


def _with_seeds(name: str, scores: Sequence) -> str:
  return f"{name} (n={len(scores)})" if len(scores) > 1 else name


def _scores(runs: Runs) -> dict[str, dict[str, list[evaluation_lib.Scores]]]:
  """{protocol: {run: scores per seed}}, in the order of first appearance."""
  result: dict[str, dict[str, list]] = {}
  for name, evaluations in runs.items():
    for evaluation in evaluations:
      for protocol_name, scores in evaluation.scores.items():
        result.setdefault(protocol_name, {}).setdefault(name, []).append(scores)
  return result


def _values(scores: Sequence[evaluation_lib.Scores], key: str) -> np.ndarray:
  return np.array([s.values[key] for s in scores if key in s.values], np.float64)


def _columns(all_scores, metrics) -> list[tuple[str, str, protocol.Metric]]:
  """(protocol, key, metric) of what is to be shown."""
  columns = []
  for protocol_name, scores in all_scores.items():
    known = next(iter(scores.values()))[0].metrics
    wanted = known if metrics is None else metrics.get(protocol_name, ())
    unknown = [key for key in wanted if key not in known]
    if unknown:
      raise ValueError(
        f"Protocol {protocol_name!r} has no metric {unknown}. It has: {list(known)}."
      )
    columns += [(protocol_name, key, known[key]) for key in wanted]
  return columns


def _gain(before: np.ndarray, after: np.ndarray, metric: protocol.Metric) -> Cell:
  """Mean and spread of a seed's difference; a tone where it is larger than its spread."""
  if not before.size or not after.size:
    return Cell("n/a")
  differences = after - before
  mean, sd = float(differences.mean()), _sd(differences)
  gains = differences > 0 if metric.higher_is_better else differences < 0
  text = format_value(mean, metric, sign=True)
  if differences.size > 1:
    text += f" ± {format_value(sd, metric)} ({gains.sum()} of {gains.size})"
  better = (mean > 0) == metric.higher_is_better
  unclear = mean == 0 or (differences.size > 1 and abs(mean) <= sd)
  return Cell(text, "unclear" if unclear else "better" if better else "worse")


def _sd(values: np.ndarray) -> float:
  """Sample standard deviation; 0 for a single seed."""
  return float(values.std(ddof=1)) if values.size > 1 else 0.0


def _value_cells(values: Mapping[str, np.ndarray], metric: protocol.Metric) -> list[Cell]:
  means = {name: float(v.mean()) for name, v in values.items() if v.size}
  best = (max if metric.higher_is_better else min)(means.values(), default=math.nan)
  # What looks equal is equal.
  shown = {format_value(mean, metric) for mean in means.values()}
  cells = []
  for name, v in values.items():
    if not v.size:
      cells.append(Cell("n/a"))
      continue
    text = format_value(means[name], metric)
    if v.size > 1:
      text += f" ± {format_value(_sd(v), metric)}"
    cells.append(
      Cell(
        text,
        "best"
        if len(shown) > 1 and format_value(means[name], metric) == format_value(best, metric)
        else "",
      )
    )
  return cells


def _difference(baseline: np.ndarray, values: np.ndarray, metric: protocol.Metric) -> Cell:
  if not baseline.size or not values.size:
    return Cell("n/a")
  before, after = float(baseline.mean()), float(values.mean())
  change = after - before
  if float(format_value(change, metric)) == 0:
    return Cell("about equal")
  tone = "better" if (change > 0) == metric.higher_is_better else "worse"
  relative = f"{abs(change / before):.1%} " if before else ""
  text = f"{format_value(change, metric, sign=True)} ({relative}{tone}"
  if abs(change) <= math.hypot(_sd(baseline), _sd(values)):
    return Cell(f"{text}, within sd)", "unclear")
  return Cell(f"{text})", tone)


def _notes(runs: Runs, protocol_name: str, scores: Mapping[str, Sequence]) -> tuple[str, ...]:
  descriptions = list(dict.fromkeys(s.description for seeds in scores.values() for s in seeds))
  counts = sorted({s.num_images for seeds in scores.values() for s in seeds})
  notes = [
    f"{protocol_name}: {'; OR '.join(descriptions)}; {' or '.join(map(str, counts))} images."
  ]
  if len(descriptions) > 1 or len(counts) > 1:
    notes.append(
      f"{protocol_name}: the runs were not evaluated alike; evaluate them again before comparing."
    )
  if any(len(seeds) > 1 for seeds in scores.values()):
    notes.append(
      "± is the standard deviation over seeds; within sd: not larger than both runs' together."
    )
  elif len(runs) > 1:
    notes.append("One seed per run: a small difference can be chance.")
  for name, evaluations in runs.items():
    versions = dict.fromkeys(f"{m} {v}" for e in evaluations for m, v in sorted(e.versions.items()))
    notes.append(f"{name}: models at step {', '.join(versions)}.")
    notes += [
      f"{name}: skipped {note}." for note in dict.fromkeys(n for e in evaluations for n in e.notes)
    ]
  return tuple(notes)
