"""Keeps processes running: starts them, restarts what dies, gives up with a reason, ends them all."""

import collections
import contextlib
import dataclasses
import enum
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Protocol

from tf_taskology.training import child, forkserver

# Exit codes after which a restart cannot help (see `tf_taskology/train.py`).
EXIT_CONFIGURATION = 2
EXIT_FAILED = 3


class Process(Protocol):
  """A started process: `subprocess.Popen` or `forkserver.ForkedProcess`."""

  pid: int

  def poll(self) -> int | None: ...


class Starter(Protocol):
  """A way to start processes: `forkserver.ForkServer` or `Subprocesses`."""

  def ready(self) -> bool: ...

  def start(self, spec: child.Spec) -> Process: ...

  def stop(self) -> None: ...


class Subprocesses:
  """Starts each process as a new Python interpreter."""

  def ready(self) -> bool:
    return True

  def start(self, spec: child.Spec) -> Process:
    os.makedirs(os.path.dirname(spec.log_path), exist_ok=True)
    with open(spec.log_path, "a", encoding="utf-8") as log:
      return subprocess.Popen(
        [sys.executable, "-m", "tf_taskology.training.child", spec.to_json()],
        env={**os.environ, **forkserver.python_path(), **spec.environment},
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
      )

  def stop(self) -> None:
    """Nothing to end: every process is somebody's child already."""


class State(enum.Enum):
  """Where a supervised process is. It comes to rest in the last three."""

  PENDING = "pending"  # To be started at `Child.start_at`.
  RUNNING = "running"
  DONE = "done"
  FAILED = "failed"  # For good; `Child.message` says why.
  ENDED = "ended"  # Because it was told to.


@dataclasses.dataclass(frozen=True)
class Limits:
  """When to restart and when to give up.

  Attributes:
    restarts_per_minute: more restarts than this within a minute, or in a row without progress, and
      the process has failed.
    backoff_secs: pause before the first restart of such a series; it doubles with each.
    max_backoff_secs: the longest pause.
  """

  restarts_per_minute: int = 5
  backoff_secs: float = 0.5
  max_backoff_secs: float = 10.0


@dataclasses.dataclass(eq=False)
class Child:
  """A process that is kept running.

  Attributes:
    name: for people, unique.
    starter: what starts it.
    prepare: called with the time before each start; returns what to run.
    progress: called when it died; a number that has grown since its last death if it got anywhere.
    explain: called when it failed for good, with the exit code; returns why, for people.
    is_done: called when it ended with exit code 0; whether it has done its work. If not, that is a
      death too.
  """

  name: str
  starter: Starter
  prepare: Callable[[float], child.Spec]
  progress: Callable[[], float]
  explain: Callable[[int], str]
  is_done: Callable[[], bool]
  state: State = State.PENDING
  start_at: float = 0.0
  started_at: float = 0.0
  process: Process | None = None
  message: str = ""
  exit_code: int | None = None
  restarts: int = 0
  recent_deaths: collections.deque = dataclasses.field(default_factory=collections.deque)
  best_progress: float = float("-inf")
  kill_at: float | None = None
  is_restart_wanted: bool = False

  @property
  def pid(self) -> int | None:
    return self.process.pid if self.state is State.RUNNING else None

  @property
  def is_resting(self) -> bool:
    return self.state in (State.DONE, State.FAILED, State.ENDED)

  def wait(self) -> None:
    """Returns when it does not run any more."""
    while self.state is State.RUNNING and self.process.poll() is None:
      time.sleep(0.02)


