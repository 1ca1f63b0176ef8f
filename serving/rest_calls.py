"""What the URLs of the REST API do: from JSON to a model and back."""

import contextlib
import json
import time
from collections.abc import Iterator

from google.protobuf import json_format
from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  model_pb2,
  predict_pb2,
  regression_pb2,
)

from serving import (
  content_coding,
  errors,
  inference as inference_lib,
  json_document,
  json_example,
  json_output,
  json_tensor,
  memory_budget,
  predict,
  rest_messages,
  rest_routes,
  served_model,
)

VERSION_HEADER = "X-Model-Version"

_Answer = tuple[bytes, dict[str, str]]  # body, headers

_MOST_MEMORY = 2 * 2**30  # bytes, for all documents that are being read
_SIGNATURE_DEF = "signature_def"
_PRINTED_FIELDS = {"including_default_value_fields": True, "preserving_proto_field_name": True}


class Calls:
  """The API's actions over the models of a server."""

  def __init__(self, inference: inference_lib.Inference):
    self._inference = inference
    self._memory = memory_budget.MemoryBudget(_MOST_MEMORY)

  def answer(
    self, route: rest_routes.Route, request: rest_messages.Request, deadline: float | None
  ) -> _Answer:
    """Body and headers of the answer.

    Args:
      route: what the URL asks for.
      request: the whole request.
      deadline: time.monotonic() by which to answer; None for any.

    Raises:
      errors.StatusError: TensorFlow Serving's.
      rest_messages.HttpError: for what only HTTP has a status for.
    """
    _call(deadline)  # refuses what has waited too long for a thread
    actions = {
      "predict": self._predict,
      "classify": self._classify,
      "regress": self._regress,
      "metadata": self._metadata,
      "status": self._status,
      "models": self._all_models,
    }
    return actions[route.action](route.spec, request, deadline)

  def readiness(self) -> tuple[bool, str]:
    """Whether the server has what it is to serve, and a line about each model.

    A model that failed or has no version makes it no less ready, as long as another one serves.
    """
    outcomes = {
      name: model.outcome for name, model in sorted(self._inference.models.configured().items())
    }
    states = outcomes.values()
    is_ready = served_model.Outcome.UNKNOWN not in states and (
      not outcomes or served_model.Outcome.SERVING in states
    )
    lines = [f"{name}: {outcome.name.lower()}\n" for name, outcome in outcomes.items()]
    return is_ready, "".join(lines) or "no models\n"

  def _predict(
    self, spec: model_pb2.ModelSpec, request: rest_messages.Request, deadline: float | None
  ) -> _Answer:
    with self._document(request, deadline) as document:
      spec.signature_name = json_tensor.signature_name(document)
      dtypes = self._input_types(spec)
      in_rows = json_tensor.is_in_rows(document)
      tensors = json_tensor.inputs(document, dtypes)
    data = json_tensor.predict_request(spec.SerializeToString(), tensors)
    del document, tensors
    answer = self._inference.predict(data, _call(deadline))
    response = predict_pb2.PredictResponse.FromString(answer)
    return json_output.predictions(response, in_rows), _version(response)

  def _input_types(self, spec: model_pb2.ModelSpec) -> dict[str, int]:
    """Name to DataType number of a signature's inputs."""
    name = spec.signature_name or predict.DEFAULT_SIGNATURE
    with self._inference.models.use(spec) as servable:
      signature = servable.model.signature_defs.get(name)
      if signature is None:
        raise errors.StatusError(
          "INVALID_ARGUMENT", f'Serving signature name: "{name}" not found in signature def'
        )
      types = {alias: info.dtype for alias, info in signature.inputs.items()}
    if not types:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Failed to get input map for signature: {spec.signature_name or 'DEFAULT'}",
      )
    return types

  def _classify(
    self, spec: model_pb2.ModelSpec, request: rest_messages.Request, deadline: float | None
  ) -> _Answer:
    message = classification_pb2.ClassificationRequest(model_spec=spec)
    self._fill(message, request, deadline)
    answer = self._inference.classify(message.SerializeToString(), _call(deadline))
    response = classification_pb2.ClassificationResponse.FromString(answer)
    return json_output.classifications(response), _version(response)

  def _regress(
    self, spec: model_pb2.ModelSpec, request: rest_messages.Request, deadline: float | None
  ) -> _Answer:
    message = regression_pb2.RegressionRequest(model_spec=spec)
    self._fill(message, request, deadline)
    answer = self._inference.regress(message.SerializeToString(), _call(deadline))
    response = regression_pb2.RegressionResponse.FromString(answer)
    return json_output.regressions(response), _version(response)

  def _fill(self, message, request: rest_messages.Request, deadline: float | None) -> None:
    """Gives a request on examples its signature and examples."""
    with self._document(request, deadline) as document:
      message.model_spec.signature_name = json_tensor.signature_name(document)
      json_example.fill(document, message.input)

  def _metadata(
    self, spec: model_pb2.ModelSpec, request: rest_messages.Request, deadline: float | None
  ) -> _Answer:
    del request
    message = get_model_metadata_pb2.GetModelMetadataRequest(
      model_spec=spec, metadata_field=[_SIGNATURE_DEF]
    )
    answer = self._inference.get_model_metadata(message.SerializeToString(), _call(deadline))
    response = get_model_metadata_pb2.GetModelMetadataResponse.FromString(answer)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[_SIGNATURE_DEF].Unpack(signatures)
    # Layout: model_servers/http_rest_api_util.cc.
    body = (
      f'{{\n"model_spec":{_printed(response.model_spec)},\n"metadata": '
      f'{{"signature_def": {_printed(signatures)}}}\n}}\n'
    )
    return body.encode(), _version(response)

  def _status(
    self, spec: model_pb2.ModelSpec, request: rest_messages.Request, deadline: float | None
  ) -> _Answer:
    del request
    return _printed(self._statuses(spec, deadline)).encode(), {}

  def _all_models(
    self, spec: model_pb2.ModelSpec, request: rest_messages.Request, deadline: float | None
  ) -> _Answer:
    """The list of all models, each with what `status` says."""
    del spec, request
    models = []
    for name in sorted(self._inference.models.configured()):
      try:
        statuses = self._statuses(model_pb2.ModelSpec(name=name), deadline)
      except errors.StatusError:  # nothing on disk yet
        statuses = get_model_status_pb2.GetModelStatusResponse()
      models.append({"name": name} | json_format.MessageToDict(statuses, **_PRINTED_FIELDS))
    return json.dumps({"models": models}, indent=1, ensure_ascii=False).encode() + b"\n", {}

  def _statuses(
    self, spec: model_pb2.ModelSpec, deadline: float | None
  ) -> get_model_status_pb2.GetModelStatusResponse:
    message = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
    answer = self._inference.get_model_status(message.SerializeToString(), _call(deadline))
    return get_model_status_pb2.GetModelStatusResponse.FromString(answer)

  @contextlib.contextmanager
  def _document(
    self, request: rest_messages.Request, deadline: float | None
  ) -> Iterator[json_document.Document]:
    """The request's body, read; the memory that this takes is accounted for during the block."""
    body = content_coding.decoded(request)
    left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
    size = json_document.memory_estimate(body)
    with self._memory.held(size, left) as is_enough:
      if not is_enough:
        raise rest_messages.HttpError(
          413 if size > self._memory.limit else 503,
          f"Reading this request may take {size} bytes of memory; all requests together get "
          f"{self._memory.limit}",
        )
      yield json_document.parse(body)


def _call(deadline: float | None) -> inference_lib.Call:
  """How the request came, and how much time it has left."""
  if deadline is None:
    return inference_lib.Call("REST", as_content=True)
  left = int((deadline - time.monotonic()) * 1e3)
  if left <= 0:
    raise errors.StatusError(
      "DEADLINE_EXCEEDED", "The time for the request (--rest_api_timeout_in_ms) is over"
    )
  return inference_lib.Call("REST", timeout_ms=left, as_content=True)


def _version(response) -> dict[str, str]:
  return {VERSION_HEADER: str(response.model_spec.version.value)}


def _printed(message) -> str:
  """A message as TensorFlow Serving prints it: all fields, under their own names."""
  return json_format.MessageToJson(message, indent=1, **_PRINTED_FIELDS) + "\n"
