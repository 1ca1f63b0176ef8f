"""Answers requests with a manager's models; knows no transport.

Serialized messages in and out; `serving.services` puts this on gRPC and `serving.rest_server` on HTTP.
"""

import dataclasses
import time

from tensorflow_serving.apis import (
  get_model_metadata_pb2,
  get_model_status_pb2,
  inference_pb2,
  model_management_pb2,
  model_pb2,
)

from serving import (
  classification,
  errors,
  example_input,
  memory,
  metrics,
  model_manager,
  multi_inference,
  predict,
  reloading,
  timed_model,
)

_SIGNATURE_DEF = "signature_def"
_RUNTIME = "TF1"  # TensorFlow Serving's word for sessions


@dataclasses.dataclass(frozen=True)
class Call:
  """How a request came.

  Attributes:
    entrypoint: "GRPC" or "REST".
    timeout_ms: how long the client still waits; None for ever.
    as_content: answer Predict's tensors as `tensor_content`.
  """

  entrypoint: str = "GRPC"
  timeout_ms: int | None = None
  as_content: bool = False


class Inference:
  """TensorFlow Serving's methods, from serialized request to serialized response.

  Every method raises errors.StatusError with TensorFlow Serving's codes and texts. Runs and Examples
  are counted for both entrypoints, requests for gRPC only: HTTP counts its own, JSON included. As in
  TensorFlow Serving, metadata and status requests over gRPC are not counted.

  Attributes:
    models: what is served.
    metrics: where requests are counted.
  """

  def __init__(
    self,
    models: model_manager.ModelManager,
    counted: metrics.Metrics,
    reloader: reloading.Reloader | None = None,
    check_method_name: bool = False,
  ):
    """Args:
    models: what to serve.
    counted: where requests are counted.
    reloader: takes new configurations; None refuses them.
    check_method_name: refuse signatures with other than TensorFlow Serving's method names.
    """
    self.models = models
    self.metrics = counted
    self._reloader = reloader
    self._check_method_name = check_method_name

  def predict(self, data: bytes, call: Call) -> bytes:
    """PredictRequest to PredictResponse."""
    with _Counted(self, "Predict", call) as counted:
      request = predict.parse(data)
      counted.of(request.model_spec)
      with self.models.use(request.model_spec) as servable:
        options = predict.Options(
          timeout_ms=call.timeout_ms,
          as_content=call.as_content,
          check_method_name=self._check_method_name,
        )
        model = counted.timed(servable.model)
        return predict.run(model, servable.version, request, options)

  def classify(self, data: bytes, call: Call) -> bytes:
    """ClassificationRequest to ClassificationResponse."""
    return self._on_examples(classification.CLASSIFY, data, call)

  def regress(self, data: bytes, call: Call) -> bytes:
    """RegressionRequest to RegressionResponse."""
    return self._on_examples(classification.REGRESS, data, call)

  def multi_inference(self, data: bytes, call: Call) -> bytes:
    """MultiInferenceRequest to MultiInferenceResponse."""
    with _Counted(self, "MultiInference", call) as counted:
      request = parse(inference_pb2.MultiInferenceRequest, data)
      spec = multi_inference.model_spec(request)
      counted.of(spec)
      with self.models.use(spec) as servable:
        model = counted.timed(servable.model)
        response = multi_inference.run(
          model, servable.version, request, call.timeout_ms, self._check_method_name
        )
      counted.examples(example_input.count(request.input))
      return response.SerializeToString()

  def get_model_metadata(self, data: bytes, call: Call) -> bytes:
    """GetModelMetadataRequest to GetModelMetadataResponse."""
    del call
    request = parse(get_model_metadata_pb2.GetModelMetadataRequest, data)
    spec = _spec(request)
    if spec is None:
      raise errors.StatusError("INVALID_ARGUMENT", "Missing ModelSpec")
    _check_metadata_fields(request.metadata_field)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    signatures = get_model_metadata_pb2.SignatureDefMap()
    with self.models.use(spec) as servable:
      response.model_spec.name = spec.name
      response.model_spec.version.value = servable.version
      for name, signature in servable.model.signature_defs.items():
        signatures.signature_def[name].CopyFrom(signature)
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response.SerializeToString()

  def get_model_status(self, data: bytes, call: Call) -> bytes:
    """GetModelStatusRequest to GetModelStatusResponse."""
    del call
    request = parse(get_model_status_pb2.GetModelStatusRequest, data)
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in self.models.statuses(_spec(request)):
      entry = response.model_version_status.add(version=status.version, state=status.state)
      entry.status.SetInParent()
      if status.error is not None:
        entry.status.error_code = status.error.number
        entry.status.error_message = status.error.message
    return response.SerializeToString()

  def reload(self, data: bytes, call: Call) -> bytes:
    """ReloadConfigRequest to ReloadConfigResponse."""
    if self._reloader is None:
      raise errors.StatusError(
        "PERMISSION_DENIED",
        "HandleReloadConfigRequest is switched off on this server (--enable_reload_by_rpc=false)",
      )
    request = parse(model_management_pb2.ReloadConfigRequest, data)
    before = {name: self.metrics.value(name) for name in request.metric_names}
    self._reloader.reload(request.config, call.timeout_ms)
    response = model_management_pb2.ReloadConfigResponse()
    response.status.SetInParent()
    for name in request.metric_names:
      increase = self.metrics.value(name) - before[name]
      response.metric.add(name=name, int64_value_increase=increase)
    return response.SerializeToString()

  def _on_examples(self, method: classification.Method, data: bytes, call: Call) -> bytes:
    with _Counted(self, method.api, call) as counted:
      request = parse(method.request, data)
      spec = _spec(request)
      counted.of(spec)
      with self.models.use(spec) as servable:
        model = counted.timed(servable.model)
        response = method.respond(
          model, servable.version, request, call.timeout_ms, self._check_method_name
        )
      counted.examples(example_input.count(request.input))
      return response.SerializeToString()


