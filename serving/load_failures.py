"""Which versions of a model failed to load, and when they are due again."""

import dataclasses
import time
from collections.abc import Iterable

from serving import errors

_FIRST_RETRY_SECONDS = 1.0
_LATE_FACTOR = 10  # how much longer than `longest_wait` the waits of a given-up version become


@dataclasses.dataclass(frozen=True)
class Following:
  """How to follow a base path.

  Attributes:
    poll_seconds: between two looks; 0 looks once, less never (as TensorFlow Serving's flag).
    max_retries: how often a failed load is repeated before its version counts as failed. After that
      it is repeated still, at growing intervals, and at any time as soon as its files change.
    longest_wait: seconds; the waits between those retries double from one second up to this, later
      ones up to ten times this.
  """

  poll_seconds: float = 1.0
  max_retries: int = 5
  longest_wait: float = 60.0


@dataclasses.dataclass(frozen=True)
class Failure:
  """A failed load.

  Attributes:
    error: why it failed.
    files: fingerprint of the version's files at that time.
    attempts: how often it failed with these files.
    wait: seconds until the next attempt.
    due: when that is, by time.monotonic.
    is_given_up: whether the version counts as failed.
  """

  error: errors.StatusError
  files: tuple
  attempts: int
  wait: float
  due: float
  is_given_up: bool


class LoadFailures:
  """The failures of one model's versions; used by one thread."""

  def __init__(self, following: Following):
    self._following = following
    self._failures: dict[int, Failure] = {}

  def __contains__(self, version: int) -> bool:
    return version in self._failures

  def is_due(self, version: int, files: tuple) -> bool:
    """Whether a load should be attempted: the first, a new one, or one of changed files."""
    failure = self._failures.get(version)
    return failure is None or failure.files != files or failure.due <= time.monotonic()

  def note(self, version: int, error: errors.StatusError, files: tuple) -> tuple[Failure, bool]:
    """Notes a failed load; returns the failure, and whether it differs from the last one."""
    last = self._failures.get(version)
    attempts = last.attempts + 1 if last is not None and last.files == files else 1
    is_given_up = attempts > self._following.max_retries
    limit = self._following.longest_wait * (_LATE_FACTOR if is_given_up else 1)
    wait = min(_FIRST_RETRY_SECONDS * 2.0 ** min(attempts - 1, 60), limit)
    if is_given_up:
      wait = max(wait, self._following.longest_wait)
    failure = Failure(error, files, attempts, wait, time.monotonic() + wait, is_given_up)
    self._failures[version] = failure
    is_news = last is None or str(last.error) != str(error) or is_given_up != last.is_given_up
    return failure, is_news

  def forget(self, version: int) -> None:
    """The version was loaded, or is not wanted any more."""
    self._failures.pop(version, None)

  def versions(self) -> list[int]:
    """All versions that failed."""
    return list(self._failures)

  def are_given_up(self, versions: Iterable[int]) -> bool:
    """Whether all of these versions count as failed."""
    return all(v in self._failures and self._failures[v].is_given_up for v in versions)

  def seconds_to_next(self) -> float | None:
    """How long until the next attempt; None if there is none to come."""
    if not self._failures:
      return None
    due = min(failure.due for failure in self._failures.values())
    return max(due - time.monotonic(), 0.0)
