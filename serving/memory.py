"""Hands memory that was freed back to the operating system.

The C library's allocator keeps freed memory for the next request, which is right between two requests
of the same size and wrong after the last large one. The allocator is the process's, and so is this.
"""

import ctypes
import functools
import gc
import os
import threading
import time

_LARGE = 4 << 20  # bytes of request and answer that may leave something worth returning
_QUIET_SECONDS = 5.0  # without a large request, before memory is returned
_M_ARENA_MAX = -8  # malloc.h
_CPUS_PER_ARENA = 4  # with one arena for two, six threads' runs are as quick as with sixteen


def prepare() -> None:
  """Makes TensorFlow and gRPC give back what they free; to be called before either does anything.

  TensorFlow's oneDNN allocator keeps whatever it ever had; the system's gives the memory of a dropped
  version back, and costs at most 3 % of a convolutional network's time. Of the system's arenas there
  are eight for each processor: each one keeps pieces of gRPC's large messages, 100 MB in all.
  """
  os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
  set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc only
  if set_option is not None and "MALLOC_ARENA_MAX" not in os.environ:
    set_option(_M_ARENA_MAX, max((os.cpu_count() or 1) // _CPUS_PER_ARENA, 1))


def return_now() -> None:
  """Returns what the allocator can."""
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
