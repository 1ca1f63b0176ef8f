"""A client of TensorFlow Serving's gRPC protocol that needs grpcio and numpy, and nothing of TensorFlow.

from serving.client import model_client

with model_client.Client("127.0.0.1:8500") as client:
  answer = client.predict("depth", {"image": images})   # images: uint8 [n, height, width, 3]
  print(answer.version, answer["depth"].shape)
"""

import concurrent.futures
import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.client import connection, errors, messages, tensors

Tls = connection.Tls
Retries = connection.Retries

_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"
_LOOK_SECS = 0.2


@dataclasses.dataclass(frozen=True)
class Prediction(Mapping):
  """An answer; as a mapping, its outputs by name.

  Attributes:
    outputs: output -> array.
    model: name of the model that answered.
    versions: the versions that answered, ascending: one, or several if a new one came in the middle of a split batch.
    signature: which one was called.
    seconds: how long it took, retries included.
  """

  outputs: Mapping[str, np.ndarray]
  model: str
  versions: tuple[int, ...]
  signature: str
  seconds: float

  @property
  def version(self) -> int:
    """The version that answered, the lowest if several did: no part of the answer is older."""
    return self.versions[0]

  def __getitem__(self, name):
    return self.outputs[name]

  def __iter__(self):
    return iter(self.outputs)

  def __len__(self):
    return len(self.outputs)


class Client:
  """Asks one model server. Thread-safe; close it, or use it in a `with` block.

  Args:
    target: "host:port" or "unix:/path". A name with several addresses is asked in turn.
    tls: None for plain text.
    deadline_secs: for one call with its retries, unless the call says otherwise.
    retries: when to ask again.
  """

  def __init__(
    self,
    target: str,
    tls: Tls | None = None,
    deadline_secs: float = 60.0,
    retries: Retries | None = None,
  ):
    if deadline_secs <= 0:
      raise ValueError(f"deadline_secs must be > 0. Received: {deadline_secs}.")
    self._connection = connection.Connection(target, tls, retries)
    self._deadline_secs = deadline_secs

  def __enter__(self) -> "Client":
    return self

  def __exit__(self, *unused_exception):
    self.close()

  def close(self) -> None:
    """Ends calls under way and the connection."""
    self._connection.close()

  def predict(
    self,
    model: str,
    inputs: Mapping[str, Any],
    *,
    signature: str = "",
    outputs: Sequence[str] = (),
    version: int | None = None,
    label: str | None = None,
    deadline_secs: float | None = None,
    max_batch_size: int | None = None,
    parallel_calls: int = 2,
    as_content: bool = True,
  ) -> Prediction:
    """Runs a model.

    Args:
      model: its name on the server.
      inputs: alias -> array; Python's numbers are taken as float32 and int32, bytes and str as strings;
        `tensors.bfloat16` makes that type.
      signature: empty for "serving_default".
      outputs: which to compute; empty for all.
      version: a certain one; None for the newest that serves.
      label: a labelled version instead.
      deadline_secs: for one request with its retries; None for the client's.
      max_batch_size: sends more than so many samples (first axis of all inputs) in several requests.
      parallel_calls: how many of those at a time.
      as_content: send raw memory; False for servers that read only `float_val` and its like.

    Raises:
      errors.ServingError: see the classes there; `error.code` and `error.message` are the server's.
      TypeError, ValueError: inputs that cannot be sent or split.
    """
    started = time.monotonic()
    spec = messages.ModelSpec(model, version, label, signature)
    arrays = {alias: tensors.as_array(value) for alias, value in inputs.items()}
    where = self._where(model)

    def ask(part):
      request = messages.predict_request(spec, part, outputs, as_content)
      data = self._call(_PREDICTION + "Predict", request, model, deadline_secs)
      return self._decode(messages.predict_response, data, where)

    parts = _split(arrays, max_batch_size)
    if len(parts) == 1:
      answers = [ask(parts[0])]
    else:
      with concurrent.futures.ThreadPoolExecutor(max(parallel_calls, 1)) as pool:
        answers = list(pool.map(ask, parts))
    made = answers[0][1]
    if len(answers) > 1:
      sizes = [_batch_size(part) for part in parts]
      made = _joined([each for _, each in answers], sizes, where)
    versions = tuple(sorted({answered.version or 0 for answered, _ in answers}))
    answered = answers[0][0]
    return Prediction(
      made, answered.name or model, versions, answered.signature, time.monotonic() - started
    )

  def metadata(
    self,
    model: str,
    version: int | None = None,
    label: str | None = None,
    deadline_secs: float | None = None,
  ) -> messages.Metadata:
    """The signatures of a model.

    Raises:
      errors.ServingError: NotFound if no version of it serves.
    """
    request = messages.metadata_request(messages.ModelSpec(model, version, label))
    data = self._call(_PREDICTION + "GetModelMetadata", request, model, deadline_secs)
    return self._decode(messages.metadata_response, data, self._where(model))

  def status(
    self, model: str, version: int | None = None, deadline_secs: float | None = None
  ) -> list[messages.VersionStatus]:
    """The versions of a model that the server knows, newest first.

    Raises:
      errors.ServingError: NotFound if it knows none.
    """
    request = messages.status_request(messages.ModelSpec(model, version))
    data = self._call(_MODEL + "GetModelStatus", request, model, deadline_secs)
    return self._decode(messages.status_response, data, self._where(model))

  def wait_until_available(self, model: str, limit_secs: float = 60.0) -> int:
    """Waits until a version of a model answers, and for the server itself. Returns that version.

    Raises:
      errors.ServingError: the last reason why not, after `limit_secs`.
    """
    end = time.monotonic() + limit_secs
    while True:
      left = max(end - time.monotonic(), 0.001)
      try:
        found = [
          status.version
          for status in self.status(model, deadline_secs=min(left, self._deadline_secs))
          if status.state == "AVAILABLE"
        ]
        failure = errors.NotFound("NOT_FOUND", "no version is available yet", self._where(model))
      except (errors.NotFound, errors.Unavailable, errors.DeadlineExceeded) as error:
        found, failure = [], error
      if found:
        return max(found)
      if time.monotonic() + _LOOK_SECS >= end:
        raise failure
      time.sleep(_LOOK_SECS)

  def _call(self, method, request, model, deadline_secs):
    limit = self._deadline_secs if deadline_secs is None else deadline_secs
    return self._connection.call(method, request, limit, self._where(model))

  def _where(self, model):
    return f"model {model!r} at {self._connection.target}"

  def _decode(self, decode, data, where):
    try:
      return decode(data)
    except ValueError as error:
      raise errors.of_code("DATA_LOSS", f"the answer cannot be decoded: {error}", where) from error


