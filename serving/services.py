"""The gRPC services: PredictionService and ModelService, on top of `serving.inference`.

Messages stay bytes on the way through gRPC. Methods that are not registered answer UNIMPLEMENTED.
"""

import logging
import threading
from collections.abc import Callable

import grpc

from serving import errors, inference

_log = logging.getLogger("serving")

# A request with this metadata set to 1 gets its tensors as `tensor_content`.
TENSOR_CONTENT_METADATA = "x-tensor-content"

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_MOST_TIMEOUT_MS = 2**31 - 1

_Method = Callable[[bytes, inference.Call], bytes]


class Services:
  """Answers gRPC requests."""

  def __init__(self, answering: inference.Inference):
    """Args:
    answering: what answers them.
    """
    self._inference = answering
    self._changed = threading.Condition()
    self._under_way = 0

  def wait_until_idle(self, timeout: float) -> bool:
    """Waits until no request is being answered; returns whether that came about."""
    with self._changed:
      return self._changed.wait_for(lambda: not self._under_way, timeout)

  def handlers(self) -> list[grpc.GenericRpcHandler]:
    """What to register with a gRPC server."""
    prediction = {
      "Predict": self._inference.predict,
      "Classify": self._inference.classify,
      "Regress": self._inference.regress,
      "MultiInference": self._inference.multi_inference,
      "GetModelMetadata": self._inference.get_model_metadata,
    }
    model = {
      "GetModelStatus": self._inference.get_model_status,
      "HandleReloadConfigRequest": self._inference.reload,
    }
    return [
      self._handler("tensorflow.serving.PredictionService", prediction),
      self._handler("tensorflow.serving.ModelService", model),
    ]

  def _handler(self, service: str, methods: dict[str, _Method]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
      service,
      {
        name: grpc.unary_unary_rpc_method_handler(self._reporting(method))
        for name, method in methods.items()
      },
    )

  def _reporting(self, method: _Method) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    """The method, counted, its errors as gRPC statuses; whatever happens, the server goes on."""

    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
      self._count(1)
      try:
        return method(data, _call(context))
      except errors.StatusError as error:
        status = error
      except MemoryError:
        status = errors.StatusError("RESOURCE_EXHAUSTED", "Out of memory")
      except Exception as error:
        _log.exception("%s failed", method.__name__)
        status = errors.StatusError("INTERNAL", f"{type(error).__name__}: {error}")
      finally:
        self._count(-1)
      return context.abort(_STATUS_CODES[status.number], status.details)

    return answer

  def _count(self, change: int) -> None:
    with self._changed:
      self._under_way += change
      self._changed.notify_all()


def _call(context: grpc.ServicerContext) -> inference.Call:
  return inference.Call(
    entrypoint="GRPC",
    timeout_ms=_timeout_ms(context),
    as_content=(TENSOR_CONTENT_METADATA, "1") in context.invocation_metadata(),
  )


def _timeout_ms(context: grpc.ServicerContext) -> int | None:
  """How long the client still waits; None if it set no deadline."""
  if not context.is_active():
    raise errors.StatusError("CANCELLED", "The client went away before the request was run")
  remaining = context.time_remaining()
  if remaining is None or remaining * 1000 > _MOST_TIMEOUT_MS:
    return None
  if remaining <= 0:
    raise errors.StatusError("DEADLINE_EXCEEDED", "The deadline passed before the request was run")
  return max(int(remaining * 1000), 1)
