"""Ends what a launcher that was killed left behind in a work folder."""

import os
import signal
import time
from collections.abc import Callable

from tf_taskology.training import commands, locks

_SAVE_SECS = 120.0
_DIE_SECS = 5.0


def end(lines: commands.Commands, say: Callable[[str], None], pause: Callable[[], None]) -> None:
  """Ends trainers, which save first, and model servers that still hold their locks.

  Args:
    lines: knows the locks.
    say: told whom this ends.
    pause: called while it waits; what it raises ends the wait.

  Raises:
    locks.HeldError: if the holder is on another machine, or does not die.
  """
  for name in lines.trainers:
    end_holder(lines.trainer_lock(name), f"{name} trainer", say, pause)
  for name in lines.servers:
    end_holder(lines.server_lock(name), f"{name} server", say, pause)


def end_holder(
  lock_path: str, what: str, say: Callable[[str], None], pause: Callable[[], None]
) -> None:
  """Ends the process that holds a lock, in order if it will; nothing if nobody holds it.

  Raises:
    locks.HeldError: if the holder is on another machine, or does not die.
  """
  holder = locks.holder(lock_path)
  if holder is None:
    return
  if not holder.is_local:
    raise locks.HeldError(lock_path, holder)
  say(f"{what} ({holder}) of an earlier launcher still runs: ending it")
  for number, limit_secs in ((signal.SIGTERM, _SAVE_SECS), (signal.SIGKILL, _DIE_SECS)):
    deadline = time.monotonic() + limit_secs
    while locks.holder(lock_path) == holder:
      if number is not None:
        try:
          os.kill(holder.pid, number)
        except ProcessLookupError:
          break
        number = None
      if time.monotonic() > deadline:
        break
      pause()
  if locks.holder(lock_path) is not None:
    raise locks.HeldError(lock_path, holder)
