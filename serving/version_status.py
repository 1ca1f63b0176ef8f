"""The states of a model's versions, as GetModelStatus tells them."""

import dataclasses
import threading

from serving import errors

# Numbers of GetModelStatusResponse.
START = 10
LOADING = 20
AVAILABLE = 30
UNLOADING = 40
END = 50

_MOST_LISTED = 1000  # a training run of weeks publishes thousands of versions


@dataclasses.dataclass
class VersionStatus:
  """What GetModelStatus tells of a version.

  Attributes:
    version: its number.
    state: one of the numbers above.
    error: why it could not be loaded; None for versions in order.
  """

  version: int
  state: int
  error: errors.StatusError | None = None


class StatusBook:
  """The statuses of one model's versions; every method may be called from any thread.

  Versions that ended stay listed; the lowest of them are forgotten when there are over a thousand.
  """

  def __init__(self):
    self._lock = threading.Lock()
    self._statuses: dict[int, VersionStatus] = {}

  def put(self, version: int, state: int, error: errors.StatusError | None = None) -> None:
    """Notes a version's state."""
    with self._lock:
      self._statuses[version] = VersionStatus(version, state, error)
      ended = [v for v, status in self._statuses.items() if status.state == END]
      for old in sorted(ended)[: max(len(self._statuses) - _MOST_LISTED, 0)]:
        del self._statuses[old]

  def end_unloading(self, version: int) -> None:
    """Notes that a version is unloaded, unless it was taken up again meanwhile."""
    with self._lock:
      status = self._statuses.get(version)
      if status is not None and status.state == UNLOADING:
        self._statuses[version] = VersionStatus(version, END)

  def forget_waiting(self) -> None:
    """Takes versions off the list whose load has not begun."""
    with self._lock:
      for version in [v for v, status in self._statuses.items() if status.state == START]:
        del self._statuses[version]

  def state(self, version: int) -> int | None:
    """A version's state; None if it is not listed."""
    with self._lock:
      status = self._statuses.get(version)
      return status.state if status is not None else None

  def listed(self) -> list[VersionStatus]:
    """All versions, the highest first."""
    with self._lock:
      statuses = [dataclasses.replace(status) for status in self._statuses.values()]
    return sorted(statuses, key=lambda status: status.version, reverse=True)
