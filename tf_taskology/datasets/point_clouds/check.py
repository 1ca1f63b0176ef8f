"""Looks a data set of point clouds over before one trains on it."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from absl import logging

from tf_taskology.datasets import rgbd_check, rgbd_findings
from tf_taskology.datasets.point_clouds import recordings, sample_points
from tf_taskology.datasets.video import inspection
from tf_taskology.geometry import bev_grid

_QUICK_SWEEPS = 8
_GROUND_METRES = (4.0, 15.0)  # distances at which the ground is looked for
_GROUND_SHARE = 10  # per cent of the points there that lie at most as high as the ground, about
_GROUND_OFF = 0.5  # metres
_FEW_BOXES = 10  # with fewer nothing is said of how many are empty
_LEVEL_1_POINTS = 6


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a source leaves out, to be said; arguments of `point_cloud_source.PointCloudSource`."""

  max_points: int | None = None
  max_boxes: int | None = None
  grid: bev_grid.BevGrid | None = None


def refuse_bad_files(
  data: recordings.Recordings,
  clips: Sequence[recordings.Clip],
  classes: Mapping[str, int],
  labelled: bool,
  limits: Limits,
):
  """A look at the size of all files and into some.

  Args:
    data: the data set.
    clips: of it.
    classes: class name -> number.
    labelled: whether labels are read.
    limits: what is left out is said by a warning.

  Raises:
    ValueError: files are missing, empty or truncated, or points or labels hold what they may not.
  """
  findings = rgbd_findings.Findings()
  _sizes(data, clips, findings)
  if not _errors(findings):
    _look(data, clips, classes, labelled, limits, _QUICK_SWEEPS, findings)
  for item in findings.sorted():
    if item.severity == rgbd_findings.WARNING:
      logging.warning("%s: %s", data.describe(), item.text)
  errors = _errors(findings)
  if errors:
    raise ValueError(
      f"{data.describe()}: {'; '.join(text.removesuffix('.') for text in errors)}. `python -m tf_taskology.check_data` looks at more of it."
    )


def check(data: recordings.Recordings, max_sweeps: int = 500) -> rgbd_check.Report:
  """Checks a data set at length.

  Args:
    data: the data set.
    max_sweeps: at most about so many are opened. All files are looked for.
  """
  findings = rgbd_findings.Findings()
  try:
    clips, labels = data.clips(), data.labels
  except (ValueError, OSError, ImportError) as error:
    finding = rgbd_findings.Finding(rgbd_findings.ERROR, str(error))
    return rgbd_check.Report((("data", data.describe()),), (finding,))
  lengths = [len(clip.frames) for clip in clips]
  labelled = sum(recordings.BOXES in sweep.files for clip in clips for sweep in clip.frames)
  summary = [
    ("data", data.describe()),
    ("clips", f"{len(clips)}, of {min(lengths)} to {max(lengths)} sweeps, {sum(lengths)} in all"),
    ("labels", f"{', '.join(labels)}; {labelled} sweeps" if labelled else "none"),
  ]
  if not labelled:
    findings.note("no labels: the data can serve as a mediator, not as labelled data")
  if not data.consecutive:
    findings.note("sweeps do not follow each other: samples have one")
  elif max(lengths) == 1:
    findings.warning("no clip has two sweeps: box flow and its consistency cannot use this data")
  _sizes(data, clips, findings)
  summary += _look(data, clips, data.classes, labelled > 0, Limits(), max_sweeps, findings)
  if data.consecutive:
    summary += inspection.poses(clips, findings)
  return rgbd_check.Report(tuple(summary), findings.sorted())


def _errors(findings):
  return [item.text for item in findings.sorted() if item.severity == rgbd_findings.ERROR]


def _sizes(data, clips, findings):
  bad, seen = [], set()
  for clip in clips:
    for sweep in clip.frames:
      if sweep.points not in seen:
        seen.add(sweep.points)
        found = data.problem(sweep)
        bad += [f"{sweep.points!r}: {found}"] if found else []
  if bad:
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    findings.error(f"{len(bad)} bad file(s) of points: {'; '.join(bad[:3])}{more}")


