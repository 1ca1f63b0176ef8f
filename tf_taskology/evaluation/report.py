"""The report of one run or several: numbers, pictures, curves and configuration in one HTML file."""

import datetime
import difflib
import html
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.evaluation import (
  box_report,
  charts,
  evaluation,
  gallery,
  pictures,
  plots,
  report_page,
  runs,
  table_formats,
  tables,
  video_report,
)

WorkDirs = Mapping[str, str | os.PathLike | Sequence[str | os.PathLike]]


def write_report(
  path: str | os.PathLike,
  work_dirs: WorkDirs,
  title: str = "TF Taskology",
  pictures_dir: str | os.PathLike | None = None,
):
  """Writes a self-contained HTML file; it appears whole or not at all.

  Args:
    path: the file.
    work_dirs: run name -> work folder, or several folders that differ in the seed only. The first run is the
      baseline that the others are compared to.
    title: heading of the page.
    pictures_dir: also write the pictures and curves as PNG files into this folder.

  Raises:
    ValueError: if no run is given, or a work folder does not exist or is damaged.
  """
  if not work_dirs:
    raise ValueError("A report needs one run or more.")
  read = {name: [runs.read(w) for w in _as_list(folders)] for name, folders in work_dirs.items()}
  body = "\n".join(
    [
      _header(title, read),
      _results(read),
      _pictures(read),
      video_report.videos(_first_seeds(read)),
      video_report.paths(_first_seeds(read), list(read), _legend(read)),
      box_report.sweeps(_first_seeds(read)),
      box_report.curves(_first_seeds(read), list(read)),
      _training(read),
      _curves(read),
      _peers(read),
      _configurations(read),
    ]
  )
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
  temporary.write_text(report_page.page(title, body), encoding="utf-8")
  os.replace(temporary, path)
  if pictures_dir is not None:
    _write_pictures(pathlib.Path(pictures_dir), read)


def _as_list(folders) -> list:
  return [folders] if isinstance(folders, str | os.PathLike) else list(folders)


def _header(title: str, read: charts.Runs) -> str:
  legend = []
  for (name, seeds), color in zip(read.items(), _cycle(plots.COLORS, len(read)), strict=True):
    remarks = [*dict.fromkeys(run.mode for run in seeds if run.mode)]
    remarks += [f"{len(seeds)} seeds"] if len(seeds) > 1 else []
    legend.append((name, ", ".join(remarks), color))
  modules = ", ".join(
    dict.fromkeys(m for seeds in read.values() for run in seeds for m in run.modules)
  )
  now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
  heading = html.escape(title)
  about = html.escape(f"Modules: {modules or 'none yet'}. Written {now}.")
  return f"<h1>{heading}</h1><p>{about}</p>{report_page.runs_legend(legend)}"


def _results(read: charts.Runs) -> str:
  parts = []
  for compared in _by_data_set(read).values():
    parts.append(f"<h3>{html.escape(next(iter(compared.values()))[0].title)}</h3>")
    parts.append(report_page.key_figures(tables.headlines(compared)))
    shown = "".join(table_formats.as_html(table) for table in tables.comparison(compared))
    parts.append(f'<div class="tables">{shown}</div>')
  intro = "The newest published models, run on the data set and split named."
  if len(read) > 1:
    intro += f" Differences are to “{next(iter(read))}”."
  return report_page.section("Results", intro, *parts)


def _pictures(read: charts.Runs) -> str:
  parts = []
  for first, shown in _galleries(read):
    parts += [f"<h3>{html.escape(first.title)}</h3>"] if shown else []
    parts += [report_page.gallery_grid(g) for g in shown]
  intro = (
    "The same samples for every run. Depth: red is near, blue is far, one scale per sample. Normals: red to the right, "
    "green upwards, blue towards the camera. Errors: black is right. Grey is missing. Point at a picture to enlarge it."
  )
  return report_page.section("Pictures", intro, *parts)


def _training(read: charts.Runs) -> str:
  header = (
    "",
    "state",
    "steps",
    "minutes",
    "steps/s",
    "waiting",
    "peer",
    "its age (mean)",
    "MB received",
    "failures",
    "skipped",
  )
  rows = []
  for name, seeds in read.items():
    for run in seeds:
      label = f"{name} ({run.work_dir.name})" if len(seeds) > 1 else name
      for module, entries in run.history.items():
        if entries:
          rows += _training_rows(f"{label}: {module}", run.status.get(module, {}), entries)
  if not rows:
    return ""
  table = tables.Table("Trainers", header, tuple(rows))
  intro = "What each trainer did, and how old the predictions were that it got from its peers."
  return report_page.section("Training", intro, table_formats.as_html(table))


