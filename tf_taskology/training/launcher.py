"""Runs a collective on this machine: starts its processes, keeps them running, ends them in order.

The launcher computes nothing and imports no TensorFlow. If it is killed, trainers go on to their end
by themselves, and model servers end after the last of them.
"""

# bazel: deps=:read_plan

import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from tf_taskology.training import (
  child,
  commands,
  forkserver,
  leftovers,
  live_table,
  locks,
  plan as plan_lib,
  processes,
  status as status_lib,
  supervision,
)

EXIT_GAVE_UP = 1
_POLL_SECS = 0.1
_SHOW_SECS = 0.5
_READ_ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class RunResult:
  """How a run ended.

  Attributes:
    exit_code: 0 when every trainer is done; 2 for a configuration that cannot be used; 3 for a training
      that failed for good; 1 when a process died again and again; 128 + signal when told to end.
    message: why, for people; empty for 0.
    statuses: trainer -> what it wrote last, None if it never did.
    restarts: process -> how often it was restarted.
  """

  exit_code: int
  message: str = ""
  statuses: Mapping[str, status_lib.Status | None] = dataclasses.field(default_factory=dict)
  restarts: Mapping[str, int] = dataclasses.field(default_factory=dict)


def launch(
  options: commands.Options,
  plan: plan_lib.LaunchPlan | None = None,
  output: TextIO = sys.stdout,
  limits: supervision.Limits | None = None,
) -> RunResult:
  """Runs a collective to its end.

  Call it from the main thread: while it runs, SIGINT, SIGTERM and SIGHUP end the run in order
  (trainers save first); a second one kills everything.

  Args:
    options: how to run it.
    plan: its modules; None to read them from the gin files.
    output: where to show progress.
    limits: when to restart and when to give up.
  """
  try:
    lock = locks.Lock(os.path.join(options.work_dir, locks.FILE_NAME))
  except (locks.HeldError, OSError) as error:
    return RunResult(supervision.EXIT_CONFIGURATION, str(error))
  with lock, _Signals() as signals:
    run = _Run(options, output, signals, limits)
    try:
      return run.run(plan)
    finally:
      run.close()


class _Stopped(Exception):
  """A signal came before anything was running."""


