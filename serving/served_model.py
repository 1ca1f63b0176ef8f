"""Follows one model's base path: loads what appears, drops what it replaces, retries what fails."""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from serving import configs, errors, saved_model, servable, version_source

_log = logging.getLogger("serving")

# States of a version, by their numbers in GetModelStatusResponse.
LOADING = 20
AVAILABLE = 30
UNLOADING = 40
END = 50

_FIRST_RETRY_SECONDS = 1.0
_MOST_LISTED = 1000  # a training run of weeks publishes thousands of versions


@dataclasses.dataclass(frozen=True)
class Following:
  """How to follow a base path.

  Attributes:
    poll_seconds: between two looks; 0 looks once, less never (as TensorFlow Serving's flag).
    max_retries: how often a failed load is repeated while the version's files stay as they are; it
      is repeated at once when they change.
    longest_wait: seconds; waits between retries double from one second up to this.
  """

  poll_seconds: float = 1.0
  max_retries: int = 5
  longest_wait: float = 60.0


@dataclasses.dataclass
class VersionStatus:
  """What GetModelStatus tells of a version."""

  version: int
  state: int
  error: errors.StatusError | None = None


@dataclasses.dataclass
class _Failure:
  """Why and when a version's load failed, and when it is due again (infinity: once files change)."""

  error: errors.StatusError
  files: tuple
  attempts: int
  due: float


