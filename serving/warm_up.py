"""Runs a freshly loaded version before it serves, so that its first request is as quick as the others.

The requests come from the version's warm-up file, as in TensorFlow Serving
(servables/tensorflow/saved_model_warmup.cc). A version without that file is warmed up with zeros where
its signatures say enough about their inputs.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator

from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving import (
  classification,
  errors,
  metrics,
  multi_inference,
  predict,
  saved_model,
  tensor_head,
  tensor_writing,
  tfrecord,
)

_log = logging.getLogger("serving")

_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
_MOST_RECORDS = 1000  # TensorFlow Serving's limit

_STRING = 7  # DT_STRING
_MOST_ELEMENTS = 1 << 24  # of zeros; a larger input is no example of what will be sent
_MOST_SECONDS = 10.0  # no signature's run on zeros begins after that


def run(
  model: saved_model.SavedModel,
  path: str,
  iterations: int,
  *,
  without_records: bool,
  counted: metrics.Metrics | None,
) -> None:
  """Warms up the version in a folder.

  Args:
    model: the version.
    path: its folder.
    iterations: how often each record is run.
    without_records: if there is no warm-up file, run the signatures on zeros.
    counted: where the time is noted.

  Raises:
    errors.StatusError: if the file is unusable or a record fails. A run on zeros never fails it.
  """
  file = os.path.join(path, _FILE)
  if not os.path.isfile(file):
    if without_records:
      _run_on_zeros(model)
    return
  begin = time.monotonic()
  status = "OK"
  try:
    for record in _records(file):
      for _ in range(iterations):
        _run_record(model, record)
  except errors.StatusError as error:
    status = error.code
    raise
  finally:
    if counted is not None:
      counted.warmed_up(path, status, time.monotonic() - begin)


def _records(path: str) -> Iterator[prediction_log_pb2.PredictionLog]:
  try:
    for number, record in enumerate(tfrecord.read(path)):
      if number == _MOST_RECORDS:
        raise errors.StatusError(
          "INVALID_ARGUMENT",
          f"Number of warmup records exceeds the maximum ({_MOST_RECORDS}) at {path}",
        )
      yield _parsed(record, path)
  except errors.StatusError as error:
    if error.code != "DATA_LOSS":
      raise
    raise errors.StatusError(
      "DATA_LOSS",
      f"{error.message}. Please verify your warmup data is in TFRecord format.",
    ) from error


def _parsed(record: bytes, path: str) -> prediction_log_pb2.PredictionLog:
  try:
    return prediction_log_pb2.PredictionLog.FromString(record)
  except Exception as error:  # protobuf's DecodeError: no public base in all implementations
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Failed to parse warmup record: {record[:80]!r} from {path}"
    ) from error


def _run_record(model: saved_model.SavedModel, record: prediction_log_pb2.PredictionLog) -> None:
  kind = record.WhichOneof("log_type")
  if kind is None:
    return
  if kind not in _RUNNERS:
    number = record.DESCRIPTOR.fields_by_name[kind].number
    raise errors.StatusError("UNIMPLEMENTED", f"Unsupported log_type for warmup: {number}")
  _RUNNERS[kind](model, getattr(record, kind).request)


def _run_predict(model: saved_model.SavedModel, request: predict_pb2.PredictRequest) -> None:
  parsed = predict.parse(request.SerializeToString())
  predict.run(model, 0, parsed, predict.Options())


def _run_on_examples(method: classification.Method) -> Callable:
  return lambda model, request: method.respond(model, 0, request, None, False)


_RUNNERS = {
  "predict_log": _run_predict,
  "classify_log": _run_on_examples(classification.CLASSIFY),
  "regress_log": _run_on_examples(classification.REGRESS),
  "multi_inference_log": lambda model, request: multi_inference.run(model, 0, request, None, False),
}


def _run_on_zeros(model: saved_model.SavedModel) -> None:
  """Runs each signature once, if only the first dimension of its inputs is open."""
  end = time.monotonic() + _MOST_SECONDS
  for name in sorted(model.signature_defs):
    request = _zeros(name, model.signature(name))
    if request is None or time.monotonic() > end:
      continue
    try:
      _run_predict(model, request)
    except errors.StatusError as error:
      _log.info("warm-up of signature %s on zeros: %s", name, error)


def _zeros(name: str, signature: saved_model.Signature) -> predict_pb2.PredictRequest | None:
  """A request with one row of zeros; None if the signature does not say enough for that."""
  if not signature.inputs or not signature.outputs:
    return None
  request = predict_pb2.PredictRequest()
  request.model_spec.signature_name = name
  for alias, endpoint in signature.inputs.items():
    sizes = endpoint.shape
    if sizes is None or -1 in sizes[1:] or endpoint.dtype == _STRING:
      return None
    sizes = [max(size, 1) for size in sizes[:1]] + list(sizes[1:])
    if math.prod(sizes) > _MOST_ELEMENTS or not tensor_writing.has_wire_form(endpoint.dtype):
      return None
    # A TensorProto without values is one of zeros.
    head = tensor_head.head(endpoint.dtype, sizes)
    request.inputs[alias].CopyFrom(tensor_pb2.TensorProto.FromString(head))
  return request
