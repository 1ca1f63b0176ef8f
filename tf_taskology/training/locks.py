"""Who works in a folder: lock files that the operating system lets go of when their holder dies.

`<work_dir>/lock` is held by the launcher, `<work_dir>/<module>/lock` by the module's trainer and
`<work_dir>/<module>/server_lock` by its model server, each for as long as the process lives.
"""

import dataclasses
import fcntl
import json
import os
import socket
import time

FILE_NAME = "lock"
SERVER_FILE_NAME = "server_lock"


@dataclasses.dataclass(frozen=True)
class Holder:
  """The process that holds a lock.

  Attributes:
    pid: its id, on its machine.
    host: its machine.
    started: when it started, as Linux counts: ids come again, and pairs of the two do not.
  """

  pid: int
  host: str
  started: str = ""

  @classmethod
  def myself(cls) -> "Holder":
    return cls(os.getpid(), socket.gethostname(), _start_time(os.getpid()))

  @property
  def is_gone(self) -> bool:
    """Whether it is known to have ended."""
    return self.is_local and self.started != _start_time(self.pid)

  @property
  def is_local(self) -> bool:
    return self.host == socket.gethostname()

  def __str__(self):
    return f"pid {self.pid}" if self.is_local else f"pid {self.pid} on {self.host}"


class HeldError(RuntimeError):
  """Another process holds the lock."""

  def __init__(self, path: str, holder: Holder):
    super().__init__(
      f"{os.path.dirname(path)} is in use by {holder}, which holds {os.path.basename(path)}."
      " End that process first, or use another work folder."
    )
    self.holder = holder


class Lock:
  """A held lock file. It ends with `release()` or with the process, however the process ends."""

  def __init__(self, path: str, timeout_secs: float = 2.0):
    """Takes the lock.

    Args:
      path: the lock file; its folder is made if need be.
      timeout_secs: how long to try. Not 0 by default, for whoever calls `holder()` touches the lock
        for an instant.

    Raises:
      HeldError: if another process still holds it after `timeout_secs`.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    self._file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 (open for the lock's life)
    deadline = time.monotonic() + timeout_secs
    while not _try_lock(self._file, fcntl.LOCK_EX):
      if time.monotonic() > deadline:
        self._file.close()
        raise HeldError(path, holder(path) or Holder(0, "an unknown machine"))
      time.sleep(0.05)
    self._file.truncate(0)
    json.dump(dataclasses.asdict(Holder.myself()), self._file)
    self._file.flush()

  def release(self) -> None:
    self._file.close()

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.release()


def holder(path: str, timeout_secs: float = 2.0) -> Holder | None:
  """Who holds the lock file; None if nobody does.

  Args:
    path: the lock file.
    timeout_secs: how long to wait for the holder to have written its name.
  """
  deadline = time.monotonic() + timeout_secs
  while True:
    try:
      file = open(path, encoding="utf-8")  # noqa: SIM115 (closed below)
    except FileNotFoundError:
      return None
    with file:
      if _try_lock(file, fcntl.LOCK_SH):
        return None
      text = file.read()
    # A new holder may not have written yet: then the file is empty, or it names one that was killed.
    found = Holder(**json.loads(text)) if text.endswith("}") else None
    if found and not found.is_gone:
      return found
    if time.monotonic() > deadline:
      return Holder(0, "an unknown machine")
    time.sleep(0.05)


def _start_time(pid) -> str:
  """Field 22 of /proc/<pid>/stat; empty for a process that is not there, or without /proc."""
  try:
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
      return file.read().rpartition(")")[2].split()[19]
  except (FileNotFoundError, ProcessLookupError):
    return ""


def _try_lock(file, kind) -> bool:
  try:
    fcntl.flock(file, kind | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  return True
