"""A process of the collective, from the inside: what it does between its start and its program.

It leaves the launcher's terminal, writes to its own log, takes its lock, and, if it serves trainers,
ends by itself once nobody is left to serve. Then it runs its program: a Python module, or an external
binary. Only the standard library is imported here, for a model server starts through this file.
"""

import ctypes
import dataclasses
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

from tf_taskology.training import locks

_GUARD_INTERVAL_SECS = 0.5
_END_LIMIT_SECS = 10.0
_PR_SET_NAME = 15
_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True)
class Spec:
  """What to run, and how.

  Attributes:
    name: for people; the log is named after it.
    log_path: file that standard output and error are appended to.
    module: Python module to run as `python -m` would; empty if `binary` is set.
    binary: external program; empty if `module` is set.
    arguments: its command line after the program's name.
    environment: environment variables to set.
    lock_path: lock file to hold; empty for a program that takes its own.
    serves: lock files of the processes served. If set, the process ends when nobody has held any of
      them for `patience_secs`: so a launcher that is killed leaves nothing behind.
    patience_secs: see `serves`.
    nice: by how much its priority is lowered, 0 to 19.
  """

  name: str
  log_path: str
  module: str = ""
  binary: str = ""
  arguments: tuple[str, ...] = ()
  environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
  lock_path: str = ""
  serves: tuple[str, ...] = ()
  patience_secs: float = 20.0
  nice: int = 0

  def __post_init__(self):
    if bool(self.module) == bool(self.binary):
      raise ValueError(
        f"Process {self.name!r} must have one of `module` and `binary`."
        f" Received: module={self.module!r}, binary={self.binary!r}."
      )

  def to_json(self) -> str:
    return json.dumps(dataclasses.asdict(self))

  @classmethod
  def from_json(cls, text: str) -> "Spec":
    fields = json.loads(text)
    for name in ("arguments", "serves"):
      fields[name] = tuple(fields[name])
    return cls(**fields)


def run(spec: Spec) -> None:
  """Becomes the process of `spec`; returns or raises as its program does."""
  redirect_output(spec.log_path)
  os.environ.update(spec.environment)
  os.nice(spec.nice)
  _set_process_name(spec.name)
  # Held in a name until the program ends: the lock lives as long as its object.
  lock = locks.Lock(spec.lock_path) if spec.lock_path else None
  if spec.serves:
    threading.Thread(target=_end_when_unneeded, args=(spec,), daemon=True).start()
  try:
    if spec.module:
      sys.argv = [spec.module, *spec.arguments]
      runpy.run_module(spec.module, run_name="__main__", alter_sys=True)
    else:
      sys.exit(_run_binary([spec.binary, *spec.arguments]))
  finally:
    if lock:
      lock.release()


def redirect_output(log_path: str) -> None:
  """Appends standard output and error to `log_path`, line by line; standard input is empty."""
  os.makedirs(os.path.dirname(log_path), exist_ok=True)
  log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
  null = os.open(os.devnull, os.O_RDONLY)
  sys.stdout.flush()
  sys.stderr.flush()
  for source, target in ((null, 0), (log, 1), (log, 2)):
    os.dup2(source, target)
  os.close(log)
  os.close(null)
  sys.stdout.reconfigure(line_buffering=True)
  sys.stderr.reconfigure(line_buffering=True)


def _run_binary(command) -> int:
  # SIGTERM reaches the binary; and it dies with this process, even when that is killed.
  process = subprocess.Popen(command, preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
  signal.signal(signal.SIGTERM, lambda *_: process.terminate())
  code = process.wait()
  return 128 - code if code < 0 else code


def _end_when_unneeded(spec) -> None:
  unneeded_since = None
  while unneeded_since is None or time.monotonic() - unneeded_since < spec.patience_secs:
    time.sleep(_GUARD_INTERVAL_SECS)
    if any(locks.holder(path) for path in spec.serves):
      unneeded_since = None
    elif unneeded_since is None:
      unneeded_since = time.monotonic()
  print("The launcher and all trainers are gone: this model server ends.", flush=True)
  os.kill(os.getpid(), signal.SIGTERM)
  time.sleep(_END_LIMIT_SECS)
  os.kill(os.getpid(), signal.SIGKILL)


def _set_process_name(name) -> None:
  """Sets the name that `top` and `ps -o comm` show (15 characters)."""
  _prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.replace(" ", "-").encode()[:15]))


def _prctl(option, argument) -> None:
  if sys.platform == "linux":
    ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)


if __name__ == "__main__":
  run(Spec.from_json(sys.argv[1]))
