"""A loaded version that requests hold on to while they use it."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from serving import memory, saved_model


class Servable:
  """A SavedModel that is closed once it is retired and the last request has let go of it.

  Attributes:
    name: of the model.
    version: its number.
    model: what to run.
  """

  def __init__(self, name: str, version: int, model: saved_model.SavedModel):
    self.name = name
    self.version = version
    self.model = model
    self._lock = threading.Lock()
    self._users = 0
    self._on_closed: Callable[[], None] | None = None

  def acquire(self) -> None:
    """Announces a user; only valid before `retire`."""
    with self._lock:
      self._users += 1

  def release(self) -> None:
    """Ends what `acquire` began."""
    with self._lock:
      self._users -= 1
      last = self._users == 0 and self._on_closed is not None
    if last:
      self._close()

  @contextlib.contextmanager
  def released_after(self) -> Iterator["Servable"]:
    """A `with` block at the end of which an acquired servable is released."""
    try:
      yield self
    finally:
      self.release()

  def retire(self, on_closed: Callable[[], None]) -> None:
    """Closes the model as soon as nobody uses it; nobody may acquire it any more.

    Args:
      on_closed: called after that, perhaps from the thread of the last user.
    """
    with self._lock:
      self._on_closed = on_closed
      unused = self._users == 0
    if unused:
      self._close()

  def _close(self) -> None:
    self.model.close()
    self.model = None
    memory.return_now()
    self._on_closed()
