"""The processes of one collective, kept running: trainers and model servers, and how they depend."""

import dataclasses
import functools
import math
import os
import signal
import time
from collections.abc import Callable

import psutil

from tf_taskology.training import (
  commands,
  live_table,
  locks,
  served_versions,
  status as status_lib,
  supervision,
)

# A trainer saves and publishes when it is told to end.
_TRAINER_END_SECS = 120.0
_SERVER_END_SECS = 15.0
# A server that ran so long has got somewhere.
_SERVER_PROGRESS_SECS = 60.0
_ERROR = "Error: "  # How programs begin the sentence that they end with.


class Processes:
  """Starts and keeps a collective's processes. Model servers outlive the trainers that ask them."""

  def __init__(
    self,
    lines: commands.Commands,
    starter: supervision.Starter,
    say: Callable[[str], None],
    limits: supervision.Limits | None = None,
  ):
    """
    Args:
      lines: makes the command lines.
      starter: starts trainers. Model servers are always new interpreters: they import little.
      say: gets lines for people.
      limits: when to restart and when to give up.
    """
    self._lines, self._say = lines, say
    self._supervisor = supervision.Supervisor(say, limits)
    self._log_starts: dict[str, int] = {}
    self._servers = {
      name: self._child(f"{name} server", supervision.Subprocesses(), name, is_server=True)
      for name in lines.servers
    }
    self._trainers = {
      name: self._child(f"{name} trainer", starter, name) for name in lines.trainers
    }
    self._versions = served_versions.ServedVersions(lines.addresses)
    if self._servers:
      self._versions.start()

  def poll(self, now: float) -> None:
    """Notices deaths, restarts, and ends model servers that nobody needs any more."""
    self._supervisor.poll(now)
    if all(one.is_resting for one in self._trainers.values()):
      self._supervisor.end(list(self._servers.values()), now, _SERVER_END_SECS)

  @property
  def is_over(self) -> bool:
    """Whether nothing runs and nothing will."""
    return all(one.is_resting for one in self._supervisor.children)

  @property
  def all_done(self) -> bool:
    """Whether every trainer has done its work."""
    return all(one.state is supervision.State.DONE for one in self._trainers.values())

  def failed(self) -> supervision.Child | None:
    """The first process that has failed for good."""
    states = (one for one in self._supervisor.children if one.state is supervision.State.FAILED)
    return next(states, None)

  def end(self, now: float) -> None:
    """Asks the trainers to save and end; the model servers follow when they have."""
    self._supervisor.end(list(self._trainers.values()), now, _TRAINER_END_SECS)

  def kill_all(self) -> None:
    """Kills everything at once."""
    self._supervisor.kill_all()

  def close(self) -> None:
    """Kills what still runs and waits for it."""
    self._supervisor.kill_all()
    for one in self._supervisor.children:
      one.wait()
    self._versions.stop()

  def statuses(self) -> dict[str, status_lib.Status | None]:
    """Trainer -> what it wrote last."""
    return {name: status_lib.read(self._lines.module_dir(name)) for name in self._trainers}

  def restarts(self) -> dict[str, int]:
    """Process -> how often it was restarted."""
    return {one.name: one.restarts for one in self._supervisor.children}

  def views(self, now: float) -> list[live_table.ModuleView]:
    """What the live table shows of each trainer and its model server."""
    statuses = self.statuses()
    return [self._view(name, one, statuses[name], now) for name, one in self._trainers.items()]

  def _view(self, name, trainer, status, now):
    own_status = status if status and status.pid == trainer.pid else None
    state = live_table.trainer_state(_process_state(trainer, now), own_status, now)
    server_view = None
    if name in self._servers:
      server = self._servers[name]
      server_state = _process_state(server, now)
      server_view = live_table.ServerView(
        self._lines.ports[name],
        "up" if server_state == "running" else server_state,
        self._versions.get(name),
        server.restarts,
      )
    if status and not own_status:
      status = dataclasses.replace(status, message="")  # Another process said that.
    return live_table.ModuleView(name, state, status, trainer.restarts, server_view)

  def _child(self, process_name, starter, module, is_server=False):
    prepare = self._prepare_server if is_server else self._prepare_trainer
    progress = self._server_progress if is_server else self._trainer_progress
    one = supervision.Child(
      name=process_name,
      starter=starter,
      prepare=functools.partial(prepare, module),
      progress=functools.partial(progress, module),
      explain=functools.partial(self._last_words, process_name),
      is_done=(lambda: False) if is_server else functools.partial(self._is_done, module),
    )
    self._supervisor.children.append(one)
    return one

  def _prepare_trainer(self, name, now):
    del now  # Part of the interface.
    holder = locks.holder(self._lines.trainer_lock(name))
    if holder and holder.is_local and _is_own_child(holder.pid):
      # The fork server was killed after it had forked and before it said so.
      os.kill(holder.pid, signal.SIGKILL)
    return self._note_log(self._lines.trainer(name))

  def _prepare_server(self, name, now):
    if self._lines.move_server_if_port_is_taken(name):
      self._say(f"{name} server: its port was taken, it moves to port {self._lines.ports[name]}")
      for asker in self._lines.asking(name):
        # Its command line names the port.
        self._supervisor.restart(self._trainers[asker], now, _TRAINER_END_SECS)
    return self._note_log(self._lines.server(name))

  def _note_log(self, spec):
    exists = os.path.exists(spec.log_path)
    self._log_starts[spec.log_path] = os.path.getsize(spec.log_path) if exists else 0
    return spec

  def _trainer_progress(self, name):
    status = status_lib.read(self._lines.module_dir(name))
    return status.step if status else -1

  def _server_progress(self, name):
    server = self._servers[name]
    lived_secs = time.time() - server.started_at
    return server.started_at if lived_secs >= _SERVER_PROGRESS_SECS else float("-inf")

  def _is_done(self, name):
    status = status_lib.read(self._lines.module_dir(name))
    return status is not None and status.state == "done"

  def _last_words(self, process_name, exit_code):
    """The error in the process's log, or the log's end; of its last life only."""
    path = self._lines.log_path(process_name)
    with open(path, "rb") as file:
      file.seek(self._log_starts[path])
      text = file.read().decode(errors="replace")
    said = live_table.one_line(text).removeprefix(_ERROR)
    return f"{said or supervision.describe_exit(exit_code)} (log: {path})"


def _process_state(one, now):
  if one.state is supervision.State.RUNNING:
    return "running" if one.kill_at is None else "ending"
  if one.state is supervision.State.PENDING:
    return f"restart in {math.ceil(max(0.0, one.start_at - now))}s" if one.restarts else "starting"
  return one.state.value


def _is_own_child(pid):
  try:
    return psutil.Process(pid).ppid() == os.getpid()
  except psutil.NoSuchProcess:
    return False
