"""What a trainer knows about a peer: how old its answers are and what they cost."""

import threading
import time
from collections.abc import Callable


class PeerRecord:
  """Counts and times of one peer. Thread-safe.

  Args:
    name: the peer's name.
    policy: name of the policy, for people to read.
    target: where the peer is, likewise.
    step_fn: the own trainer's global step.
    clock: seconds since the epoch.
  """

  def __init__(
    self,
    name: str,
    policy: str = "",
    target: str = "",
    step_fn: Callable[[], int] = lambda: 0,
    clock: Callable[[], float] = time.time,
  ):
    self.name = name
    self._policy = policy
    self._target = target
    self._step_fn = step_fn
    self._clock = clock
    self._lock = threading.Lock()
    self._started = None
    self._version = None
    self._published_at = None
    self._first_seen_step = 0
    self._requests = self._failures = self._skipped = self._bytes = 0
    self._rpc_secs = self._waiting_secs = 0.0
    self._trouble = None

  def answered(self, answer):
    """Notes an answer (peers/peer.py `Answer`) that training will use."""
    with self._lock:
      self._requests += 1
      self._bytes += answer.num_bytes
      self._rpc_secs += answer.seconds
      self._see(answer)
      self._trouble = None

  def substituted(self, answer):
    """Notes an answer that training will use and that did not come from the peer itself."""
    with self._lock:
      self._see(answer)

  def _see(self, answer):
    # Answers to several batches arrive in any order: an older version must not come back.
    if self._version is None or answer.published_at.min() > self._published_at:
      if answer.version != self._version:
        self._first_seen_step = int(self._step_fn())
      self._version = int(answer.version)
      self._published_at = float(answer.published_at.min())

  def failed(self, reason: str):
    """Notes a request without a usable answer."""
    with self._lock:
      self._requests += 1
      self._failures += 1
      since = self._trouble[0] if self._trouble else self._clock()
      self._trouble = (since, reason)

  def skipped(self):
    """Notes a batch that goes without this peer."""
    with self._lock:
      self._skipped += 1

  def waited(self, seconds: float):
    """Notes that the training loop was blocked because this peer's predictions were not there."""
    with self._lock:
      if self._started is None:
        self._started = self._clock() - seconds
      self._waiting_secs += seconds

  def state(self) -> str:
    """For people: "ok", or what is wrong and since when."""
    with self._lock:
      if self._trouble is None:
        return "ok"
      since, reason = self._trouble
      return f"waiting for peer {self.name} since {self._clock() - since:.0f} s: {reason}"

  def snapshot(self) -> dict:
    """The peer's entry of status.json.

    `version`, `staleness_secs` and `staleness_steps` are None before the first answer. Staleness is that of the newest
    version that answered: seconds since it was published, and the own trainer's steps since it was first seen.
    `waiting_share` is of the time since the first batch was taken; `waiting_secs`, `rpc_secs` and counts are totals.
    """
    state = self.state()
    with self._lock:
      now = self._clock()
      elapsed = now - self._started if self._started is not None else 0.0
      seen = self._version is not None
      return {
        "version": self._version,
        "staleness_secs": round(max(0.0, now - self._published_at), 3) if seen else None,
        "staleness_steps": int(self._step_fn()) - self._first_seen_step if seen else None,
        "waiting_share": round(min(1.0, self._waiting_secs / elapsed), 4) if elapsed > 0 else 0.0,
        "waiting_secs": round(self._waiting_secs, 3),
        "rpc_secs": round(self._rpc_secs, 3),
        "mbytes": round(self._bytes / 1e6, 3),
        "requests": self._requests,
        "failures": self._failures,
        "skipped": self._skipped,
        "policy": self._policy,
        "target": self._target,
        "state": state,
      }
