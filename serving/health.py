"""The standard health service, grpc.health.v1.Health: Check and Watch.

Its two messages have one field each and are read and written by hand, so that the server needs no
further package. Definition: github.com/grpc/grpc, src/proto/grpc/health/v1/health.proto.
"""

import threading
from collections.abc import Callable, Iterator

import grpc

from serving import wire_format

_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3
_LOOK_SECONDS = 0.5

# TensorFlow Serving registers the short names (model_servers/server.cc).
_SERVICES = (
  "",
  "ModelService",
  "PredictionService",
  "tensorflow.serving.ModelService",
  "tensorflow.serving.PredictionService",
)


class Health:
  """Tells whether the server answers."""

  def __init__(self, is_serving: Callable[[], bool], most_watching: int):
    """Args:
    is_serving: whether there is something to answer with.
    most_watching: streams of Watch at a time, each of which takes up a thread; more get
      UNIMPLEMENTED, upon which gRPC clients take the server for healthy.
    """
    self._is_serving = is_serving
    self._watchers = threading.Semaphore(most_watching)
    self._stopping = threading.Event()

  def stop(self) -> None:
    """Answers NOT_SERVING from now on, and ends the streams."""
    self._stopping.set()

  def handler(self) -> grpc.GenericRpcHandler:
    """What to register with a gRPC server."""
    return grpc.method_handlers_generic_handler(
      "grpc.health.v1.Health",
      {
        "Check": grpc.unary_unary_rpc_method_handler(self._check),
        "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
      },
    )

  def _check(self, data: bytes, context: grpc.ServicerContext) -> bytes:
    status = self._status(_service(data, context))
    if status == _SERVICE_UNKNOWN:
      context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return _response(status)

  def _watch(self, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    service = _service(data, context)
    if not self._watchers.acquire(blocking=False):
      context.abort(grpc.StatusCode.UNIMPLEMENTED, "Too many clients watch already")
    try:
      told = None
      while context.is_active():
        status = self._status(service)
        if status != told:
          told = status
          yield _response(status)
        if self._stopping.wait(_LOOK_SECONDS):
          if told == _SERVING:
            yield _response(_NOT_SERVING)
          return
    finally:
      self._watchers.release()

  def _status(self, service: str) -> int:
    if service not in _SERVICES:
      return _SERVICE_UNKNOWN
    return _SERVING if self._is_serving() and not self._stopping.is_set() else _NOT_SERVING


def _service(data: bytes, context: grpc.ServicerContext) -> str:
  """HealthCheckRequest.service."""
  service = b""
  try:
    for field, wire_type, value in wire_format.fields(data):
      if field == 1 and wire_type == wire_format.LENGTH_DELIMITED:
        service = data[slice(*value)]
    return service.decode()
  except ValueError as error:  # UnicodeDecodeError included
    return context.abort(grpc.StatusCode.INTERNAL, f"Cannot parse the HealthCheckRequest: {error}")


def _response(status: int) -> bytes:
  """HealthCheckResponse with that status."""
  return wire_format.tag(1, wire_format.VARINT) + wire_format.varint(status)