def _split(arrays, max_batch_size) -> list[dict]:
  """The inputs of each request."""
  if max_batch_size is None:
    return [arrays]
  if max_batch_size < 1:
    raise ValueError(f"max_batch_size must be at least 1. Received: {max_batch_size}.")
  shapes = {alias: _values(array).shape for alias, array in arrays.items()}
  sizes = {shape[:1] for shape in shapes.values()}
  if len(sizes) != 1 or sizes == {()}:
    raise ValueError(
      f"Inputs can be split along their first axis if they all have the same one. Shapes: {shapes}."
    )
  ((size,),) = sizes
  return [
    {alias: _part(array, begin, begin + max_batch_size) for alias, array in arrays.items()}
    for begin in range(0, max(size, 1), max_batch_size)
  ]


def _values(array):
  return array.values if isinstance(array, tensors.Typed) else array


def _part(array, begin, end):
  if isinstance(array, tensors.Typed):
    return tensors.Typed(array.dtype, array.values[begin:end])
  return array[begin:end]


def _batch_size(part):
  return len(_values(next(iter(part.values()))))


def _joined(answers, sizes, where):
  """The outputs of a split batch, put together again."""
  joined = {}
  for name in answers[0]:
    pieces = [answer.get(name) for answer in answers]
    for piece, size in zip(pieces, sizes, strict=True):
      if piece is None or piece.shape[:1] != (size,):
        shape = None if piece is None else piece.shape
        raise errors.of_code(
          "DATA_LOSS",
          f"output {name!r} of a part of {size} samples has shape {shape}; a batch can be split only if every output "
          "has one row per sample (ask for fewer `outputs`, or leave out `max_batch_size`)",
          where,
        )
    try:
      joined[name] = np.concatenate(pieces)
    except ValueError as error:
      shapes = [piece.shape for piece in pieces]
      raise errors.of_code(
        "DATA_LOSS", f"output {name!r} differs in shape between parts: {shapes}", where
      ) from error
  return joined
