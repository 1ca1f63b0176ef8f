"""A model whose runs are batched: TensorFlow Serving's BatchingSession (batching/batching_session.cc)."""

import threading
import time
from collections.abc import Callable, Sequence

from serving import (
  batch_queue,
  batch_tensors,
  batching_config,
  errors,
  metrics,
  saved_model,
  tensor_writing,
  tf_library,
)

_Feeds = Sequence[tuple[saved_model.Endpoint, int]]


class BatchedModel:
  """Stands in for a SavedModel; runs of one signature that wait at the same time are run as one.

  Only runs that feed and fetch all of a signature are batched; others, such as those with an output
  filter, go to the model as they are, and so do runs without rows and such that the model would refuse
  for their data type.

  Attributes:
    signature_defs: name to SignatureDef.
  """

  def __init__(
    self,
    model: saved_model.SavedModel,
    parameters: batching_config.Parameters,
    scheduler: batch_queue.Scheduler,
    counted: metrics.Metrics | None = None,
  ):
    """Args:
    model: what to run; closed with this.
    parameters: sizes and times.
    scheduler: shared by all models of a server.
    counted: where batches are counted.
    """
    self.signature_defs = model.signature_defs
    self._model = model
    self._parameters = parameters
    self._metrics = counted
    self._batchers = {}
    for name in model.signature_defs:
      signature = model.signature(name)
      if signature.inputs and signature.outputs:
        batcher = _Batcher(self, list(signature.outputs.values()), scheduler)
        self._batchers[_key(signature.inputs.values(), signature.outputs.values())] = batcher

  def signature(self, name: str) -> saved_model.Signature | None:
    """The signature of that name, or None."""
    return self._model.signature(name)

  def close(self) -> None:
    """Closes the model; no run may be under way."""
    self._model.close()

  def run(
    self,
    feeds: _Feeds,
    fetches: Sequence[saved_model.Endpoint],
    timeout_ms: int | None,
    read: Callable[[list[int]], bytes],
  ) -> bytes:
    """Runs, perhaps with others; see `saved_model.SavedModel.run`.

    Raises:
      errors.StatusError: also INVALID_ARGUMENT, FAILED_PRECONDITION, UNAVAILABLE and
        RESOURCE_EXHAUSTED, as TensorFlow Serving's batching has them.
    """
    batcher = self._batchers.get(_key([endpoint for endpoint, _ in feeds], fetches))
    if batcher is None or not all(_can_batch(*feed) for feed in feeds):
      return self._model.run(feeds, fetches, timeout_ms, read)
    rows = _common_rows(feeds)
    if not rows:
      return self._model.run(feeds, fetches, timeout_ms, read)
    if self._metrics is not None:
      self._metrics.batching(rows, len(feeds))
    if rows > self._parameters.max_batch_size:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Task size {rows} is larger than maximum input batch size "
        f"{self._parameters.max_batch_size}",
      )
    return batcher.run(feeds, rows, fetches, timeout_ms, read)

  def run_merged(
    self, tasks: Sequence[batch_queue.Task], outputs: Sequence[saved_model.Endpoint]
  ) -> None:
    """Runs tasks as one batch, and sets their outcomes.

    Raises:
      errors.StatusError: what befell the batch.
    """
    size = sum(task.size for task in tasks)
    processed = self._parameters.padded(size)
    begin = time.monotonic()
    if self._metrics is not None:
      waits = [begin - task.queued_at for task in tasks]
      pool = self._parameters.thread_pool_name
      self._metrics.batched(pool, processed, processed - size, waits)
    latest = max(task.deadline for task in tasks)
    timeout_ms = None if latest == float("inf") else max(int((latest - begin) * 1000), 1)
    made: list[int] = []
    try:
      feeds = _merged(tasks, processed - size, self._parameters.pad_variable_length_inputs, made)
      tensors = self._model.compute(feeds, outputs, timeout_ms)
    finally:
      _delete(made)
    try:
      for tensor in tensors:
        _check_output(batch_tensors.shape(tensor), processed)
    except errors.StatusError:
      _delete(tensors)
      raise
    shared = _Outputs(tensors, len(tasks))
    start = 0
    for task in tasks:
      task.outcome = (shared, start)
      start += task.size


class _Batcher:
  """Batches the runs of one signature."""

  def __init__(
    self,
    owner: BatchedModel,
    outputs: Sequence[saved_model.Endpoint],
    scheduler: batch_queue.Scheduler,
  ):
    self._owner = owner
    self._outputs = list({output.name: output for output in outputs}.values())
    self._places = {output.name: place for place, output in enumerate(self._outputs)}
    self._size = owner._parameters.batch_size
    self._queue = batch_queue.Queue(scheduler, owner._parameters, self._process)

  def run(self, feeds, rows, fetches, timeout_ms, read) -> bytes:
    tasks = [
      batch_queue.Task(min(self._size, rows - start), (feeds, start, rows))
      for start in range(0, rows, self._size)
    ]
    places = [self._places[endpoint.name] for endpoint in fetches]
    try:
      self._queue.run(tasks, None if timeout_ms is None else timeout_ms / 1000)
      for task in tasks:
        if isinstance(task.outcome, BaseException):
          raise task.outcome
      return _read(tasks, places, read)
    finally:
      for task in tasks:
        if isinstance(task.outcome, tuple):
          task.outcome[0].release()

  def _process(self, tasks: list[batch_queue.Task]) -> None:
    try:
      self._owner.run_merged(tasks, self._outputs)
      return
    except errors.StatusError as error:
      if len(tasks) == 1 or error.code in ("DEADLINE_EXCEEDED", "FAILED_PRECONDITION"):
        for task in tasks:
          task.outcome = error
        return
    for task in tasks:  # one request that the model refuses does not fail those beside it
      try:
        self._owner.run_merged([task], self._outputs)
      except errors.StatusError as error:
        task.outcome = error


