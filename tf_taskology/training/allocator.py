"""How the C library's allocator treats the memory of large messages. Imports nothing heavy."""

import ctypes
import os

# malloc.h: option, the variable by which a user sets it, bytes.
_M_TRIM_THRESHOLD = (-1, "MALLOC_TRIM_THRESHOLD_", 64 << 20)
_M_MMAP_THRESHOLD = (-3, "MALLOC_MMAP_THRESHOLD_", 32 << 20)  # glibc takes no more


def keep_freed_memory() -> None:
  """Keeps what one message freed for the next one.

  glibc begins with allocations of 128 KiB and more mapped by themselves and gives them back when they are freed: each
  answer of a model server then costs fresh pages, 0.8 ms of CPU for one of 1 MB, as much as all the rest of a client's
  call. Once it has seen a block of 32 MB freed it keeps up to 64 MB; this is that state from the beginning.
  """
  set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc only
  if set_option is None:
    return
  for option, variable, size in (_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD):
    if variable not in os.environ:
      set_option(option, size)