class _Counted:
  """A request from its beginning to its end, for the metrics."""

  def __init__(self, inference: Inference, api: str, call: Call):
    self._inference = inference
    self._api = api
    self._call = call
    self._name = ""
    self._model: timed_model.TimedModel | None = None

  def of(self, spec: model_pb2.ModelSpec | None) -> None:
    """Notes which model is asked. Names that are no model's are counted together, under ""."""
    if spec is not None and self._inference.models.is_configured(spec.name):
      self._name = spec.name

  def examples(self, number: int) -> None:
    """Notes how many examples a request brought."""
    self._inference.metrics.examples(self._name, number)

  def timed(self, model) -> timed_model.TimedModel:
    """The model; how long it runs is noted."""
    self._model = timed_model.TimedModel(model)
    return self._model

  def __enter__(self) -> "_Counted":
    self._begin = time.perf_counter()
    return self

  def __exit__(self, kind, error, trace) -> None:
    memory.return_later()
    counted = self._inference.metrics
    if self._model is not None and self._model.has_run:
      counted.ran(self._name, self._api, _RUNTIME, self._model.seconds)
    if self._call.entrypoint == "REST":
      return  # the HTTP side counts the whole request, JSON included
    status = "OK"
    if error is not None:
      status = error.code if isinstance(error, errors.StatusError) else "INTERNAL"
    seconds = time.perf_counter() - self._begin
    counted.answered(self._name, self._api, self._call.entrypoint, status, seconds)


def parse(kind: type, data: bytes):
  """A message from its bytes.

  Raises:
    errors.StatusError: INTERNAL if they are none (gRPC's own code for that).
  """
  try:
    return kind.FromString(data)
  except Exception as error:  # protobuf's DecodeError: no public base in all implementations
    raise errors.StatusError("INTERNAL", f"Cannot parse the {kind.__name__}: {error}") from error


def _spec(request) -> model_pb2.ModelSpec | None:
  return request.model_spec if request.HasField("model_spec") else None


def _check_metadata_fields(fields) -> None:
  if not fields:
    raise errors.StatusError(
      "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"
    )
  for field in fields:
    if field != _SIGNATURE_DEF:
      raise errors.StatusError("INVALID_ARGUMENT", f"Metadata field {field} is not supported")