def _look(data, clips, classes, labelled, limits, count, findings):
  """Opens some sweeps; returns (name, value) for a summary."""
  places = [(clip, sweep) for clip in clips for sweep in clip.frames]
  if labelled:
    places = [p for p in places if recordings.BOXES in p[1].files] or places
  seen, bad = [], []
  for index in inspection.evenly(len(places), count):
    clip, sweep = places[index]
    has_boxes = labelled and recordings.BOXES in sweep.files
    try:
      seen.append((sweep, sample_points.read(data, clip, sweep, classes, has_boxes)))
    except (ValueError, OSError) as error:
      bad.append(str(error))
  bad = list(dict.fromkeys(bad))  # one file may be that of many sweeps
  for text in bad[:3]:
    findings.error(text)
  if len(bad) > 3:
    findings.error(f"and {len(bad) - 3} more like these")
  if not seen:
    return []
  summary = _points(seen, limits, findings)
  if labelled:
    summary += _boxes(seen, classes, limits, findings)
  return summary


def _points(seen, limits, findings):
  counts = [len(read.points) for _, read in seen]
  lost = [sweep.points for sweep, read in seen if read.not_finite]
  if lost:
    total = sum(read.not_finite for _, read in seen)
    findings.warning(
      f"{total} points without a finite place, which are left out, in", lost, len(seen)
    )
  if limits.grid is not None:
    left = [len(sample_points.inside(read, limits.grid).points) for _, read in seen]
    if not any(left):
      findings.error("no point of the opened sweeps lies in the grid: is the unit metres?")
    empty = [sweep.points for (sweep, _), n in zip(seen, left, strict=True) if not n]
    if empty and any(left):
      findings.warning("no point in the grid, in", empty, len(seen))
    counts = left
  if limits.max_points is not None and max(counts) > limits.max_points:
    over = [c for c in counts if c > limits.max_points]
    findings.warning(
      f"{len(over)} of {len(seen)} opened sweeps have more than max_points = {limits.max_points} points (up to "
      f"{max(over)}): a random part of them is used"
    )
  points = np.concatenate([read.points for _, read in seen])
  distance = np.hypot(points[:, 0], points[:, 1])
  near = points[(distance > _GROUND_METRES[0]) & (distance < _GROUND_METRES[1]), 2]
  reach = np.percentile(distance, 99)
  about = f"{min(counts)} to {max(counts)} a sweep, 99 % within {reach:.0f} m"
  if len(near):
    ground = float(np.percentile(near, _GROUND_SHARE))
    about += f", ground near the sensor at z = {ground:.2f} m"
    if abs(ground) > _GROUND_OFF:
      findings.warning(
        f"the ground near the sensor seems to be at z = {ground:.2f} m, but should be at 0: is sensor_height right?"
      )
  return [("points", about)]


def _boxes(seen, classes, limits, findings):
  numbers, inside, most = collections.Counter(), [], 0
  twice = []
  for sweep, read in seen:
    numbers.update(read.classes.tolist())
    inside.extend(read.box_points[read.classes > 0].tolist())
    kept = read if limits.grid is None else sample_points.inside(read, limits.grid)
    most = max(most, len(kept.boxes))
    repeated = [t for t, n in collections.Counter(read.tracks).items() if n > 1 and t]
    twice += [f"{sweep.files[recordings.BOXES]!r}, {sweep.name}: track {t!r}" for t in repeated]
  if twice:
    findings.error(f"{len(twice)} tracks have two boxes in one sweep: {'; '.join(twice[:3])}")
  if limits.max_boxes is not None and most > limits.max_boxes:
    findings.warning(
      f"up to {most} boxes a sweep, more than max_boxes = {limits.max_boxes}: only the nearest are used"
    )
  names = collections.defaultdict(list)
  for name, number in classes.items():
    names[number].append(name)
  kinds = ", ".join(
    f"{numbers[n]} of class {n} ({', '.join(names[n])})" for n in sorted(names) if n > 0
  )
  about = f"{kinds}; {numbers[recordings.DO_NOT_CARE]} neither found nor background"
  if not inside:
    findings.warning("no box of a class in the opened sweeps")
    return [("boxes", about)]
  empty = float(np.mean(np.array(inside) == 0))
  # Far and hidden vehicles are labelled without points too; in a wrong frame next to none has any.
  if empty > 0.8 and len(inside) >= _FEW_BOXES:
    findings.error(
      f"{empty:.0%} of {len(inside)} boxes hold no point: boxes and points are not in one frame"
    )
  elif empty > 0.2 and len(inside) >= _FEW_BOXES:
    findings.warning(f"{empty:.0%} of {len(inside)} boxes hold no point")
  hard = np.mean(np.array(inside) < _LEVEL_1_POINTS)
  about += f"; points inside: median {np.median(inside):.0f}, none in {empty:.0%}, fewer than {_LEVEL_1_POINTS} in {hard:.0%}"
  return [("boxes", about)]
