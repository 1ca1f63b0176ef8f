"""Predict: from the bytes of a PredictRequest to those of a PredictResponse.

The order of the checks, the codes and the texts are TensorFlow Serving's
(servables/tensorflow/predict_util.cc). Like it, this lets the model judge the inputs' shapes, but for
what would end the process: see `serving.tensor_reading`.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from tensorflow_serving.apis import model_pb2, predict_pb2

from serving import (
  errors,
  saved_model,
  tensor_reading,
  tensor_writing,
  tf_library,
  wire_format,
)

DEFAULT_SIGNATURE = "serving_default"

_METHOD_NAMES = (
  "tensorflow/serving/predict",
  "tensorflow/serving/classify",
  "tensorflow/serving/regress",
)
# A request of more fields than this is put in order by protocol buffers' own, quicker parser.
_MOST_FIELDS = 10_000
_MOST_RESPONSE_BYTES = 2**31 - 1  # protocol buffers' limit, and gRPC's


@dataclasses.dataclass
class Request:
  """A PredictRequest of which only the structure was read.

  Attributes:
    data: the serialized request.
    model_spec: which model is asked; None if the request does not say.
    inputs: alias to the parts (start, end) of `data` that together are the input's TensorProto.
    output_filter: aliases of the outputs to compute; empty means all.
  """

  data: bytes
  model_spec: model_pb2.ModelSpec | None
  inputs: dict[str, list[tuple[int, int]]]
  output_filter: list[str]


@dataclasses.dataclass(frozen=True)
class Options:
  """How to answer.

  Attributes:
    timeout_ms: for the model's run; None is unlimited.
    as_content: send tensors as `tensor_content` rather than in the field of their type.
    check_method_name: refuse signatures whose method name is not one of TensorFlow Serving's three.
  """

  timeout_ms: int | None = None
  as_content: bool = False
  check_method_name: bool = False


def parse(data: bytes) -> Request:
  """Finds the parts of a serialized PredictRequest.

  Raises:
    errors.StatusError: INTERNAL if the bytes are no PredictRequest (gRPC's own code for that).
  """
  spec = None
  request = Request(data, None, {}, [])
  try:
    for number, (field, wire_type, value) in enumerate(wire_format.fields(data)):
      if number == _MOST_FIELDS:
        return _parse_many_fields(data)
      if wire_type != wire_format.LENGTH_DELIMITED:
        continue
      if field == 1:
        spec = (spec or b"") + data[slice(*value)]
      elif field == 2:
        alias, parts = _input(data, *value)
        request.inputs[alias] = parts
      elif field == 3:
        request.output_filter.append(data[slice(*value)].decode())
    if spec is not None:
      request.model_spec = model_pb2.ModelSpec.FromString(spec)
  except Exception as error:
    # protobuf's DecodeError has no public base beside Exception in all of its implementations.
    raise errors.StatusError("INTERNAL", f"Cannot parse the PredictRequest: {error}") from error
  return request


def _parse_many_fields(data: bytes) -> Request:
  """As `parse`; takes little of Python's time, and much memory for large tensors."""
  message = predict_pb2.PredictRequest.FromString(data)
  spec = message.model_spec if message.HasField("model_spec") else None
  inputs, parts = [], {}
  end = 0
  for alias, tensor in message.inputs.items():
    inputs.append(tensor.SerializeToString())
    parts[alias] = [(end, end + len(inputs[-1]))]
    end += len(inputs[-1])
  return Request(b"".join(inputs), spec, parts, list(message.output_filter))


def run(model: saved_model.SavedModel, version: int, request: Request, options: Options) -> bytes:
  """Answers a request.

  Args:
    model: which one to run.
    version: its version, for the answer's model_spec.
    request: what to feed and fetch.
    options: how to answer.

  Returns:
    A serialized PredictResponse.

  Raises:
    errors.StatusError: TensorFlow Serving's codes and texts.
  """
  spec = request.model_spec or model_pb2.ModelSpec()
  name = spec.signature_name or DEFAULT_SIGNATURE
  signature = model.signature(name)
  if signature is None:
    raise errors.StatusError("FAILED_PRECONDITION", f'Serving signature key "{name}" not found.')
  if options.check_method_name:
    _check_method_name(signature)
  _check_number_of_inputs(signature, request)
  with _fed_tensors(signature, request) as feeds:
    aliases = _output_aliases(signature, request)
    head = _model_spec(spec.name, name, version)
    return model.run(
      feeds,
      [signature.outputs[alias] for alias in aliases],
      options.timeout_ms,
      lambda tensors: _response(head, aliases, tensors, options.as_content),
    )


def _input(data: bytes, start: int, end: int) -> tuple[str, list[tuple[int, int]]]:
  """One entry of PredictRequest.inputs: alias, and where its TensorProto is."""
  alias, parts = "", []
  for field, wire_type, value in wire_format.fields(data, start, end):
    if wire_type == wire_format.LENGTH_DELIMITED and field == 1:
      alias = data[slice(*value)].decode()
    elif wire_type == wire_format.LENGTH_DELIMITED and field == 2:
      parts.append(value)
  return alias, parts


def _check_method_name(signature: saved_model.Signature) -> None:
  if signature.method_name not in _METHOD_NAMES:
    raise errors.StatusError(
      "INTERNAL",
      f"Expected prediction signature method_name to be one of {_set(_METHOD_NAMES, ', ')}. "
      f"Was: {signature.method_name}",
    )


def _check_number_of_inputs(signature: saved_model.Signature, request: Request) -> None:
  sent, declared = sorted(request.inputs), sorted(signature.inputs)
  if len(sent) == len(declared) or (len(sent) < len(declared) and signature.defaults):
    return
  extra = [alias for alias in sent if alias not in signature.inputs]
  missing = [alias for alias in declared if alias not in request.inputs]
  raise errors.StatusError(
    "INVALID_ARGUMENT",
    f"input size does not match signature: {len(sent)}!={len(declared)} "
    f"len({_set(sent)}) != len({_set(declared)}). "
    f"Sent extra: {_set(extra)}. Missing but required: {_set(missing)}.",
  )


@contextlib.contextmanager
def _fed_tensors(signature: saved_model.Signature, request: Request) -> Iterator[list]:
  """The inputs as (endpoint, address of a TF_Tensor), for the length of a `with` block."""
  feeds = []
  try:
    for alias, endpoint in signature.inputs.items():
      proto = _input_proto(alias, endpoint, signature.defaults, request)
      feeds.append((endpoint, tensor_reading.read(*proto, alias, endpoint)))
    yield feeds
  finally:
    for _, tensor in feeds:
      tf_library.load().TF_DeleteTensor(tensor)


def _input_proto(
  alias: str,
  endpoint: saved_model.Endpoint,
  defaults: Mapping[str, bytes],
  request: Request,
) -> tuple[bytes, int, int]:
  """The serialized TensorProto to feed: bytes, and where in them it begins and ends."""
  if alias in request.inputs:
    parts = request.inputs[alias]
    if len(parts) == 1:
      return request.data, *parts[0]
    joined = b"".join(request.data[slice(*part)] for part in parts)
    return joined, 0, len(joined)
  if alias in defaults:
    return defaults[alias], 0, len(defaults[alias])
  raise errors.StatusError(
    "INVALID_ARGUMENT",
    f"Signature input alias: {alias}(feed name: {endpoint.name}) not found in request and no "
    "default value provided. Inputs expected to be in the request "
    f"{_set(sorted(request.inputs))}, or default input alias set: {','.join(sorted(defaults))}",
  )


def _output_aliases(signature: saved_model.Signature, request: Request) -> list[str]:
  for position, alias in enumerate(request.output_filter):
    if alias not in signature.outputs:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
        f"{_set(sorted(signature.outputs))}.",
      )
    if alias in request.output_filter[:position]:
      raise errors.StatusError("INVALID_ARGUMENT", f"duplicate output tensor alias: {alias}")
  return request.output_filter or sorted(signature.outputs)


def _model_spec(model: str, signature: str, version: int) -> bytes:
  spec = model_pb2.ModelSpec(name=model, signature_name=signature)
  spec.version.value = version
  return spec.SerializeToString()


def _response(spec: bytes, aliases: list[str], tensors: list[int], as_content: bool) -> bytes:
  pieces = [wire_format.header(2, len(spec)), spec]
  for alias, tensor in zip(aliases, tensors, strict=True):
    key = alias.encode()
    value = tensor_writing.serialize(tensor, as_content=as_content)
    size = sum(len(piece) for piece in value)
    entry = wire_format.header(1, len(key)) + key + wire_format.header(2, size)
    pieces += [wire_format.header(1, len(entry) + size), entry, *value]
  size = sum(len(piece) for piece in pieces)
  if size > _MOST_RESPONSE_BYTES:
    raise errors.StatusError(
      "RESOURCE_EXHAUSTED",
      f"The answer would take {size} bytes; no message may be larger than {_MOST_RESPONSE_BYTES}",
    )
  return b"".join(pieces)


def _set(names: Iterable[str], separator: str = ",") -> str:
  return "{" + separator.join(names) + "}"