def _training_rows(label: str, status: Mapping, entries: Sequence[Mapping]):
  last = entries[-1]
  minutes = (last["time"] - entries[0]["time"]) / 60
  waiting = np.mean([e.get("waiting_share", 0.0) for e in entries])
  rate = np.mean([e.get("steps_per_sec", 0.0) for e in entries])
  cells = [
    label,
    status.get("state", "unknown"),
    str(last["step"]),
    f"{minutes:.1f}",
    f"{rate:.1f}",
    f"{waiting:.1%}",
  ]
  peers = last.get("peers", {})
  if not peers:
    yield tuple(tables.Cell(text) for text in [*cells, "none", "", "", "", ""])
  for peer, state in peers.items():
    secs, steps = (
      np.mean([e["peers"][peer][field] for e in entries if peer in e.get("peers", {})])
      for field in ("staleness_secs", "staleness_steps")
    )
    age = f"{secs:.1f} s, {steps:.0f} steps"
    numbers = [f"{state['mbytes']:.1f}", str(state["failures"]), str(state["skipped"])]
    yield tuple(tables.Cell(text) for text in [*cells, peer, age, *numbers])


def _curves(read: charts.Runs) -> str:
  parts = [
    report_page.chart_grid(module, [plots.svg(c, list(read)) for c in charts.losses(read, module)])
    for module in charts.modules(read)
  ]
  if not any(parts):
    return ""
  intro = "Losses and training metrics of every module. Thin: as reported; thick: running mean; dashed: validation."
  return report_page.section("Curves", intro, _legend(read), *parts)


def _peers(read: charts.Runs) -> str:
  parts = []
  for trainer in charts.trainers(read):
    drawn = charts.staleness(read, trainer) + charts.speed(read, trainer)
    parts.append(report_page.chart_grid(trainer, [plots.svg(c, list(read)) for c in drawn]))
  if not any(parts):
    return ""
  intro = (
    "The age of a peer's answers: seconds since the version was published, and the trainer's own steps since it first "
    "saw that version. Speed counts everything, waiting included."
  )
  return report_page.section("Staleness and speed", intro, _legend(read), *parts)


def _legend(read: charts.Runs) -> str:
  colors = _cycle(plots.COLORS, len(read))
  return report_page.runs_legend(
    [(name, "", color) for name, color in zip(read, colors, strict=True)]
  )


def _configurations(read: charts.Runs) -> str:
  parts = []
  base_name, base_seeds = next(iter(read.items()))
  for name, seeds in read.items():
    for run in seeds:
      label = f"{name} ({run.work_dir.name})" if len(seeds) > 1 else name
      if run.config:
        parts.append(report_page.details(f"{label}: config.gin", run.config))
    if name != base_name and seeds[0].config and base_seeds[0].config:
      texts = (base_seeds[0].config.splitlines(), seeds[0].config.splitlines())
      difference = "\n".join(difflib.unified_diff(*texts, base_name, name, lineterm="", n=0))
      parts.append(
        report_page.details(f"{name}: what differs from {base_name}", difference or "nothing")
      )
  return report_page.section("Configuration", "The complete configuration of every run.", *parts)


def _by_data_set(read: charts.Runs) -> Mapping[tuple[str, str], tables.Runs]:
  return tables.by_data_set(
    {name: [run.evaluations for run in seeds] for name, seeds in read.items()}
  )


def _first_seeds(read: charts.Runs) -> list[dict[str, evaluation.Evaluation]]:
  """For every data set, the evaluation of the first seed of every run."""
  return [
    {name: seeds[0] for name, seeds in compared.items()} for compared in _by_data_set(read).values()
  ]


def _galleries(read: charts.Runs) -> list[tuple[evaluation.Evaluation, list[gallery.Gallery]]]:
  """Galleries of the first seed of every run, and the evaluation that they are of, for every data set."""
  return [(next(iter(c.values())), gallery.galleries(c)) for c in _first_seeds(read)]


def _write_pictures(folder: pathlib.Path, read: charts.Runs):
  folder.mkdir(parents=True, exist_ok=True)
  for first, shown in _galleries(read):
    for i, one in enumerate(shown):
      (folder / f"{first.file_stem}-{i}.png").write_bytes(pictures.png(one.picture()))
  video_report.write_pictures(folder, _first_seeds(read), list(read))
  box_report.write_pictures(folder, _first_seeds(read), list(read))
  drawn = {f"{m}-losses": charts.losses(read, m) for m in charts.modules(read)}
  for trainer in charts.trainers(read):
    drawn[f"{trainer}-staleness"] = charts.staleness(read, trainer)
    drawn[f"{trainer}-speed"] = charts.speed(read, trainer)
  for name, some in drawn.items():
    if some:
      (folder / f"{name}.png").write_bytes(plots.png(some, list(read)))


def _cycle(items: Sequence[str], count: int) -> list[str]:
  return [items[i % len(items)] for i in range(count)]