class _Run:
  """One run of the launcher."""

  def __init__(self, options, output, signals, limits):
    self._options, self._signals, self._limits = options, signals, limits
    self._started_at = time.time()
    self._messages = []
    self._logs_dir = os.path.join(options.work_dir, "logs")
    os.makedirs(self._logs_dir, exist_ok=True)
    log_path = os.path.join(self._logs_dir, "collective.log")
    self._log = open(log_path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115
    self._display = live_table.Display(output, options.report_secs)
    self._starter = supervision.Subprocesses()
    self._processes = None

  def run(self, plan) -> RunResult:
    """Starts everything and returns when nothing runs any more."""
    try:
      self._choose_starter()
      plan = plan or self._read_plan()
      lines = commands.Commands(self._options, plan)
      leftovers.end(lines, self._say, self._sleep_or_stop)
    except (ValueError, locks.HeldError) as error:
      return RunResult(supervision.EXIT_CONFIGURATION, str(error))
    except _Stopped:
      return RunResult(128 + self._signals.received[0], "Stopped before anything was started.")
    self._write_run_file(lines)
    self._processes = processes.Processes(lines, self._starter, self._say, self._limits)
    exit_code, message = self._supervise()
    return RunResult(exit_code, message, self._processes.statuses(), self._processes.restarts())

  def close(self) -> None:
    """Leaves nothing behind, however the run ended."""
    if self._processes:
      self._processes.close()
    self._starter.stop()
    self._display.close()
    self._log.close()

  def _say(self, text):
    now = time.time()
    self._messages.append((now, text))
    self._log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))} {text}\n")
    self._display.message(now, text)

  def _supervise(self):
    outcome, shown_at = None, 0.0
    while not self._processes.is_over:
      now = time.time()
      if len(self._signals.received) > 1:
        self._processes.kill_all()
      self._processes.poll(now)
      if outcome is None:
        outcome = self._outcome()  # Decided once; what happens while all end does not count.
        if outcome is not None:
          self._announce_end(outcome[1])
          self._processes.end(now)
      if now - shown_at >= _SHOW_SECS:
        shown_at = now
        self._display.update(self._view(now), now)
      time.sleep(_POLL_SECS)
    now = time.time()
    self._display.update(self._view(now), now, is_last=True)
    return outcome

  def _announce_end(self, message):
    if self._signals.received:
      self._say(f"{message} Trainers save and end; once more kills them.")
    elif message:  # Said already, when it happened.
      self._say("All processes end; trainers save first.")

  def _outcome(self):
    """(exit code, message) once it is clear how the run ends."""
    if self._signals.received:
      number = self._signals.received[0]
      return 128 + number, f"Stopped by {signal.Signals(number).name}."
    failed = self._processes.failed()
    if failed:
      is_told = failed.exit_code in (supervision.EXIT_CONFIGURATION, supervision.EXIT_FAILED)
      return failed.exit_code if is_told else EXIT_GAVE_UP, f"{failed.name}: {failed.message}"
    return (0, "") if self._processes.all_done else None

  def _view(self, now):
    return live_table.View(
      self._options.work_dir,
      self._options.mode,
      self._started_at,
      self._processes.views(now),
      self._messages,
    )

  def _write_run_file(self, lines):
    fields = {
      "mode": self._options.mode,
      "modules": list(lines.modules),
      "gin_files": list(self._options.gin_files),
      "gin_bindings": list(self._options.gin_bindings),
      "started_at": self._started_at,
      "pid": os.getpid(),
    }
    status_lib.write_json(os.path.join(self._options.work_dir, "run.json"), fields)

  def _choose_starter(self):
    if self._options.start_method == "forkserver" and sys.platform == "linux":
      self._starter = forkserver.ForkServer(
        self._options.preload,
        os.path.join(self._logs_dir, "forkserver.log"),
        commands.environment(),
      )
    try:
      while not self._starter.ready():
        self._sleep_or_stop()
    except ChildProcessError as error:
      self._say(f"{error} Each process starts from scratch instead, which takes longer.")
      self._starter.stop()
      self._starter = supervision.Subprocesses()

  def _sleep_or_stop(self):
    if self._signals.received:
      raise _Stopped
    time.sleep(0.02)

  def _read_plan(self):
    result_path = os.path.join(self._logs_dir, "plan.json")
    fields = ("gin_files", "gin_bindings", "work_dir")
    request = json.dumps({field: getattr(self._options, field) for field in fields})
    spec = child.Spec(
      name="read plan",
      log_path=os.path.join(self._logs_dir, "read_plan.log"),
      module="tf_taskology.training.read_plan",
      arguments=(result_path, request),
      environment=commands.environment(),
    )
    for _ in range(_READ_ATTEMPTS):
      exit_code = self._run_to_end(spec)
      if exit_code >= 0:
        break
      self._say(f"reading the configuration died of {supervision.describe_exit(exit_code)}")
    if exit_code not in (0, supervision.EXIT_CONFIGURATION):
      raise ValueError(
        f"Reading the configuration died of {supervision.describe_exit(exit_code)};"
        f" see {spec.log_path}."
      )
    with open(result_path, encoding="utf-8") as file:
      text = file.read()
    os.remove(result_path)
    if exit_code:
      raise ValueError(text)
    return plan_lib.LaunchPlan.from_json(text)

  def _run_to_end(self, spec):
    process = None
    try:
      while process is None:
        while not self._starter.ready():
          self._sleep_or_stop()
        with contextlib.suppress(ConnectionError):  # The fork server died; it is started anew.
          process = self._starter.start(spec)
      while (exit_code := process.poll()) is None:
        self._sleep_or_stop()
    except _Stopped:
      if process:
        os.kill(process.pid, signal.SIGKILL)
      raise
    return exit_code


class _Signals:
  """Notes the signals that ask the launcher to end."""

  _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

  def __enter__(self):
    self.received: list[int] = []
    handler = lambda number, frame: self.received.append(number)
    self._before = {number: signal.signal(number, handler) for number in self._NUMBERS}
    return self

  def __exit__(self, *_):
    for number, handler in self._before.items():
      signal.signal(number, handler)
