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

_QUIET_SECONDS = 5.0  # without a request, before memory is returned
_CPUS_PER_ARENA = 4  # with one arena for two, six threads' runs are as quick as with sixteen
_KEPT = 512 << 20  # bytes at the heap's end that are kept for the next request
_MAPPED = 32 << 20  # from this size on, allocations are mapped by themselves; glibc takes no more
# malloc.h: option, and the variable by which a user sets it.
_M_TRIM_THRESHOLD = (-1, "MALLOC_TRIM_THRESHOLD_")
_M_MMAP_THRESHOLD = (-3, "MALLOC_MMAP_THRESHOLD_")
_M_ARENA_MAX = (-8, "MALLOC_ARENA_MAX")


def prepare() -> None:
  """Makes TensorFlow and gRPC give back what they free; to be called before either does anything.

  TensorFlow's oneDNN allocator keeps whatever it ever had; the system's gives the memory of a dropped
  version back, and costs at most 3 % of a convolutional network's time. Of the system's arenas there
  are eight for each processor: each one keeps pieces of gRPC's large messages, 100 MB in all. Left to
  itself, though, it gives the heap's end back in the midst of a run, and the next run pays for fresh
  pages, up to 4 ms of a 55 ms run: what runs use stays until there is quiet.
  """
  os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
  set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc only
  if set_option is None:
    return
  arenas = max((os.cpu_count() or 1) // _CPUS_PER_ARENA, 1)
  for (option, variable), value in (
    (_M_ARENA_MAX, arenas),
    (_M_TRIM_THRESHOLD, _KEPT),
    (_M_MMAP_THRESHOLD, _MAPPED),
  ):
    if variable not in os.environ:
      set_option(option, value)


def return_now() -> None:
  """Returns what the allocator can."""
  gc.collect()
  trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
  if trim is not None:
    trim(0)


def return_later() -> None:
  """Returns memory some seconds after the last request; to be called at each request's end."""
  _returning().request()


class _Returning:
  """A thread that waits for quiet after requests."""

  def __init__(self):
    self._last = 0.0
    self._wake = threading.Event()
    threading.Thread(target=self._run, name="return-memory", daemon=True).start()

  def request(self) -> None:
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
