"""Follows one model's base path: loads what appears, drops what it replaces, retries what fails."""

import enum
import logging
import threading
import time
from collections.abc import Callable, Sequence

from serving import (
  available_versions,
  configs,
  errors,
  load_failures,
  load_slots,
  metrics,
  saved_model,
  servable,
  version_source,
  version_status,
)

_log = logging.getLogger("serving")


class Outcome(enum.Enum):
  """What came of looking at a model's base path with its present configuration."""

  UNKNOWN = "not every version was tried yet"
  SERVING = "a version is available"
  EMPTY = "there is no version to serve"
  RETRYING = "all versions failed to load; they are tried again soon"
  FAILED = "all versions failed to load, and so did the retries"


class ServedModel:
  """One configured model and its loaded versions.

  A thread of its own follows the base path, so that a slow or broken model holds up no other. A new
  version is loaded, warm-up included, before the one it replaces is dropped. A version that cannot be
  loaded never displaces one that serves: the next best on disk is served meanwhile.

  Attributes:
    name: what requests call it.
    available: the versions that answer requests.
  """

  def __init__(
    self,
    name: str,
    load: Callable[[str], saved_model.SavedModel],
    following: load_failures.Following,
    slots: load_slots.LoadSlots,
    counted: metrics.Metrics,
  ):
    """Starts nothing yet: see `configure`.

    Args:
      name: what requests call it.
      load: loads and warms up the version in a folder; raises errors.StatusError.
      following: how to follow the base path.
      slots: one is held while loading.
      counted: where loads are counted.
    """
    self.name = name
    self.available = available_versions.AvailableVersions()
    self._load_folder = load
    self._following = following
    self._slots = slots
    self._metrics = counted
    self._book = version_status.StatusBook()
    self._failures = load_failures.LoadFailures(following)
    self._last_view = ""
    self._stopping = threading.Event()
    self._wake = threading.Event()
    self._lock = threading.Lock()  # guards the rest
    self._config: configs.ModelConfig | None = None
    self._thread: threading.Thread | None = None
    self._outcome = Outcome.UNKNOWN

  @property
  def config(self) -> configs.ModelConfig | None:
    """The present configuration; None once withdrawn."""
    return self._config

  @property
  def outcome(self) -> Outcome:
    """What came of the present configuration so far."""
    return self._outcome

  def configure(self, config: configs.ModelConfig) -> None:
    """Begins to follow a base path, or goes on with another configuration.

    Versions that serve go on until those that the new configuration asks for are available.
    """
    with self._lock:
      if config == self._config:
        return
      self._config = config
      self._outcome = Outcome.UNKNOWN
      self.available.set_labels(config.labels)
      if self._thread is None:
        self._thread = threading.Thread(target=self._follow, name=f"model-{self.name}", daemon=True)
        self._thread.start()
    self._wake.set()

  def withdraw(self) -> None:
    """Unloads all versions once their requests are answered, and follows the base path no more."""
    with self._lock:
      self._config = None
      self.available.set_labels({})
      self._outcome = Outcome.UNKNOWN
    self._wake.set()

  def stop(self, timeout: float) -> bool:
    """Stops following; returns whether the thread ended in time (a load cannot be interrupted)."""
    self._stopping.set()
    self._wake.set()
    thread = self._thread
    if thread is None:
      return True
    thread.join(timeout)
    return not thread.is_alive()

  def statuses(self) -> list[version_status.VersionStatus]:
    """All versions that were ever loaded or tried, the highest first."""
    return self._book.listed()

  def failures(self) -> dict[int, errors.StatusError]:
    """Version to why it could not be loaded."""
    return {status.version: status.error for status in self.statuses() if status.error is not None}

  def _follow(self) -> None:
    polls = self._following.poll_seconds
    seen, versions = None, None
    while True:
      self._wake.clear()
      config = self._config
      if self._stopping.is_set():
        return
      if config is None:
        self._drop_except(())
        self._forget_failures_except(())
        if self._ended():
          return
        continue
      if polls > 0 or (config is not seen and polls == 0):
        versions, seen = self._scan(config), config
      if versions is not None:
        self._reconcile(config, versions)
      elif polls >= 0:
        self._conclude(config, Outcome.SERVING if self.available else Outcome.EMPTY)
      self._wake.wait(polls if polls > 0 else self._failures.seconds_to_next())

  def _ended(self) -> bool:
    """Whether the thread ends, because nothing was configured meanwhile."""
    with self._lock:
      if self._config is None:
        self._thread = None
      return self._config is None

  def _scan(self, config: configs.ModelConfig) -> dict[int, str] | None:
    """What is on disk; says so when there is nothing."""
    versions = version_source.scan(config.base_path)
    view = ""
    if not versions:
      view = f"{version_source.why_empty(config.base_path)}; waiting for one"
    elif not config.policy.candidates(versions):
      view = (
        f"no version to serve under {config.base_path}; waiting for one of "
        f"{sorted(config.policy.specific)}"
      )
    if view and view != self._last_view:
      _log.warning("%s: %s", self.name, view)
    self._last_view = view
    return versions

  def _reconcile(self, config: configs.ModelConfig, versions: dict[int, str]) -> None:
    """Makes what is loaded agree with what is on disk."""
    candidates = config.policy.candidates(versions)
    for version in candidates[: config.policy.num_latest]:
      if version not in self.available and version not in self._failures:
        self._book.put(version, version_status.START)
    serving, tried = [], []
    for version in candidates:
      if len(serving) == config.policy.num_latest:
        break
      tried.append(version)
      if self.available.is_from(version, versions[version]) or self._try(
        version, versions[version]
      ):
        serving.append(version)
      if self._is_outdated(config):
        break
    self._book.forget_waiting()
    if self._is_outdated(config):
      return
    self._forget_failures_except(tried)
    if serving or not candidates:
      self._drop_except(serving or config.policy.awaited(versions, self.available.paths()))
    self._conclude(config, self._outcome_of(candidates))

  def _is_outdated(self, config: configs.ModelConfig) -> bool:
    return self._stopping.is_set() or self._config is not config

  def _outcome_of(self, candidates: Sequence[int]) -> Outcome:
    if self.available:
      return Outcome.SERVING
    if not candidates:
      return Outcome.EMPTY
    is_lost = self._failures.are_given_up(candidates)
    return Outcome.FAILED if is_lost else Outcome.RETRYING

  def _conclude(self, config: configs.ModelConfig, outcome: Outcome) -> None:
    with self._lock:
      if self._config is config:
        self._outcome = outcome

  def _try(self, version: int, path: str) -> bool:
    """Loads a version unless it failed before and is not due yet; returns whether it is available."""
    files = version_source.fingerprint(path)
    if not self._failures.is_due(version, files):
      return False
    try:
      self._load(version, path)
    except errors.StatusError as error:
      if not self._stopping.is_set():
        self._note_failure(version, error, files)
      return False
    self._failures.forget(version)
    return True

  def _load(self, version: int, path: str) -> None:
    with self._slots.held(self._stopping):
      begin = time.monotonic()
      try:
        version_source.check_complete(path)
        if version not in self.available:
          self._book.put(version, version_status.LOADING)
        model = self._load_folder(path)
      except errors.StatusError:
        raise
      except Exception as error:  # one model's trouble, whatever it is, must not end its following
        raise errors.StatusError("UNKNOWN", f"{type(error).__name__}: {error}") from error
    seconds = time.monotonic() - begin
    replaced = self.available.put(servable.Servable(self.name, version, model), path)
    self._book.put(version, version_status.AVAILABLE)
    if replaced is not None:
      replaced.retire(lambda: None)
    self._metrics.loaded(self.name, version, seconds)
    _log.info("%s: version %d available, loaded in %.2f s", self.name, version, seconds)

  def _note_failure(self, version: int, error: errors.StatusError, files: tuple) -> None:
    failure, is_news = self._failures.note(version, error, files)
    serves_on = version in self.available  # from the folder of an earlier configuration
    state = version_status.AVAILABLE if serves_on else version_status.END
    self._book.put(version, state, error)
    self._metrics.load_failed(self.name, version)
    if is_news:
      _log.error(
        "%s: version %d failed to load, next try in %g s and when its files change: %s",
        self.name, version, failure.wait, error,
      )  # fmt: skip

  def _forget_failures_except(self, kept: Sequence[int]) -> None:
    for version in set(self._failures.versions()) - set(kept):
      self._failures.forget(version)
      self._metrics.gone(self.name, version)

  def _drop_except(self, kept: Sequence[int]) -> None:
    for version in sorted(self.available.paths().keys() - set(kept), reverse=True):
      self._drop(version)

  def _drop(self, version: int) -> None:
    dropped = self.available.take(version)
    self._book.put(version, version_status.UNLOADING)

    def closed() -> None:
      self._book.end_unloading(version)
      _log.info("%s: version %d dropped", self.name, version)

    dropped.retire(closed)
