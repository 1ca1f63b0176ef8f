"""Forms batches of requests that wait, and has them run by the requests' own threads.

There are no batch threads: one of the requests in a batch runs it for all, in the thread that it came
in. A request that finds nobody else is run at once, without changing threads.
"""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Sequence

from serving import batching_config, errors


class Task:
  """A request, or a part of a large one, as a batch sees it.

  Attributes:
    size: rows.
    payload: what `process` needs of it.
    outcome: set by `process`: an exception, or anything else as a result.
    queued_at: time.monotonic() when it came.
    deadline: time.monotonic() until which the client waits; infinity for ever.
  """

  __slots__ = ("deadline", "entry", "outcome", "payload", "queued_at", "size")

  def __init__(self, size: int, payload: object):
    self.size = size
    self.payload = payload
    self.outcome: object = None
    self.queued_at = 0.0
    self.deadline = float("inf")
    self.entry: _Entry | None = None


class _Entry:
  """A request in the queue, and what its thread is to do."""

  __slots__ = ("leads", "remaining", "wake")

  def __init__(self, parts: int):
    self.remaining = parts
    self.leads: _Batch | None = None  # the batch that its thread has to run
    self.wake = threading.Event()


@dataclasses.dataclass
class _Batch:
  tasks: list[Task]
  size: int
  opened: float


class Scheduler:
  """Lets only so many batches run at a time, over all queues in turn."""

  def __init__(self, num_threads: int):
    self.lock = threading.Lock()
    self._free = num_threads
    self._waiting: collections.deque[Queue] = collections.deque()  # queues that have batches

  def add(self, queue: "Queue") -> None:
    """Notes that a queue has batches; the caller holds the lock."""
    if queue not in self._waiting:
      self._waiting.append(queue)

  def release(self) -> None:
    """Notes that a batch has been run; the caller holds the lock."""
    self._free += 1
    self.dispatch()

  def dispatch(self) -> None:
    """Starts what can be started; the caller holds the lock."""
    for _ in range(len(self._waiting)):
      if not self._free:
        return
      queue = self._waiting.popleft()
      while self._free and queue.start_one():
        self._free -= 1
      if queue.has_batches:
        self._waiting.append(queue)


