"""Compares settings on equal terms: the same start, the same steps, the same samples, several seeds."""

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from tf_taskology.evaluation import (
  evaluation,
  evaluator,
  exports,
  report,
  table_formats,
  tables,
)
from tf_taskology.training import commands, config, launcher, work_folder


@dataclasses.dataclass(frozen=True)
class Arm:
  """One setting.

  Attributes:
    name: what tables call it; also the name of its folder, with spaces made underscores.
    mode: "distributed", "synchronous" or "isolated".
    bindings: gin bindings that make the difference.
    gin_files: in place of the comparison's, if given.
    start: name of the arm whose end this one starts from; None to start from nothing.
    exports: gin macro -> (arm, module): set to the folder of what that arm's module has published, for frozen modules.
      Give that arm before this one.
  """

  name: str
  mode: str
  bindings: tuple[str, ...] = ()
  gin_files: tuple[str, ...] = ()
  start: str | None = None
  exports: Mapping[str, tuple[str, str]] = dataclasses.field(default_factory=dict)

  @property
  def folder(self) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in self.name)


class Failed(RuntimeError):
  """A run ended with an error or was stopped."""

  def __init__(self, message: str, exit_code: int):
    super().__init__(message)
    self.exit_code = exit_code


class Comparison:
  """Runs arms in turn, each in its own work folder `<work_dir>/<arm>/seed<seed>`.

  Args:
    work_dir: folder for everything. What is finished there is not done again.
    gin_files: the experiment that the arms vary.
    bindings: gin bindings of all arms.
    options: keyword arguments of `commands.Options`, e.g. start_method.
    split: split to evaluate on; None for what the experiment says.
    say: prints a line for the person who watches.
  """

  def __init__(
    self,
    work_dir: str,
    gin_files: Sequence[str],
    bindings: Sequence[str] = (),
    options: dict | None = None,
    split: str | None = None,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
  ):
    self._work_dir = os.path.abspath(work_dir)
    self._gin_files, self._bindings = tuple(gin_files), tuple(bindings)
    self._options, self._split, self._say = dict(options or {}), split, say

  def run_dir(self, arm: Arm | str, seed: int) -> str:
    folder = arm.folder if isinstance(arm, Arm) else Arm(arm, "isolated").folder
    return os.path.join(self._work_dir, folder, f"seed{seed}")

  def train(self, arm: Arm, seed: int) -> str:
    """Trains an arm, unless it is done. Returns its work folder.

    Raises:
      Failed: it did not reach its end.
    """
    work_dir = self.run_dir(arm, seed)
    if os.path.exists(os.path.join(work_dir, "done")):
      return work_dir
    bindings = [*self._bindings, *arm.bindings, f"SEED = {seed}"]
    if arm.start:
      bindings.append(f"INITIAL_RUN = {self.run_dir(arm.start, seed)!r}")
    for macro, (other, module) in arm.exports.items():
      bindings.append(f"{macro} = {work_folder.export_dir(self.run_dir(other, seed), module)!r}")
    self._say(f"\n== {arm.name} ({arm.mode}, seed {seed})")
    result = launcher.launch(
      commands.Options(
        work_dir=work_dir,
        gin_files=arm.gin_files or self._gin_files,
        gin_bindings=tuple(bindings),
        mode=arm.mode,
        **self._options,
      ),
      output=sys.stdout,
    )
    if result.exit_code:
      raise Failed(
        f"{arm.name!r} did not finish: {result.message or 'it was stopped'}.", result.exit_code
      )
    with open(os.path.join(work_dir, "done"), "w", encoding="utf-8"):
      pass
    return work_dir

  def evaluate(self, arm: Arm, seed: int) -> list[evaluation.Evaluation]:
    """Evaluates a trained arm, unless that is done: its last versions, all samples, the same split."""
    work_dir = self.run_dir(arm, seed)
    collective = config.parse([os.path.join(work_dir, "config.gin")])
    newest = {name: export.version for name, export in exports.newest(work_dir).items()}
    evaluations = [e for e in evaluation.read(work_dir) if e.versions.items() <= newest.items()]
    found = [self._made(spec, evaluations) for spec in collective.evaluation]
    if all(found):
      return found
    self._say(f"Evaluating {arm.name}, seed {seed}.")
    return evaluator.evaluate_run(work_dir, collective.evaluation, self._split)

  def _made(self, spec, evaluations) -> evaluation.Evaluation | None:
    """What `spec` asks for, of all samples, among evaluations that anybody may have made."""
    split = self._split or spec.split
    samples = spec.source.num_samples(split)
    samples = min(samples, spec.max_samples or samples)
    for made in evaluations:
      is_complete = made.num_samples >= samples or not made.versions
      if (made.name, made.split) == (spec.name, split) and is_complete:
        return made
    return None

  def run(
    self, arms: Sequence[Arm], seeds: Sequence[int]
  ) -> dict[str, list[list[evaluation.Evaluation]]]:
    """Trains and evaluates all arms: arm name -> one list of evaluations a seed."""
    for seed in seeds:
      for arm in arms:
        self.train(arm, seed)
    return {arm.name: [self.evaluate(arm, seed) for seed in seeds] for arm in arms}

  def prepare(self):
    """Renders or indexes all data before anything trains, so that a person sees it happen, once."""
    collective = config.parse(self._gin_files, self._bindings)
    sources = [spec.dedicated for spec in collective.modules if spec.dedicated is not None]
    sources += [collective.mediator.source] if collective.mediator else []
    sources += [spec.source for spec in collective.evaluation]
    for name, source in {source.describe(): source for source in sources}.items():
      self._say(f"Data: {name}")
      source.prepare()

  def report(self, arms: Sequence[Arm], seeds: Sequence[int], title: str) -> str:
    """Writes `<work_dir>/report.html` about arms that were run; returns its path."""
    path = os.path.join(self._work_dir, "report.html")
    report.write_report(
      path, {arm.name: [self.run_dir(arm, seed) for seed in seeds] for arm in arms}, title
    )
    return path


def print_tables(results: dict, file: TextIO):
  """Prints for each data set the arms beside each other, with their difference to the first."""
  for runs in tables.by_data_set(results).values():
    for table in tables.comparison(runs):
      print(f"\n{table_formats.text(table, color=file.isatty())}", file=file)


def overview(results: dict, keys: dict[str, Sequence[str]] | None = None) -> list[tables.Table]:
  """Tables with a row for each arm, one for each data set; `keys` as for `tables.overview`."""
  return [tables.overview(runs, keys) for runs in tables.by_data_set(results).values()]


def paired(
  results: dict, pairs: Sequence[tuple[str, str]], keys: dict[str, Sequence[str]] | None = None
) -> list[tables.Table]:
  """Tables of what each second arm of a pair gains over the first within a seed; see `tables.paired`."""
  return [tables.paired(runs, pairs, keys) for runs in tables.by_data_set(results).values()]
