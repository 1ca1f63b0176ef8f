"""What an evaluation of a collective's published models gives, and how a work folder keeps it."""

import dataclasses
import json
import os
import pathlib
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence

from tf_taskology.evaluation import box_samples, protocol, samples as samples_lib, trajectory

FILE_NAME = "evaluation.json"
_SAMPLES_DIR = "evaluation"


@dataclasses.dataclass(frozen=True)
class Scores:
  """What one protocol says of one collective.

  Attributes:
    description: the protocol in one sentence.
    metrics: how each value is read, by name, in the order of tables.
    values: metric name -> value, in the metric's unit.
    num_images: images with at least one labelled pixel.
  """

  description: str
  metrics: Mapping[str, protocol.Metric]
  values: Mapping[str, float]
  num_images: int


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """One data set's worth of numbers.

  Attributes:
    name: the data set, as tables call it.
    split: which split of it.
    versions: module -> version (global step) of the model that was run.
    num_samples: samples read.
    scores: protocol name -> `Scores`.
    notes: what was left out, and why.
    samples: a few samples for pictures, evenly spaced over the data set; the same ones for every collective.
    trajectories: protocol name -> a few paths for pictures.
    sweeps: a few samples of point clouds for pictures, chosen as `samples`.
    curves: precision over recall of detectors.
  """

  name: str
  split: str
  versions: Mapping[str, int]
  num_samples: int
  scores: Mapping[str, Scores]
  notes: tuple[str, ...] = ()
  samples: tuple[samples_lib.Sample, ...] = ()
  trajectories: Mapping[str, Sequence[trajectory.Trajectory]] = dataclasses.field(
    default_factory=dict
  )
  sweeps: tuple[box_samples.SweepSample, ...] = ()
  curves: tuple[box_samples.Curve, ...] = ()

  @property
  def key(self) -> tuple[str, str]:
    return (self.name, self.split)

  @property
  def title(self) -> str:
    return f"{self.name} ({self.split})"

  @property
  def file_stem(self) -> str:
    """Name and split as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", f"{self.name}-{self.split}")


def write(work_dir: str | os.PathLike, evaluations: Iterable[Evaluation]):
  """Puts evaluations into the work folder, beside (or in place of) what is there for other (the same) data sets.

  Numbers go to `evaluation.json`, samples to `evaluation/<name>.npz`, of point clouds to
  `evaluation/<name>.sweeps.npz`; each file appears whole or not at all.
  """
  work_dir = pathlib.Path(work_dir)
  evaluations = list(evaluations)
  merged = {e.key: e for e in read(work_dir, samples=False)} | {e.key: e for e in evaluations}
  for evaluation in evaluations:
    path = _samples_path(work_dir, evaluation)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, lambda f, e=evaluation: samples_lib.write(f, e.samples, e.trajectories))
    path = _sweeps_path(path)
    path.unlink(missing_ok=True)
    if evaluation.sweeps or evaluation.curves:
      _replace(path, lambda f, e=evaluation: box_samples.write(f, e.sweeps, e.curves))
  text = json.dumps(
    {"evaluations": [_to_json(e) for e in merged.values()]}, indent=2, ensure_ascii=False
  )
  _replace(work_dir / FILE_NAME, lambda file: file.write(text.encode()))


def read(work_dir: str | os.PathLike, samples: bool = True) -> list[Evaluation]:
  """The evaluations in a work folder; an empty list if it has none.

  Args:
    work_dir: a run's folder.
    samples: also read the samples for pictures.

  Raises:
    ValueError: if a file is damaged.
  """
  path = pathlib.Path(work_dir) / FILE_NAME
  if not path.exists():
    return []
  try:
    evaluations = [_from_json(entry) for entry in json.loads(path.read_text())["evaluations"]]
    if samples:
      evaluations = [_with_samples(e, _samples_path(work_dir, e)) for e in evaluations]
  except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
    raise ValueError(
      f"{path} or its samples are damaged ({error}); evaluate the run again."
    ) from error
  return evaluations


def _with_samples(evaluation: Evaluation, path: pathlib.Path) -> Evaluation:
  samples, trajectories = samples_lib.read(path)
  sweeps, curves = box_samples.read(_sweeps_path(path))
  return dataclasses.replace(
    evaluation, samples=samples, trajectories=trajectories, sweeps=sweeps, curves=curves
  )


def _to_json(evaluation: Evaluation) -> dict:
  fields = dataclasses.asdict(
    dataclasses.replace(evaluation, samples=(), trajectories={}, sweeps=(), curves=())
  )
  for name in ("trajectories", "sweeps", "curves"):
    del fields[name]
  return fields | {"samples": len(evaluation.samples)}


def _from_json(entry: Mapping) -> Evaluation:
  scores = {}
  for name, fields in entry["scores"].items():
    metrics = {key: protocol.Metric(**metric) for key, metric in fields["metrics"].items()}
    scores[name] = Scores(**fields | {"metrics": metrics})
  return Evaluation(**entry | {"scores": scores, "notes": tuple(entry["notes"]), "samples": ()})


def _samples_path(work_dir, evaluation: Evaluation) -> pathlib.Path:
  return pathlib.Path(work_dir) / _SAMPLES_DIR / f"{evaluation.file_stem}.npz"


def _sweeps_path(path: pathlib.Path) -> pathlib.Path:
  return path.with_name(f"{path.name.removesuffix('.npz')}.sweeps.npz")


def _replace(path: pathlib.Path, write_fn):
  """Writes beside `path` and renames into place."""
  temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
  with open(temporary, "wb") as file:
    write_fn(file)
  os.replace(temporary, path)
