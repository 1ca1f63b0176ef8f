"""Hands memory that was freed back to the operating system.

The C library's allocator keeps freed memory for the next request, which is right between two requests
of the same size and wrong after the last large one. The allocator is the process's, and so is this.
"""

import ctypes
import functools
import gc
import threading
import time

_LARGE = 4 << 20  # bytes of request and answer that may leave something worth returning
_QUIET_SECONDS = 5.0  # without a large request, before memory is returned


def return_now() -> None:
  """Returns what the allocator can. The memory of a dropped version is among that, because of
  `TF_ONEDNN_USE_SYSTEM_ALLOCATOR`; see `tf_library.load`."""
  gc.collect()
  trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
  if trim is not None:
    trim(0)


def return_later(size: int) -> None:
  """Returns memory some seconds after the last large request.

  Args:
    size: bytes of a request and its answer.
  """
  if size >= _LARGE:
    _returning().large_request()


class _Returning:
  """A thread that waits for quiet after large requests."""

  def __init__(self):
    self._last = 0.0
    self._wake = threading.Event()
    threading.Thread(target=self._run, name="return-memory", daemon=True).start()

  def large_request(self) -> None:
    self._last = time.monotonic()
    self._wake.set()

  def _run(self) -> None:
    while True:
      self._wake.wait()
      while (rest := self._last + _QUIET_SECONDS - time.monotonic()) > 0:
        time.sleep(rest)
      self._wake.clear()
      return_now()


@functools.cache
def _returning() -> _Returning:
  return _Returning()
