"""Ctrl-C while training is blocked inside TensorFlow.

Python runs signal handlers between two instructions of the main thread. While that thread waits in C++ for a batch that
waits for a peer, there is no next instruction, so Ctrl-C would do nothing for as long as the peer is dead.
"""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Sequence


@contextlib.contextmanager
def closing_on_signals(
  close: Callable[[], None], signals: Sequence[int] = (signal.SIGINT, signal.SIGTERM)
):
  """Calls `close` in another thread as soon as a signal arrives; the Python handlers run as ever after that.

  Signals without a Python handler (SIGTERM, unless the program sets one) still end the process at once. Handlers must
  not raise, as Python's own of SIGINT does: an exception that arrives while TensorFlow makes one of its own comes
  out as neither of the two. Let them set a flag, which the loop reads when it has ended.

  Args:
    close: what unblocks the main thread, for instance `PredictionStage.close`.
    signals: signal numbers.

  Raises:
    ValueError: not called in the main thread.
  """
  reader, writer = socket.socketpair()
  writer.setblocking(False)
  previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

  def watch():
    while received := reader.recv(64):
      if any(number in signals for number in received):
        close()

  watcher = threading.Thread(target=watch, name="interrupts", daemon=True)
  watcher.start()
  try:
    yield
  finally:
    signal.set_wakeup_fd(previous)
    writer.close()
    watcher.join()
    reader.close()