class ServedModel:
  """One configured model and its loaded versions.

  A thread of its own follows the base path, so that a slow or broken model holds up no other. A new
  version is loaded, warm-up included, before the one it replaces is dropped. A version that cannot be
  loaded never displaces one that serves: the next best on disk is served meanwhile.

  Attributes:
    config: name, path, policy and labels.
    settled: set once a version is available, or all that exist have failed for good.
  """

  def __init__(
    self,
    config: configs.ModelConfig,
    load: Callable[[str], saved_model.SavedModel],
    following: Following,
  ):
    """Starts nothing yet.

    Args:
      config: name, path, policy and labels.
      load: loads and warms up the version in a folder; raises errors.StatusError.
      following: how to follow the base path.
    """
    self.config = config
    self.settled = threading.Event()
    self._load_folder = load
    self._following = following
    self._lock = threading.Lock()  # guards the next two, which requests read
    self._available: dict[int, servable.Servable] = {}
    self._statuses: dict[int, VersionStatus] = {}
    self._failures: dict[int, _Failure] = {}
    self._last_view = ""
    self._stopping = threading.Event()
    self._thread = threading.Thread(target=self._follow, name=f"model-{config.name}", daemon=True)

  def start(self) -> None:
    """Begins to follow the base path."""
    self._thread.start()

  def stop(self, timeout: float) -> bool:
    """Stops following; returns whether the thread ended in time (a load cannot be interrupted)."""
    self._stopping.set()
    self._thread.join(timeout)
    return not self._thread.is_alive()

  def acquire(self, version: int | None) -> servable.Servable | None:
    """The available version of that number, or the highest; the caller must release it."""
    with self._lock:
      if version is None:
        version = max(self._available, default=None)
      found = self._available.get(version)
      if found is not None:
        found.acquire()
      return found

  def statuses(self) -> list[VersionStatus]:
    """All versions that were ever loaded or tried, the highest first."""
    with self._lock:
      statuses = [dataclasses.replace(status) for status in self._statuses.values()]
    return sorted(statuses, key=lambda status: status.version, reverse=True)

  def failures(self) -> dict[int, errors.StatusError]:
    """Version to why it could not be loaded."""
    return {status.version: status.error for status in self.statuses() if status.error is not None}

  def _follow(self) -> None:
    polls = self._following.poll_seconds
    versions = self._scan() if polls >= 0 else None
    while True:
      if versions is not None:
        self._reconcile(versions)
      if self._stopping.wait(polls if polls > 0 else self._seconds_to_retry()):
        return
      if polls > 0:
        versions = self._scan()

  def _scan(self) -> dict[int, str] | None:
    """What is on disk; says so when there is nothing."""
    path = self.config.base_path
    versions = version_source.scan(path)
    if versions is None:
      self._log_once(f"base path {path} does not exist or cannot be read; waiting for it")
    elif not self.config.policy.candidates(versions):
      self._log_once(f"no version to serve under {path}; waiting for one")
    else:
      self._log_once("")
    return versions

  def _log_once(self, view: str) -> None:
    if view and view != self._last_view:
      _log.warning("%s: %s", self.config.name, view)
    self._last_view = view

  def _seconds_to_retry(self) -> float | None:
    due = min((failure.due for failure in self._failures.values()), default=float("inf"))
    return None if due == float("inf") else max(due - time.monotonic(), 0.0)

  def _reconcile(self, versions: dict[int, str]) -> None:
    """Makes what is loaded agree with what is on disk."""
    for gone in self._failures.keys() - versions.keys():
      del self._failures[gone]
    candidates = self.config.policy.candidates(versions)
    serving = []
    for version in candidates:
      if len(serving) == self.config.policy.num_latest or self._stopping.is_set():
        break
      if version in self._available or self._try(version, versions[version]):
        serving.append(version)
    if self._stopping.is_set():
      return
    if serving or not candidates:
      for version in sorted(self._available.keys() - set(serving), reverse=True):
        self._drop(version)
    lost = [version for version in candidates if self._is_lost(version)]
    if serving or (candidates and lost == candidates):
      self.settled.set()

  def _is_lost(self, version: int) -> bool:
    failure = self._failures.get(version)
    return failure is not None and failure.due == float("inf")

  def _try(self, version: int, path: str) -> bool:
    """Loads a version unless it failed before and is not due yet; returns whether it is available."""
    files = version_source.fingerprint(path)
    failure = self._failures.get(version)
    changed = failure is None or failure.files != files
    if not changed and failure.due > time.monotonic():
      return False
    try:
      self._load(version, path)
    except errors.StatusError as error:
      self._note_failure(version, error, files, 1 if changed else failure.attempts + 1)
      return False
    self._failures.pop(version, None)
    return True

  def _load(self, version: int, path: str) -> None:
    version_source.check_complete(path)
    self._set_status(version, LOADING)
    begin = time.monotonic()
    try:
      model = self._load_folder(path)
    except errors.StatusError:
      raise
    except Exception as error:  # one model's trouble, whatever it is, must not end its following
      raise errors.StatusError("UNKNOWN", f"{type(error).__name__}: {error}") from error
    loaded = servable.Servable(self.config.name, version, model)
    with self._lock:
      self._available[version] = loaded
    self._set_status(version, AVAILABLE)
    seconds = time.monotonic() - begin
    _log.info("%s: version %d available, loaded in %.2f s", self.config.name, version, seconds)

  def _note_failure(
    self, version: int, error: errors.StatusError, files: tuple, attempts: int
  ) -> None:
    last = self._failures.get(version)
    wait = min(_FIRST_RETRY_SECONDS * 2 ** (attempts - 1), self._following.longest_wait)
    is_last = attempts > self._following.max_retries
    due = float("inf") if is_last else time.monotonic() + wait
    self._failures[version] = _Failure(error, files, attempts, due)
    self._set_status(version, END, error)
    if last is None or str(last.error) != str(error) or is_last:
      plan = "when its files change" if is_last else f"in {wait:g} s and when its files change"
      _log.error(
        "%s: version %d failed to load, next try %s: %s", self.config.name, version, plan, error
      )

  def _drop(self, version: int) -> None:
    with self._lock:
      dropped = self._available.pop(version)
    self._set_status(version, UNLOADING)

    def closed() -> None:
      self._set_status(version, END)
      _log.info("%s: version %d dropped", self.config.name, version)

    dropped.retire(closed)

  def _set_status(self, version: int, state: int, error: errors.StatusError | None = None) -> None:
    with self._lock:
      self._statuses[version] = VersionStatus(version, state, error)
      ended = [v for v, status in self._statuses.items() if status.state == END]
      for old in sorted(ended)[: max(len(self._statuses) - _MOST_LISTED, 0)]:
        del self._statuses[old]
