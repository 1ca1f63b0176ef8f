"""How far a program has come, on a terminal and in a log."""

import time
from collections.abc import Callable
from typing import TextIO

from tf_taskology.training import live_table

_TERMINAL_SECS, _LOG_SECS = 0.2, 10.0


class Progress:
  """Prints done, rate and time left: one line that changes on a terminal, else a line every ten seconds.

  Args:
    total: things to do.
    unit: what they are, e.g. "images".
    output: where to print.
    clock: seconds, any origin.
  """

  def __init__(
    self, total: int, unit: str, output: TextIO, clock: Callable[[], float] = time.monotonic
  ):
    self._total = total
    self._unit = unit
    self._output = output
    self._clock = clock
    self._is_terminal = output.isatty()
    self._begin = self._shown = clock()
    self._started_at = 0

  def update(self, done: int, note: str = "") -> None:
    """Prints if it is time to.

    Args:
      done: so many are done.
      note: what else to say.
    """
    now = self._clock()
    if now - self._shown >= (_TERMINAL_SECS if self._is_terminal else _LOG_SECS):
      self._shown = now
      self._print(done, now, note)

  def end(self, done: int, note: str = "") -> None:
    """Prints the last line."""
    self._print(done, self._clock(), note)
    if self._is_terminal:
      print(file=self._output)

  def _print(self, done, now, note):
    elapsed = now - self._begin
    rate = done / elapsed if elapsed > 0 else 0.0
    words = [f"{done}/{self._total} {self._unit}", f"{rate:.1f}/s"]
    if done < self._total:
      words.append(f"ETA {live_table.duration((self._total - done) / rate) if rate else 'unknown'}")
    else:
      words.append(f"in {live_table.duration(elapsed)}")
    line = " | ".join([*words, note] if note else words)
    if self._is_terminal:
      print(f"\r{line}\x1b[K", end="", file=self._output, flush=True)
    else:
      print(line, file=self._output, flush=True)
