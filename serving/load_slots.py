"""Lets only so many models load at a time."""

import contextlib
import threading
from collections.abc import Iterator

from serving import errors

_LOOK_SECONDS = 0.1


class LoadSlots:
  """As many loads at a time as a server allows; 0 for no limit."""

  def __init__(self, number: int):
    self._slots = threading.Semaphore(number) if number > 0 else None

  @contextlib.contextmanager
  def held(self, stopping: threading.Event) -> Iterator[None]:
    """A `with` block that begins when it is the caller's turn.

    Raises:
      errors.StatusError: CANCELLED if the server stops before.
    """
    if self._slots is None:
      yield
      return
    while not self._slots.acquire(timeout=_LOOK_SECONDS):
      if stopping.is_set():
        raise errors.StatusError("CANCELLED", "The server stops")
    try:
      yield
    finally:
      self._slots.release()
