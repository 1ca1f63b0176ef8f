"""A model with two sessions: one that spreads a request over all cores, one that gives it a single core.

Requests under way at the same time wait for each other's threads, operation by operation, if each is
spread over all cores. With a core each they do not, and more of them are answered. So a second session of
the same SavedModel, with one thread within operations, runs those that come while all cores have one.

Sessions of a process share one pool of threads unless TF_OVERRIDE_GLOBAL_THREADPOOL says otherwise, and
oneDNN plans a convolution once in each thread, for as many threads as the session has that comes first. So
the second session has threads of its own for operations too.
"""

import dataclasses
import glob
import logging
import os
import threading
from collections.abc import Callable, Sequence

from tensorflow.core.protobuf import config_pb2

from serving import errors, saved_model

_log = logging.getLogger("serving")

# Runs that a second session would have had after which loading it pays: that takes as long as ten runs or
# more, and a run saves less than a tenth of one.
_RUNS_BEFORE = 100
# With more, as many requests at a time are rare, and the threads of many models would be very many.
_MOST_CPUS = 16
_POOL = "serving_one_core_each"


class Concurrency:
  """What the models of a process share: how many runs are under way, and what a second session is like."""

  def __init__(self, max_mib: int, session_config: bytes = b"", runs_before: int = _RUNS_BEFORE):
    """Args:
    max_mib: files of a SavedModel that is loaded a second time, at most.
    session_config: of the first sessions, a serialized ConfigProto.
    runs_before: of a model, that its second session would have had, until it is loaded.
    """
    self.max_bytes = max_mib << 20
    self.runs_before = runs_before
    self._cpus = _cpus()
    config = config_pb2.ConfigProto.FromString(session_config)
    config.intra_op_parallelism_threads = 1
    pool = config.session_inter_op_thread_pool.add()
    pool.num_threads = self._cpus
    pool.global_name = _POOL
    self.session_config = config.SerializeToString()
    self._lock = threading.Lock()
    self._under_way = 0

  def begin(self) -> bool:
    """Notes that a run begins; returns whether there is no more than a core for each then."""
    with self._lock:
      self._under_way += 1
      return self._under_way >= self._cpus

  def end(self) -> None:
    """Notes that a run has ended."""
    with self._lock:
      self._under_way -= 1


def prepare(max_mib: int, session_config: config_pb2.ConfigProto) -> Concurrency | None:
  """Decides whether models of this process get second sessions; to be called before any is loaded.

  Args:
    max_mib: files of a SavedModel that is loaded a second time, at most; 0: none.
    session_config: of the first sessions.

  Returns:
    None if they get none: there is one core, or there are more than 16, or a GPU, whose memory would be
    taken twice, or somebody has chosen numbers of threads, in `session_config` or the environment.
  """
  chosen = (
    session_config.intra_op_parallelism_threads
    or session_config.inter_op_parallelism_threads
    or session_config.session_inter_op_thread_pool
    or any(name in os.environ for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"))
  )
  if max_mib <= 0 or chosen or not 2 <= _cpus() <= _MOST_CPUS or glob.glob("/dev/nvidia[0-9]*"):
    return None
  if os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1").lower() not in ("1", "true"):
    return None
  return Concurrency(max_mib, session_config.SerializeToString())


@dataclasses.dataclass(frozen=True)
class _Second:
  """A second session, and what the endpoints of the first are in it."""

  model: saved_model.SavedModel
  endpoints: dict[str, saved_model.Endpoint]

  def own(self, endpoint: saved_model.Endpoint) -> saved_model.Endpoint:
    """An endpoint of the first session in this one."""
    found = self.endpoints.get(endpoint.name)
    if found is None:
      found = self.endpoints[endpoint.name] = self.model.own(endpoint)
    return found


class ConcurrentModel(saved_model.Computing):
  """Stands in for a SavedModel.

  The second session is loaded when it has begun to pay, in a thread of its own; until then, and if that
  fails, all is as with one.

  Attributes:
    signature_defs: name to SignatureDef.
  """

  def __init__(
    self,
    model: saved_model.SavedModel,
    load_second: Callable[[], saved_model.SavedModel],
    concurrency: Concurrency,
    path: str,
  ):
    """Args:
    model: the first session; closed with this.
    load_second: loads the same model with one thread within operations; raises errors.StatusError.
    concurrency: shared by all models of the process.
    path: the model's folder, for the log.
    """
    self.signature_defs = model.signature_defs
    self._model = model
    self._load_second = load_second
    self._concurrency = concurrency
    self._path = path
    self._lock = threading.Lock()  # guards the rest
    self._runs_left = concurrency.runs_before
    self._is_closed = False
    self._second: _Second | None = None

  @property
  def has_second_session(self) -> bool:
    """Whether requests that come while all cores have one get a core each."""
    return self._second is not None

  def signature(self, name: str) -> saved_model.Signature | None:
    """The signature of that name, or None."""
    return self._model.signature(name)

  def compute(
    self,
    feeds: Sequence[tuple[saved_model.Endpoint, int]],
    fetches: Sequence[saved_model.Endpoint],
    timeout_ms: int | None,
  ) -> list[int]:
    """Runs the graph of one of the sessions once, see `saved_model.Computing`."""
    crowded = self._concurrency.begin()
    try:
      model, second = self._model, self._second
      if crowded and second is not None:
        model = second.model
        feeds = [(second.own(endpoint), tensor) for endpoint, tensor in feeds]
        fetches = [second.own(endpoint) for endpoint in fetches]
      elif crowded and self._runs_left:
        self._count_down()
      return model.compute(feeds, fetches, timeout_ms)
    finally:
      self._concurrency.end()

  def close(self) -> None:
    """Closes the sessions; no run may be under way. One that is still being loaded is closed after that."""
    with self._lock:
      self._runs_left = 0  # nothing is loaded any more
      self._is_closed = True
    if self._second is not None:
      self._second.model.close()
    self._model.close()

  def _count_down(self) -> None:
    with self._lock:
      if not self._runs_left:
        return
      self._runs_left -= 1
      if self._runs_left:
        return
    threading.Thread(target=self._load, name="second-session", daemon=True).start()

  def _load(self) -> None:
    try:
      model = self._load_second()
    except errors.StatusError as error:
      _log.info("%s: no second session: %s", self._path, error)
      return
    except Exception:  # the first session serves on
      _log.exception("%s: no second session", self._path)
      return
    with self._lock:
      is_late = self._is_closed
      if not is_late:
        self._second = _Second(model, {})
    if is_late:
      model.close()
    else:
      _log.info("%s: loaded a second time, for as many requests at a time as cores", self._path)


def _cpus() -> int:
  return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
