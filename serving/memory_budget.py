"""A limit on memory that many requests share."""

import contextlib
import threading
import time
from collections.abc import Iterator


class MemoryBudget:
  """Bytes that may be in use at once; who wants more than is left waits.

  Attributes:
    limit: all bytes there are.
  """

  def __init__(self, limit: int):
    self.limit = limit
    self._used = 0
    self._changed = threading.Condition()

  @contextlib.contextmanager
  def held(self, size: int, timeout: float | None) -> Iterator[bool]:
    """Takes bytes for a `with` block.

    Args:
      size: how many.
      timeout: seconds to wait for them; None waits for ever.

    Yields:
      Whether it got them: not if there never are so many, or in time.
    """
    got = self._take(size, timeout)
    try:
      yield got
    finally:
      if got:
        self._give_back(size)

  def _take(self, size: int, timeout: float | None) -> bool:
    if size > self.limit:
      return False
    end = None if timeout is None else time.monotonic() + timeout
    with self._changed:
      while self._used + size > self.limit:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
          return False
        self._changed.wait(left)
      self._used += size
      return True

  def _give_back(self, size: int) -> None:
    with self._changed:
      self._used -= size
      self._changed.notify_all()
