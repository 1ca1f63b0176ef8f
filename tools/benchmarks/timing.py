"""How long a function takes."""

import time
from collections.abc import Callable


def milliseconds(function: Callable[[], object], rounds: int) -> list[float]:
  """What each of some calls took, after one that is not counted."""
  function()
  found = []
  for _ in range(rounds):
    started = time.perf_counter()
    function()
    found.append(1000 * (time.perf_counter() - started))
  return found