class Queue:
  """Batches of one kind of request.

  A batch is run when it is full, when `batch_timeout_micros` have passed since its first request, or
  when as many requests wait as were lately seen at once: then there is nobody left to wait for. So a
  lone client never waits; several do as the timeout says.
  """

  def __init__(
    self,
    scheduler: Scheduler,
    parameters: batching_config.Parameters,
    process: Callable[[list[Task]], None],
  ):
    """Args:
    scheduler: shared with other queues.
    parameters: sizes and times.
    process: runs a batch and sets each task's outcome; called without locks.
    """
    self._scheduler = scheduler
    self._parameters = parameters
    self._process = process
    self._timeout = parameters.batch_timeout_micros / 1e6
    self._batches: collections.deque[_Batch] = collections.deque()
    self._waiting = 0  # tasks
    self._in_flight = 0  # requests, waiting or running
    self._expected = 1  # how many requests there may be at once, from what was seen lately

  @property
  def has_batches(self) -> bool:
    """Whether anything waits."""
    return bool(self._batches)

  def run(self, tasks: Sequence[Task], timeout: float | None) -> None:
    """Puts a request into the queue, and returns when the outcome of all its tasks is set.

    Args:
      tasks: the request's parts, none larger than a batch may be.
      timeout: seconds that the client waits; None for ever.

    Raises:
      errors.StatusError: UNAVAILABLE if the queue is full, RESOURCE_EXHAUSTED if the time is over
        before the request was run.
    """
    now = time.monotonic()
    entry = _Entry(len(tasks))
    for task in tasks:
      task.entry = entry
      task.queued_at = now
      task.deadline = now + timeout if timeout is not None else float("inf")
    with self._scheduler.lock:
      self._check_room(sum(task.size for task in tasks))
      self._enqueue(tasks, now)
      self._scheduler.dispatch()
    while entry.remaining:
      if entry.leads is not None:
        self._lead(entry)
      else:
        self._wait(entry, tasks)

  def start_one(self) -> bool:
    """Hands the first batch to one of its requests if it is ready; the caller holds the lock."""
    while self._batches and self._is_ready(self._batches[0]):
      batch = self._batches[0]
      self._drop_late(batch)
      if not batch.tasks:
        self._batches.popleft()
        continue
      leader = next((task.entry for task in batch.tasks if task.entry.leads is None), None)
      if leader is None:  # all are busy with other parts of their requests
        return False
      self._batches.popleft()
      self._waiting -= len(batch.tasks)
      leader.leads = batch
      leader.wake.set()
      return True
    return False

  def _check_room(self, size: int) -> None:
    """TensorFlow's rules and texts (kernels/batching_util/shared_batch_scheduler.h)."""
    if not self._batches:
      return
    full = "The batch scheduling queue to which this task was submitted is full; "
    most = max(self._parameters.max_enqueued_batches, 1)
    count, tail = len(self._batches), self._batches[-1].size
    if self._parameters.enable_large_batch_splitting:
      batch_size = self._parameters.batch_size
      room = (most - count) * batch_size + batch_size - tail
      if size > room:
        raise errors.StatusError(
          "UNAVAILABLE",
          f"{full}task size is {size} but scheduling capacity is only {room} "
          f"(num_enqueued_batches={count}, max_enqueued_batches={most}, open_batch_size={tail}, "
          f"max_execution_batch_size={batch_size})",
        )
    elif tail + size > self._parameters.max_batch_size and count >= most:
      raise errors.StatusError(
        "UNAVAILABLE",
        f"{full}currently {count} batches enqueued and max_enqueued_batches is {most}",
      )

  def _enqueue(self, tasks: Sequence[Task], now: float) -> None:
    for task in tasks:
      last = self._batches[-1] if self._batches else None
      if last is None or last.size + task.size > self._parameters.batch_size:
        last = _Batch([], 0, now)
        self._batches.append(last)
      last.tasks.append(task)
      last.size += task.size
    self._waiting += len(tasks)
    self._in_flight += 1
    self._expected = max(self._expected, self._in_flight)
    self._scheduler.add(self)

  def _is_ready(self, batch: _Batch) -> bool:
    if (
      batch is not self._batches[-1]
      or batch.size >= self._parameters.batch_size
      or self._waiting >= self._expected
    ):
      return True
    if time.monotonic() < batch.opened + self._timeout:
      return False
    self._expected = max(self._in_flight, 1)
    return True

  def _drop_late(self, batch: _Batch) -> None:
    """Takes requests out for which it is too late."""
    now = time.monotonic()
    for task in [task for task in batch.tasks if task.deadline <= now]:
      self._forget(batch, task)
      task.outcome = _too_late()
      self._finish(task)

  def _forget(self, batch: _Batch, task: Task) -> None:
    batch.tasks.remove(task)
    batch.size -= task.size
    self._waiting -= 1
    if batch.tasks:  # the batch's first request keeps the time
      batch.tasks[0].entry.wake.set()

  def _lead(self, entry: _Entry) -> None:
    batch = entry.leads
    try:
      self._process(batch.tasks)
    except BaseException as error:
      for task in batch.tasks:
        task.outcome = error
      raise
    finally:
      with self._scheduler.lock:
        entry.leads = None
        for task in batch.tasks:
          self._finish(task)
        self._scheduler.release()

  def _finish(self, task: Task) -> None:
    task.entry.remaining -= 1
    if not task.entry.remaining:
      self._in_flight -= 1
    task.entry.wake.set()

  def _wait(self, entry: _Entry, tasks: Sequence[Task]) -> None:
    """Waits until the request is to lead a batch, has been run, or something is due."""
    with self._scheduler.lock:
      if entry.leads is not None or not entry.remaining:
        return
      due = self._due(entry, tasks)
      entry.wake.clear()
    entry.wake.wait(None if due == float("inf") else max(due - time.monotonic(), 0.0))
    with self._scheduler.lock:
      if entry.leads is None and entry.remaining and tasks[0].deadline <= time.monotonic():
        for batch in list(self._batches):
          self._drop_late(batch)
          if not batch.tasks:
            self._batches.remove(batch)
      self._scheduler.dispatch()

  def _due(self, entry: _Entry, tasks: Sequence[Task]) -> float:
    """When a request that waits has to look at the queue by itself."""
    queued = [batch for batch in self._batches if any(t.entry is entry for t in batch.tasks)]
    if not queued:
      return float("inf")
    due = tasks[0].deadline
    for batch in queued:
      opens = batch.opened + self._timeout
      if batch.tasks[0].entry is entry and opens > time.monotonic():
        due = min(due, opens)
    return due


def _too_late() -> errors.StatusError:
  return errors.StatusError(
    "RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue"
  )
