"""The versions of a model that answer requests, and the labels that point to them."""

import threading
from collections.abc import Mapping

from serving import servable


class AvailableVersions:
  """One model's available versions; every method may be called from any thread."""

  def __init__(self):
    self._lock = threading.Lock()
    self._servables: dict[int, servable.Servable] = {}
    self._paths: dict[int, str] = {}
    self._wanted_labels: Mapping[str, int] = {}
    self._labels: dict[str, int] = {}

  def __len__(self) -> int:
    return len(self._servables)

  def __contains__(self, version: int) -> bool:
    return version in self._servables

  def paths(self) -> dict[int, str]:
    """Version to the folder that it was loaded from."""
    with self._lock:
      return dict(self._paths)

  def is_from(self, version: int, path: str) -> bool:
    """Whether a version is available and was loaded from a folder."""
    return self._paths.get(version) == path

  def put(self, loaded: servable.Servable, path: str) -> servable.Servable | None:
    """Lets a version answer; returns the one that it replaces under the same number, if any."""
    with self._lock:
      replaced = self._servables.get(loaded.version)
      self._servables[loaded.version] = loaded
      self._paths[loaded.version] = path
      self._apply_labels()
      return replaced

  def take(self, version: int) -> servable.Servable:
    """Lets a version answer no longer; the caller retires it."""
    with self._lock:
      del self._paths[version]
      return self._servables.pop(version)

  def acquire(self, version: int | None) -> servable.Servable | None:
    """The version of that number, or the highest; the caller must release it."""
    with self._lock:
      if version is None:
        version = max(self._servables, default=None)
      found = self._servables.get(version)
      if found is not None:
        found.acquire()
      return found

  def set_labels(self, labels: Mapping[str, int]) -> None:
    """Points labels to versions, to each as soon as it is available."""
    with self._lock:
      self._wanted_labels = labels
      self._apply_labels()

  def labelled(self, label: str) -> int | None:
    """The version that a label points to; None if it has never been available, or no such label.

    A label that is moved points to its old version until the new one is available.
    """
    return self._labels.get(label)

  def _apply_labels(self) -> None:
    """The caller holds the lock."""
    applied = {label: v for label, v in self._labels.items() if label in self._wanted_labels}
    for label, version in self._wanted_labels.items():
      if version in self._servables:
        applied[label] = version
    self._labels = applied
