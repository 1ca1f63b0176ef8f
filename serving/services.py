"""The gRPC services: PredictionService and ModelService.

Requests and answers of Predict stay bytes on the way through gRPC: parsing and writing happen once,
in `serving.predict`. Methods that are not registered answer UNIMPLEMENTED.
"""

import logging
import threading
from collections.abc import Callable

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from serving import errors, model_manager, predict

_log = logging.getLogger("serving")

# A request with this metadata set to 1 gets its tensors as `tensor_content`.
TENSOR_CONTENT_METADATA = "x-tensor-content"

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_MOST_TIMEOUT_MS = 2**31 - 1
_SIGNATURE_DEF = "signature_def"

_Method = Callable[[bytes, grpc.ServicerContext], bytes]


class Services:
  """Answers requests with the models of a manager."""

  def __init__(self, models: model_manager.ModelManager, check_method_name: bool):
    """Args:
    models: what to serve.
    check_method_name: refuse signatures with other than TensorFlow Serving's method names.
    """
    self._models = models
    self._check_method_name = check_method_name
    self._changed = threading.Condition()
    self._under_way = 0

  def wait_until_idle(self, timeout: float) -> bool:
    """Waits until no request is being answered; returns whether that came about."""
    with self._changed:
      return self._changed.wait_for(lambda: not self._under_way, timeout)

  def handlers(self) -> list[grpc.GenericRpcHandler]:
    """What to register with a gRPC server."""
    prediction = {"Predict": self.predict, "GetModelMetadata": self.get_model_metadata}
    model = {"GetModelStatus": self.get_model_status}
    return [
      self._handler("tensorflow.serving.PredictionService", prediction),
      self._handler("tensorflow.serving.ModelService", model),
    ]

  def predict(self, data: bytes, context: grpc.ServicerContext) -> bytes:
    """PredictionService.Predict."""
    request = predict.parse(data)
    with self._models.use(request.model_spec) as servable:
      options = predict.Options(
        timeout_ms=_timeout_ms(context),
        as_content=(TENSOR_CONTENT_METADATA, "1") in context.invocation_metadata(),
        check_method_name=self._check_method_name,
      )
      return predict.run(servable.model, servable.version, request, options)

  def get_model_metadata(self, data: bytes, context: grpc.ServicerContext) -> bytes:
    """PredictionService.GetModelMetadata."""
    del context
    request = _parsed(get_model_metadata_pb2.GetModelMetadataRequest, data)
    spec = _spec(request)
    if spec is None:
      raise errors.StatusError("INVALID_ARGUMENT", "Missing ModelSpec")
    if not request.metadata_field:
      raise errors.StatusError(
        "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"
      )
    for field in request.metadata_field:
      if field != _SIGNATURE_DEF:
        raise errors.StatusError("INVALID_ARGUMENT", f"Metadata field {field} is not supported")
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    signatures = get_model_metadata_pb2.SignatureDefMap()
    with self._models.use(spec) as servable:
      response.model_spec.name = spec.name
      response.model_spec.version.value = servable.version
      for name, signature in servable.model.signature_defs.items():
        signatures.signature_def[name].CopyFrom(signature)
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response.SerializeToString()

  def get_model_status(self, data: bytes, context: grpc.ServicerContext) -> bytes:
    """ModelService.GetModelStatus."""
    del context
    request = _parsed(get_model_status_pb2.GetModelStatusRequest, data)
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in self._models.statuses(_spec(request)):
      entry = response.model_version_status.add(version=status.version, state=status.state)
      entry.status.SetInParent()
      if status.error is not None:
        entry.status.error_code = status.error.number
        entry.status.error_message = status.error.message
    return response.SerializeToString()

  def _handler(self, service: str, methods: dict[str, _Method]) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
      service,
      {
        name: grpc.unary_unary_rpc_method_handler(self._reporting(method))
        for name, method in methods.items()
      },
    )

  def _reporting(self, method: _Method) -> _Method:
    """The method, counted, its errors as gRPC statuses; whatever happens, the server goes on."""

    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
      self._count(1)
      try:
        return method(data, context)
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


def _parsed(kind: type, data: bytes):
  try:
    return kind.FromString(data)
  except Exception as error:  # protobuf's DecodeError: no public base in all implementations
    raise errors.StatusError("INTERNAL", f"Cannot parse the {kind.__name__}: {error}") from error


def _spec(request) -> model_pb2.ModelSpec | None:
  return request.model_spec if request.HasField("model_spec") else None