class Supervisor:
  """Keeps children running. Time is an argument everywhere: seconds, on any one clock."""

  def __init__(self, report: Callable[[str], None], limits: Limits | None = None):
    """
    Args:
      report: gets a line for people whenever a process dies, restarts or fails.
      limits: when to restart and when to give up.
    """
    self._report = report
    self._limits = limits or Limits()
    self.children: list[Child] = []

  def poll(self, now: float) -> None:
    """Notices deaths, starts what is due, kills what did not end in time. Never waits."""
    for one in self.children:
      if one.state is State.RUNNING:
        exit_code = one.process.poll()
        if exit_code is not None:
          self._on_exit(one, exit_code, now)
        elif one.kill_at is not None and now >= one.kill_at:
          self._report(f"{one.name} (pid {one.pid}) did not end in time: killed")
          one.kill_at = float("inf")
          _signal_group(one.pid, signal.SIGKILL)
      if one.state is State.PENDING and now >= one.start_at and one.starter.ready():
        self._start(one, now)

  def end(self, children: list[Child], now: float, limit_secs: float) -> None:
    """Asks children to end (SIGTERM) and sees to it that they have within `limit_secs`."""
    for one in children:
      if one.state is State.PENDING:
        one.state = State.ENDED
      elif one.state is State.RUNNING and one.kill_at is None:
        one.is_restart_wanted = False
        one.kill_at = now + limit_secs
        os.kill(one.pid, signal.SIGTERM)

  def restart(self, one: Child, now: float, limit_secs: float) -> None:
    """Ends a running child in order and starts it anew; not counted as a death."""
    if one.state is State.RUNNING and not one.is_restart_wanted:
      self.end([one], now, limit_secs)
      one.is_restart_wanted = True

  def kill_all(self) -> None:
    """Kills everything that runs, at once."""
    for one in self.children:
      if one.state is State.RUNNING:
        one.is_restart_wanted = False
        one.kill_at = float("inf")
        _signal_group(one.pid, signal.SIGKILL)
      elif one.state is State.PENDING:
        one.state = State.ENDED

  def _start(self, one, now):
    try:
      one.process = one.starter.start(one.prepare(now))
    except ConnectionError:
      return  # The fork server died between `ready` and `start`; `ready` starts a new one.
    one.state = State.RUNNING
    one.started_at = now
    one.kill_at = None
    one.is_restart_wanted = False

  def _on_exit(self, one, exit_code, now):
    _signal_group(one.pid, signal.SIGKILL)  # What it has started and left behind.
    one.exit_code = exit_code
    if one.is_restart_wanted:
      one.state, one.start_at = State.PENDING, now
    elif one.kill_at is not None:
      one.state = State.ENDED
    elif exit_code == 0 and one.is_done():
      one.state = State.DONE
      self._report(f"{one.name} is done")
    elif exit_code in (EXIT_CONFIGURATION, EXIT_FAILED):
      self._fail(one, one.explain(exit_code))
    else:
      self._restart_later(one, exit_code, now)

  def _restart_later(self, one, exit_code, now):
    progress = one.progress()
    if progress > one.best_progress:
      one.best_progress = progress
      while one.recent_deaths and one.recent_deaths[0] < now - 60.0:
        one.recent_deaths.popleft()
    one.recent_deaths.append(now)
    num_deaths = len(one.recent_deaths)
    what = f"{one.name} (pid {one.process.pid}) died of {describe_exit(exit_code)}"
    if num_deaths > self._limits.restarts_per_minute:
      self._fail(one, f"{what} after {num_deaths - 1} restarts. {one.explain(exit_code)}")
      return
    pause = min(self._limits.backoff_secs * 2 ** (num_deaths - 1), self._limits.max_backoff_secs)
    one.state, one.start_at = State.PENDING, now + pause
    one.restarts += 1
    self._report(f"{what}; restart {one.restarts} in {pause:g} s")

  def _fail(self, one, message):
    one.state, one.message = State.FAILED, message
    self._report(f"{one.name} failed: {message}")


def describe_exit(exit_code: int) -> str:
  """An exit code in words: "signal 9 (SIGKILL)" or "exit code 1"."""
  if exit_code >= 0:
    return f"exit code {exit_code}"
  try:
    return f"signal {-exit_code} ({signal.Signals(-exit_code).name})"
  except ValueError:
    return f"signal {-exit_code}"


def _signal_group(pid, number):
  # A child leads a session and a process group of its own; the group may be gone already.
  with contextlib.suppress(ProcessLookupError):
    os.killpg(pid, number)
