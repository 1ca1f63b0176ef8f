"""What to do when a peer does not answer, or answers with something too old."""

import abc
import threading
import time
from collections.abc import Callable, Mapping

import numpy as np
from absl import logging

from tf_taskology.peers import frozen, peer, record, transport

_LOG_SECS = 10.0


class Policy(abc.ABC):
  """Gets an answer, or decides to go without. One object serves one peer. Thread-safe.

  Args:
    max_staleness_secs: answers whose version was published longer ago count as no answer; None: any age will do.
    clock: seconds since the epoch.
  """

  name: str

  def __init__(
    self, max_staleness_secs: float | None = None, clock: Callable[[], float] = time.time
  ):
    if max_staleness_secs is not None and max_staleness_secs <= 0:
      raise ValueError(
        f"`max_staleness_secs` must be greater than 0. Received: {max_staleness_secs}."
      )
    self._max_staleness_secs = max_staleness_secs
    self._clock = clock

  @abc.abstractmethod
  def answer(
    self,
    asked: peer.Peer,
    inputs: Mapping[str, np.ndarray],
    notes: record.PeerRecord,
    closed: threading.Event,
  ) -> peer.Answer | None:
    """An answer to train on, or None to go without.

    Args:
      asked: the peer.
      inputs: as in `Peer.predict`.
      notes: what happened is written here.
      closed: set when training ends; waits end at once.

    Raises:
      PeerError: asking again cannot help, or the policy gives up.
      PeerClosed: training ends.
    """

  def _too_old(self, answer) -> str | None:
    """Why the answer is too old, or None."""
    age = self._clock() - float(answer.published_at.min())
    if self._max_staleness_secs is None or age <= self._max_staleness_secs:
      return None
    return (
      f"version {answer.version} was published {age:.0f} s ago; at most {self._max_staleness_secs:g} s "
      "are allowed (max_staleness_secs)"
    )

  def _ask(self, asked, inputs, notes) -> peer.Answer | None:
    """One request; None if there is no usable answer now."""
    try:
      answer = asked.predict(inputs)
    except peer.PeerError as error:
      if not error.temporary:
        raise
      notes.failed(str(error))
      return None
    reason = self._too_old(answer)
    if reason is not None:
      notes.failed(reason)
      return None
    notes.answered(answer)
    return answer


class Wait(Policy):
  """Asks until there is an answer.

  Args:
    limit_secs: how long one batch may wait; None: for ever.
    pause_secs: mean pause before the second request; doubles up to `max_pause_secs`.
    max_pause_secs: see above.
    max_staleness_secs, clock: see Policy.
  """

  name = "wait"

  def __init__(
    self,
    limit_secs: float | None = None,
    pause_secs: float = 0.1,
    max_pause_secs: float = 2.0,
    max_staleness_secs: float | None = None,
    clock: Callable[[], float] = time.time,
  ):
    super().__init__(max_staleness_secs, clock)
    self._limit_secs = limit_secs
    self._pause_secs = pause_secs
    self._max_pause_secs = max_pause_secs
    self._logged_at = -_LOG_SECS

  def answer(self, asked, inputs, notes, closed):
    started = time.monotonic()
    backoff = transport.Backoff(self._pause_secs, self._max_pause_secs)
    while not closed.is_set():
      answer = self._ask(asked, inputs, notes)
      if answer is not None:
        return answer
      if self._limit_secs is not None and time.monotonic() - started > self._limit_secs:
        raise peer.PeerError(f"{notes.state()} Gave up after {self._limit_secs:g} s (limit_secs).")
      if time.monotonic() - self._logged_at >= _LOG_SECS:
        self._logged_at = time.monotonic()
        logging.warning("%s", notes.state())
      closed.wait(backoff.next())
    raise peer.PeerClosed(f"Peer {asked.name!r} was closed: training ends.")


class _Probing(Policy):
  """Common part of policies that do not wait: after a failure the peer is asked in the background only.

  So a dead peer costs one request's time, not that of every batch.
  """

  def __init__(
    self,
    probe_secs: float = 2.0,
    max_staleness_secs: float | None = None,
    clock: Callable[[], float] = time.time,
  ):
    super().__init__(max_staleness_secs, clock)
    self._probe_secs = probe_secs
    self._lock = threading.Lock()
    self._probing = False
    self._failure = None

  def answer(self, asked, inputs, notes, closed):
    if self._failure is not None:
      raise self._failure
    if not self._probing:
      answer = self._ask(asked, inputs, notes)
      if closed.is_set():
        raise peer.PeerClosed(f"Peer {asked.name!r} was closed: training ends.")
      if answer is not None:
        return answer
      self._probe(asked, dict(inputs), notes, closed)
    answer = self._instead(inputs, notes)
    if answer is None:
      notes.skipped()
    return answer

  def _probe(self, asked, inputs, notes, closed):
    """Starts a thread that asks until there is an answer; one at a time."""
    with self._lock:
      if self._probing:
        return
      self._probing = True

    def run():
      try:
        while not closed.wait(self._probe_secs):
          if self._ask(asked, inputs, notes) is not None:
            break
      except peer.PeerClosed:
        logging.info("Peer %s was closed.", asked.name)
      except peer.PeerError as error:
        self._failure = error
      self._probing = False

    logging.warning("Going on without peer %s: %s", asked.name, notes.state())
    threading.Thread(target=run, name=f"probe-{asked.name}", daemon=True).start()

  def _instead(self, inputs, notes) -> peer.Answer | None:
    """What to use while the peer does not answer."""
    del inputs, notes
    return None


class Skip(_Probing):
  """Goes on without the peer: the consistency terms that need it are left out of the batch.

  Args:
    probe_secs: pause between requests to a peer that did not answer.
    max_staleness_secs, clock: see Policy.
  """

  name = "skip"


class Last(_Probing):
  """Uses the newest published SavedModel on disk while the model server does not answer; none, or too old: goes without.

  Args:
    export_dir: the peer's export folder, <export root>/<module>.
    probe_secs, max_staleness_secs, clock: as in Skip.
  """

  name = "last"

  def __init__(
    self,
    export_dir: str,
    probe_secs: float = 2.0,
    max_staleness_secs: float | None = None,
    clock: Callable[[], float] = time.time,
  ):
    super().__init__(probe_secs, max_staleness_secs, clock)
    self._export_dir = export_dir
    self._frozen = None

  def answer(self, asked, inputs, notes, closed):
    with self._lock:
      if self._frozen is None:
        self._frozen = frozen.FrozenPeer(asked.name, asked.outputs, export_dir=self._export_dir)
    return super().answer(asked, inputs, notes, closed)

  def _instead(self, inputs, notes):
    try:
      answer = self._frozen.predict(inputs)
    except peer.PeerError as error:
      if not error.temporary:
        raise
      return None
    if self._too_old(answer) is not None:
      return None
    notes.substituted(answer)
    return answer