class _Outputs:
  """The outputs of a batch, which live until all of its requests have read theirs."""

  def __init__(self, tensors: list[int], readers: int):
    self.tensors = tensors
    self._readers = readers
    self._lock = threading.Lock()

  def release(self) -> None:
    with self._lock:
      self._readers -= 1
      last = not self._readers
    if last:
      _delete(self.tensors)


def _read(tasks: Sequence[batch_queue.Task], places: Sequence[int], read) -> bytes:
  """Gives a request its own rows of the outputs."""
  made: list[int] = []
  try:
    found = [_output(tasks, place, made) for place in places]
    return read(found)
  finally:
    _delete(reversed(made))


def _output(tasks: Sequence[batch_queue.Task], place: int, made: list[int]) -> int:
  parts = []
  for task in tasks:
    shared, start = task.outcome
    tensor = shared.tensors[place]
    if start or tf_library.load().TF_Dim(tensor, 0) != task.size:
      tensor = batch_tensors.rows(tensor, start, start + task.size)
      made.append(tensor)
    parts.append(tensor)
  if len(parts) == 1:
    return parts[0]
  made.append(batch_tensors.join(parts))
  return made[-1]


def _merged(
  tasks: Sequence[batch_queue.Task], padding: int, pad_lengths: bool, made: list[int]
) -> _Feeds:
  """The inputs of a batch; what has to be deleted afterwards is added to `made`."""
  feeds = []
  for endpoint, _ in tasks[0].payload[0]:
    parts = []
    for task in tasks:
      given, start, rows = task.payload
      tensor = next(tensor for other, tensor in given if other.name == endpoint.name)
      if task.size < rows:
        tensor = batch_tensors.rows(tensor, start, start + task.size)
        made.append(tensor)
      parts.append(tensor)
    if len({batch_tensors.shape(part)[1:] for part in parts}) > 1:
      parts = _padded(endpoint, parts, pad_lengths, made)
    if len(parts) > 1 or padding:
      made.append(batch_tensors.join(parts, padding))
      parts = [made[-1]]
    feeds.append((endpoint, parts[0]))
  return feeds


def _padded(
  endpoint: saved_model.Endpoint, parts: Sequence[int], pad_lengths: bool, made: list[int]
) -> list[int]:
  shapes = [batch_tensors.shape(part) for part in parts]
  if not pad_lengths or len({len(shape) for shape in shapes}) > 1:
    raise errors.StatusError(
      "FAILED_PRECONDITION",
      f"Tensors with name '{endpoint.name}' from different tasks have different shapes and padding "
      "is turned off.Set pad_variable_length_inputs to true, or ensure that all tensors with the "
      "same namehave equal dimensions starting with the first dim.",
    )
  most = tuple(max(sizes) for sizes in list(zip(*shapes, strict=True))[1:])
  grown = []
  for part, shape in zip(parts, shapes, strict=True):
    if shape[1:] != most:
      part = batch_tensors.pad(part, most)
      made.append(part)
    grown.append(part)
  return grown


def _check_output(shape: Sequence[int], rows: int) -> None:
  if not shape:
    raise errors.StatusError("FAILED_PRECONDITION", "Batched output tensor has 0 dimensions")
  if shape[0] != rows:
    raise errors.StatusError(
      "FAILED_PRECONDITION",
      "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of "
      "the input tensors",
    )


def _common_rows(feeds: _Feeds) -> int:
  shapes = [batch_tensors.shape(tensor) for _, tensor in feeds]
  if not all(shapes):
    raise errors.StatusError(
      "INVALID_ARGUMENT", "Batching Run() input tensors must have at least one dimension"
    )
  if len({shape[0] for shape in shapes}) > 1:
    raise errors.StatusError(
      "INVALID_ARGUMENT", "Batching Run() input tensors must have equal 0th-dimension size"
    )
  return shapes[0][0]


def _can_batch(endpoint: saved_model.Endpoint, tensor: int) -> bool:
  dtype = tf_library.load().TF_TensorType(tensor)
  return dtype == endpoint.dtype and tensor_writing.has_wire_form(dtype)


def _key(inputs, outputs) -> tuple[frozenset, frozenset]:
  return frozenset(one.name for one in inputs), frozenset(one.name for one in outputs)


def _delete(tensors) -> None:
  for tensor in tensors:
    tf_library.load().TF_DeleteTensor(tensor)
