"""Reads what a run has left in its work folder."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping, Sequence

from tf_taskology.evaluation import evaluation as evaluation_lib


@dataclasses.dataclass(frozen=True)
class Run:
  """One run, as the report needs it.

  Attributes:
    work_dir: its folder.
    info: `run.json`: mode, modules, started_at; empty if it has none.
    config: the text of `config.gin`; empty if it has none.
    history: trainer -> entries of `history.jsonl` by rising step, one per step. A trainer has the name of its module;
      the one that trains all modules in one process has another, and its losses are called "<module>/<loss>".
    status: trainer -> `status.json`.
    evaluations: `evaluation.json` with samples; empty before the run was evaluated.
  """

  work_dir: pathlib.Path
  info: Mapping
  config: str
  history: Mapping[str, Sequence[Mapping]]
  status: Mapping[str, Mapping]
  evaluations: Sequence[evaluation_lib.Evaluation]

  @property
  def mode(self) -> str:
    """How it was trained; empty if `run.json` does not say."""
    return self.info.get("mode", "")

  @property
  def modules(self) -> tuple[str, ...]:
    return tuple(self.info.get("modules") or self._published() or sorted(self.history))

  def losses(self, module: str) -> list[tuple[int, Mapping[str, float]]]:
    """(step, loss or metric -> value) of one module, whichever trainer it was trained by."""
    losses = [(e["step"], e.get("losses", {})) for e in self.history.get(module, ())]
    for trainer, entries in self.history.items():
      if trainer not in self.modules:
        losses += [(e["step"], _below(f"{module}/", e.get("losses", {}))) for e in entries]
    return losses

  def _published(self) -> list[str]:
    return sorted(p.name for p in self.work_dir.glob("exports/*") if p.is_dir())


def read(work_dir: str | os.PathLike) -> Run:
  """Reads a work folder.

  Raises:
    ValueError: if the folder does not exist, or a file in it is damaged.
  """
  work_dir = pathlib.Path(work_dir)
  if not work_dir.is_dir():
    raise ValueError(f"The work folder {str(work_dir)!r} does not exist.")
  config = work_dir / "config.gin"
  return Run(
    work_dir=work_dir,
    info=_read_json(work_dir / "run.json"),
    config=config.read_text() if config.exists() else "",
    history={p.parent.name: read_history(p) for p in sorted(work_dir.glob("*/history.jsonl"))},
    status={p.parent.name: _read_json(p) for p in sorted(work_dir.glob("*/status.json"))},
    evaluations=evaluation_lib.read(work_dir),
  )


def read_history(path: str | os.PathLike) -> list[dict]:
  """Entries of a `history.jsonl` by rising step.

  A restarted trainer repeats steps since its checkpoint; the last entry of a step counts. A last line without its
  end is one that a trainer is writing, or was killed at, and is left out.

  Raises:
    ValueError: if another line is not a JSON object with a step.
  """
  lines = pathlib.Path(path).read_text().split("\n")[:-1]
  entries = {}
  for number, line in enumerate(lines, start=1):
    try:
      entry = json.loads(line)
      entries[int(entry["step"])] = entry
    except (ValueError, KeyError, TypeError) as error:
      raise ValueError(
        f"{path}, line {number}: expected a JSON object with a 'step'. Received: {line!r}."
      ) from error
  return [entries[step] for step in sorted(entries)]


def names(work_dirs: Sequence[str | os.PathLike]) -> list[str]:
  """A name for each work folder: the last part of its path, or as many parts as tell them all apart."""
  paths = [pathlib.Path(os.path.abspath(w)) for w in work_dirs]
  for length in range(1, max(len(p.parts) for p in paths) + 1):
    short = ["/".join(p.parts[-length:]) for p in paths]
    if len(set(short)) == len(set(paths)):
      break
  return short


def parse_run(flag: str) -> tuple[str, str]:
  """Splits "name=work_dir"; without a name, the folder's own name is used."""
  name, separator, work_dir = flag.partition("=")
  if not separator:
    return names([flag])[0], flag
  if not name or not work_dir:
    raise ValueError(
      f"A run is given as name=work_dir, e.g. isolated=runs/isolated. Received: {flag!r}."
    )
  return name, work_dir


def _below(prefix: str, losses: Mapping[str, float]) -> dict[str, float]:
  return {
    key.removeprefix(prefix): value for key, value in losses.items() if key.startswith(prefix)
  }


def _read_json(path: pathlib.Path) -> dict:
  if not path.exists():
    return {}
  try:
    return json.loads(path.read_text())
  except ValueError as error:
    raise ValueError(f"{path} is not JSON ({error}).") from error
