"""The profiler service, tensorflow.ProfilerService: what TensorBoard's "capture profile" asks.

A trace goes back in the answer, from which the client writes it to its own log folder. TensorFlow
Serving writes it to whatever path the request names instead; this server writes nothing for clients.
Messages: tsl/profiler/protobuf/profiler_service.proto.
"""

import threading
import time

import grpc

from serving import native_modules, wire_format

_MODULE = "python/profiler/internal/_pywrap_profiler"
_HOST_TRACER_LEVEL = 2
_MOST_SECONDS = 60.0
_LOOK_SECONDS = 0.1


class Profiler:
  """Traces what TensorFlow does for a while; one trace at a time."""

  def __init__(self, stopping: threading.Event):
    """Args:
    stopping: set when the server stops.
    """
    self._stopping = stopping
    self._one_at_a_time = threading.Lock()

  def handler(self) -> grpc.GenericRpcHandler:
    """What to register with a gRPC server."""
    methods = {"Profile": grpc.unary_unary_rpc_method_handler(self._profile)}
    return grpc.method_handlers_generic_handler("tensorflow.ProfilerService", methods)

  def _profile(self, data: bytes, context: grpc.ServicerContext) -> bytes:
    milliseconds = 0
    try:
      for field, wire_type, value in wire_format.fields(data):
        if field == 1 and wire_type == wire_format.VARINT:
          milliseconds = value
    except ValueError as error:
      context.abort(grpc.StatusCode.INTERNAL, f"Cannot parse the ProfileRequest: {error}")
    if not self._one_at_a_time.acquire(blocking=False):
      context.abort(grpc.StatusCode.ALREADY_EXISTS, "Another profile session is under way")
    try:
      trace = self._trace(min(milliseconds / 1000, _MOST_SECONDS), context)
    finally:
      self._one_at_a_time.release()
    return _response("xplane.pb", trace)

  def _trace(self, seconds: float, context: grpc.ServicerContext) -> bytes:
    """A serialized XSpace."""
    session = native_modules.load(_MODULE).ProfilerSession()
    session.start("", {"host_tracer_level": _HOST_TRACER_LEVEL})
    try:
      end = time.monotonic() + seconds
      while time.monotonic() < end and context.is_active():
        if self._stopping.wait(min(_LOOK_SECONDS, max(end - time.monotonic(), 0.0))):
          break
    finally:
      trace = session.stop()
    return trace


def _response(name: str, data: bytes) -> bytes:
  """ProfileResponse with one ProfileToolData."""
  tool = b"".join(
    wire_format.header(field, len(value)) + value
    for field, value in ((1, name.encode()), (2, data))
  )
  return wire_format.header(6, len(tool)) + tool
