"""The requests and answers of TensorFlow Serving's services, written and read by hand.

Field numbers: tensorflow_serving/apis/{model,predict,get_model_status,get_model_metadata}.proto and
tensorflow/core/protobuf/meta_graph.proto. What does not decode raises ValueError.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
import numpy as np

from serving import wire_format
from serving.client import tensors

_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclasses.dataclass(frozen=True)
class ModelSpec:
  """Which model is asked, or has answered.

  Attributes:
    name: of the model on its server.
    version: None for the newest that serves; in an answer, the one that answered.
    label: a version's label instead of its number.
    signature: empty for "serving_default".
  """

  name: str
  version: int | None = None
  label: str | None = None
  signature: str = ""

  def __post_init__(self):
    if self.version is not None and self.label is not None:
      raise ValueError(
        f"Give a version or a label, not both. Received: version={self.version}, label={self.label!r}."
      )

  def encode(self) -> bytes:
    data = _text(1, self.name)
    if self.version is not None:
      number = wire_format.tag(1, wire_format.VARINT) + wire_format.varint(self.version)
      data += wire_format.header(2, len(number)) + number
    data += _text(3, self.signature) if self.signature else b""
    return data + (_text(4, self.label) if self.label is not None else b"")

  @classmethod
  def decode(cls, data: bytes, start: int, end: int) -> "ModelSpec":
    name, version, signature = "", None, ""
    for field, value in _messages(data, start, end):
      if field == 1:
        name = data[slice(*value)].decode()
      elif field == 2:
        version = _number(data, value, 1)
      elif field == 3:
        signature = data[slice(*value)].decode()
    return cls(name, version, None, signature)


@dataclasses.dataclass(frozen=True)
class VersionStatus:
  """One version of a model on a server.

  Attributes:
    version: its number.
    state: "START", "LOADING", "AVAILABLE" (it answers), "UNLOADING" or "END" (gone, or failed).
    code: "OK", or why it failed.
    message: the same in words.
  """

  version: int
  state: str
  code: str
  message: str


@dataclasses.dataclass(frozen=True)
class TensorInfo:
  """An input or an output of a signature.

  Attributes:
    dtype: numpy's name of the type; "string" for bytes.
    shape: -1 where the size is open; None if the rank is.
  """

  dtype: str
  shape: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class Signature:
  """What a model takes and gives under one name.

  Attributes:
    inputs: alias -> tensor.
    outputs: alias -> tensor.
    method_name: such as "tensorflow/serving/predict".
  """

  inputs: Mapping[str, TensorInfo]
  outputs: Mapping[str, TensorInfo]
  method_name: str


@dataclasses.dataclass(frozen=True)
class Metadata:
  """A model's signatures.

  Attributes:
    spec: which version it is of.
    signatures: by name.
  """

  spec: ModelSpec
  signatures: Mapping[str, Signature]


def predict_request(
  spec: ModelSpec,
  inputs: Mapping[str, Any],
  outputs: Sequence[str] = (),
  as_content: bool = True,
) -> bytes:
  """A PredictRequest.

  Args:
    spec: the model.
    inputs: alias -> array, see `tensors.encode`.
    outputs: aliases wanted; empty for all.
    as_content: see `tensors.encode`.
  """
  encoded = spec.encode()
  pieces = [wire_format.header(1, len(encoded)), encoded]
  for alias, value in inputs.items():
    tensor = tensors.encode(value, as_content)
    size = sum(len(piece) for piece in tensor)
    head = _text(1, alias) + wire_format.header(2, size)
    pieces += [wire_format.header(2, len(head) + size), head, *tensor]
  pieces += [_text(3, alias) for alias in outputs]
  return b"".join(pieces)


def predict_response(data: bytes) -> tuple[ModelSpec, dict[str, np.ndarray]]:
  """The answering model and the outputs of a PredictResponse."""
  spec, outputs = ModelSpec(""), {}
  for field, value in _messages(data):
    if field == 2:
      spec = ModelSpec.decode(data, *value)
    elif field == 1:
      alias, place = _entry(data, value)
      try:
        outputs[alias] = tensors.decode(data, *place)
      except ValueError as error:
        raise ValueError(f"output {alias!r}: {error}") from error
  return spec, outputs


def status_request(spec: ModelSpec) -> bytes:
  """A GetModelStatusRequest."""
  encoded = spec.encode()
  return wire_format.header(1, len(encoded)) + encoded


def status_response(data: bytes) -> list[VersionStatus]:
  """The versions of a GetModelStatusResponse."""
  return [_version_status(data, value) for field, value in _messages(data) if field == 1]


def metadata_request(spec: ModelSpec) -> bytes:
  """A GetModelMetadataRequest for the signatures."""
  return status_request(spec) + _text(2, "signature_def")


def metadata_response(data: bytes) -> Metadata:
  """The signatures of a GetModelMetadataResponse."""
  spec, signatures = ModelSpec(""), {}
  for field, value in _messages(data):
    if field == 1:
      spec = ModelSpec.decode(data, *value)
    elif field == 2:
      name, packed = _entry(data, value)
      # google.protobuf.Any: the type's name, and its bytes in field 2.
      contents = [place for number, place in _messages(data, *packed) if number == 2]
      if name == "signature_def":
        for place in contents:
          signatures.update(_signatures(data, place))
  return Metadata(spec, signatures)


def _version_status(data, place):
  number, state, code, message = 0, 0, 0, ""
  for field, kind, value in wire_format.fields(data, *place):
    if field == 1 and kind == wire_format.VARINT:
      number = _signed(value)
    elif field == 2 and kind == wire_format.VARINT:
      state = value
    elif field == 3 and kind == wire_format.LENGTH_DELIMITED:
      code = _number(data, value, 1)
      texts = [data[slice(*text)] for part, text in _messages(data, *value) if part == 2]
      message = b"".join(texts).decode(errors="replace")
  return VersionStatus(number, _STATES.get(state, str(state)), _CODES.get(code, str(code)), message)


def _signatures(data, place):
  return {
    name: _signature(data, inside)
    for name, inside in (
      _entry(data, value) for field, value in _messages(data, *place) if field == 1
    )
  }


def _signature(data, place):
  sides, method_name = {1: {}, 2: {}}, ""
  for field, value in _messages(data, *place):
    if field in sides:
      alias, inside = _entry(data, value)
      sides[field][alias] = _tensor_info(data, inside)
    elif field == 3:
      method_name = data[slice(*value)].decode()
  return Signature(sides[1], sides[2], method_name)


def _tensor_info(data, place):
  shape = ()
  for field, value in _messages(data, *place):
    if field == 3:
      shape = tensors.decode_shape(data, *value)
  return TensorInfo(tensors.type_name(_number(data, place, 2)), shape)


def _messages(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple]:
  """(field, place) of the length-delimited fields."""
  for field, kind, value in wire_format.fields(data, start, end):
    if kind == wire_format.LENGTH_DELIMITED:
      yield field, value


def _entry(data, place):
  """An entry of a map with text keys: (key, place of the value)."""
  key, inside = "", (place[1], place[1])
  for field, value in _messages(data, *place):
    if field == 1:
      key = data[slice(*value)].decode()
    elif field == 2:
      inside = value
  return key, inside


def _number(data, place, wanted):
  """A varint field of a message; 0 if it is not there."""
  number = 0
  for field, kind, value in wire_format.fields(data, *place):
    if field == wanted and kind == wire_format.VARINT:
      number = _signed(value)
  return number


def _signed(value):
  return value - (1 << 64) if value >> 63 else value


def _text(field, text):
  encoded = text.encode()
  return wire_format.header(field, len(encoded)) + encoded
