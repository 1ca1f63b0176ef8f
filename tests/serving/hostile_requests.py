"""Endless random and malformed requests, each with the status codes that are right for it.

Everything follows from one seed, so that a failure can be repeated. What is right is judged by
protocol buffers' own parser and a few lines of rules, not by the server's.
"""

import dataclasses
import math
import random
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from google.protobuf import message, unknown_fields
from tensorflow_serving.apis import (
  classification_pb2,
  get_model_metadata_pb2,
  get_model_status_pb2,
  inference_pb2,
  model_pb2,
  predict_pb2,
  regression_pb2,
)

from tests.serving import exports

_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"
_KINDS = {
  _PREDICTION + "Predict": predict_pb2.PredictRequest,
  _PREDICTION + "Classify": classification_pb2.ClassificationRequest,
  _PREDICTION + "Regress": regression_pb2.RegressionRequest,
  _PREDICTION + "MultiInference": inference_pb2.MultiInferenceRequest,
  _PREDICTION + "GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
  _MODEL + "GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
}
_SIGNATURES = {
  "": {"x": 1},
  "serving_default": {"x": 1},
  "image": {"image": 4},
  "types": {"x": 1},
  "join": {"a": 7, "b": 7},
}
_UNPARSABLE = frozenset({"INTERNAL", "INVALID_ARGUMENT"})
_ANY_SANE = _UNPARSABLE | {"OK", "NOT_FOUND", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED"}
_LARGE = 1 << 20  # bytes that an input takes, from which on the server may refuse it


@dataclasses.dataclass(frozen=True)
class Hostile:
  """A request over gRPC.

  Attributes:
    method: full name of the method.
    data: serialized message, or what passes for one.
    right: names of the status codes that are right.
  """

  method: str
  data: bytes
  right: frozenset[str]


def grpc_requests(seed: int) -> Iterator[Hostile]:
  """Requests for a server that has a `exports.HalfPlus` as version 1 of the model "default"."""
  rng = random.Random(seed)
  while True:
    method = rng.choice(list(_KINDS)) if rng.random() < 0.4 else _PREDICTION + "Predict"
    way = rng.random()
    if way < 0.02:
      name = "".join(rng.choices("abcXYZ/._%\u00e9", k=rng.randrange(12)))
      service = rng.choice((_PREDICTION, _MODEL, "/tensorflow.serving.SessionService/", "/"))
      if service + name not in _KINDS:
        ascii_name = name.encode("ascii", "replace").decode()
        yield Hostile(service + ascii_name, rng.randbytes(9), frozenset({"UNIMPLEMENTED"}))
      continue
    if way < 0.15:
      data = rng.randbytes(rng.randrange(200))
    else:
      data = _message(rng, method).SerializeToString()
      if way < 0.7:
        data = mutated(rng, data)
    yield Hostile(method, data, _right(method, data))


def _message(rng: random.Random, method: str) -> message.Message:
  if method.endswith("Predict"):
    return _predict_request(rng)
  made = _KINDS[method]()
  if method.endswith("MultiInference"):
    for _ in range(rng.randrange(3)):
      task = made.tasks.add(method_name=rng.choice(("tensorflow/serving/classify", "x", "")))
      task.model_spec.CopyFrom(_spec(rng))
  elif rng.random() < 0.9:
    made.model_spec.CopyFrom(_spec(rng))
  if method.endswith("Metadata"):
    made.metadata_field.extend(rng.choices(("signature_def", "x"), (9, 1), k=rng.randrange(3)))
  elif not method.endswith("Status"):
    for _ in range(rng.randrange(3)):
      example = made.input.example_list.examples.add()
      example.features.feature["x"].float_list.value.append(rng.random())
  return made


def _predict_request(rng: random.Random) -> predict_pb2.PredictRequest:
  made = predict_pb2.PredictRequest()
  if rng.random() < 0.97:
    made.model_spec.CopyFrom(_spec(rng))
  declared = _SIGNATURES.get(made.model_spec.signature_name, {"x": 1})
  for alias, dtype in declared.items():
    if rng.random() < 0.5:
      made.inputs[alias].CopyFrom(_good_tensor(rng, dtype, made.model_spec.signature_name))
    elif rng.random() < 0.95:
      made.inputs[alias].CopyFrom(_random_tensor(rng, dtype))
  if rng.random() < 0.05:
    made.inputs[rng.choice(("extra", "", "x", "\u00e9"))].CopyFrom(_random_tensor(rng, 1))
  if rng.random() < 0.2:
    made.output_filter.extend(rng.choices(("y", "sums", "joined", "nope", ""), k=rng.randrange(3)))
  return made


def _spec(rng: random.Random) -> model_pb2.ModelSpec:
  spec = model_pb2.ModelSpec(name=rng.choices(("default", "", "nope"), (20, 1, 1))[0])
  spec.signature_name = rng.choices(
    [*_SIGNATURES, "nope", "__saved_model_init_op", "n" * 2000], [6] * len(_SIGNATURES) + [1, 1, 1]
  )[0]
  way = rng.random()
  if way < 0.05:
    spec.version.value = rng.choice((0, 1, 2, -1, 2**63 - 1))
  elif way < 0.08:
    spec.version_label = rng.choice(("stable", ""))
  return spec


def _good_tensor(rng: random.Random, dtype: int, signature: str):
  rows = rng.randrange(4)
  if dtype == 7:
    return tf.make_tensor_proto(np.array([rng.randbytes(rng.randrange(50))] * 2, object), tf.string)
  if signature == "image":
    return tf.make_tensor_proto(np.zeros([rows, 8, 8, 3], np.uint8))
  shape = [rows] if signature == "types" else [rows, 1]
  return tf.make_tensor_proto(np.full(shape, rng.uniform(-9, 9), np.float32))


def _random_tensor(rng: random.Random, dtype: int):
  """A TensorProto whose parts know nothing of each other."""
  made = tf.make_tensor_proto(0.0)
  made.Clear()
  made.dtype = dtype if rng.random() < 0.8 else rng.choice((0, *range(1, 31), 101, 9999))
  sizes = (0, 1, 1, 2, 3, 8, -1, 1000, 2**20, 2**31, 2**40, 2**62, -(2**63))
  for _ in range(rng.choice((0, 1, 1, 2, 3, 4, 4, 5, 300))):
    made.tensor_shape.dim.add(
      size=rng.choice(sizes[:6]) if rng.random() < 0.9 else rng.choice(sizes)
    )
  made.tensor_shape.unknown_rank = rng.random() < 0.02
  for field in rng.choices(made.DESCRIPTOR.fields, k=rng.randrange(3)):
    values = getattr(made, field.name)
    if field.name == "tensor_content":
      made.tensor_content = rng.randbytes(rng.choice((0, 1, 4, 8, 192, 1000)))
    elif field.name.endswith("float_val") or field.name.endswith("complex_val"):
      values.extend([rng.uniform(-1, 1)] * rng.choice((0, 1, 1, 2, 8, 9)))
    elif field.name == "double_val":
      values.append(float("nan"))
    elif field.name == "string_val":
      values.extend([rng.randbytes(5)] * rng.choice((1, 1, 2, 100)))
    elif field.name.endswith("_val") and field.message_type is not None:
      values.add()
    elif field.name == "bool_val":
      values.append(True)
    elif field.name.endswith("_val") and field.name != "float8_val":
      values.extend([rng.choice((0, 1, 255, 2**31 - 1))] * rng.randrange(4))
  return made


def mutated(rng: random.Random, data: bytes) -> bytes:
  """The bytes, cut off, repeated or changed in some places."""
  if not data:
    return rng.randbytes(3)
  changed = bytearray(data)
  way = rng.random()
  if way < 0.3:
    del changed[rng.randrange(len(changed)) :]
  elif way < 0.4:
    changed += changed[: rng.randrange(len(changed)) + 1]
  else:
    for _ in range(rng.choice((1, 1, 2, 8))):
      place = rng.randrange(len(changed) + 1)
      if rng.random() < 0.6 and place < len(changed):
        changed[place] = rng.randrange(256)
      elif rng.random() < 0.5:
        changed.insert(place, rng.choice((0, 1, 0x7F, 0x80, 0xFF)))
      else:
        del changed[place : place + rng.randrange(4)]
  return bytes(changed)


def _right(method: str, data: bytes) -> frozenset[str]:
  try:
    parsed = _KINDS[method].FromString(data)
  except message.DecodeError:
    # Predict reads some parts of the message later than others, and so may first complain of those.
    return _ANY_SANE if method.endswith("Predict") else frozenset({"INTERNAL"})
  if method.endswith("Predict"):
    return _right_for_predict(parsed)
  if method.endswith("Status"):
    return _right_for_status(parsed)
  if method.endswith("Metadata"):
    wrong = _right_for_spec(parsed.model_spec if parsed.HasField("model_spec") else None)
    if set(parsed.metadata_field) != {"signature_def"}:
      return frozenset({"INVALID_ARGUMENT"}) | (wrong or frozenset())
    return wrong or frozenset({"OK"})
  if method.endswith("MultiInference"):
    return frozenset({"INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED"})
  return _right_for_spec(parsed.model_spec) or frozenset({"INVALID_ARGUMENT"})


def _right_for_spec(spec: model_pb2.ModelSpec | None) -> frozenset[str] | None:
  """What is wrong with a model spec; None if nothing."""
  if spec is None or not spec.name:
    return frozenset({"INVALID_ARGUMENT"})
  if spec.HasField("version_label"):
    return frozenset({"INVALID_ARGUMENT"})
  if spec.name != "default" or (spec.HasField("version") and spec.version.value != 1):
    return frozenset({"NOT_FOUND"})
  return None


def _right_for_status(parsed: get_model_status_pb2.GetModelStatusRequest) -> frozenset[str]:
  if not parsed.HasField("model_spec"):
    return frozenset({"INVALID_ARGUMENT"})
  spec = parsed.model_spec
  found = spec.name == "default" and (not spec.HasField("version") or spec.version.value == 1)
  return frozenset({"OK" if found else "NOT_FOUND"})


def _right_for_predict(parsed: predict_pb2.PredictRequest) -> frozenset[str]:
  wrong = _right_for_spec(parsed.model_spec if parsed.HasField("model_spec") else None)
  if wrong:
    return wrong
  name = parsed.model_spec.signature_name
  if name in ("__saved_model_init_op", "slow"):
    return _ANY_SANE
  if name not in _SIGNATURES:
    return frozenset({"FAILED_PRECONDITION"})
  declared = _SIGNATURES[name]
  if any(field.field_number == 2 for field in unknown_fields.UnknownFieldSet(parsed)):
    return _ANY_SANE  # inputs with unknown fields: not there for this parser, but for C++'s
  if set(parsed.inputs) != set(declared):
    return frozenset({"INVALID_ARGUMENT"})
  judged = [_judged(parsed.inputs[alias], dtype) for alias, dtype in declared.items()]
  if "large" in judged:
    return frozenset({"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"})
  if len(set(parsed.output_filter)) < len(parsed.output_filter):
    return frozenset({"INVALID_ARGUMENT"})
  if "good" not in judged or len(set(judged)) > 1:
    return frozenset({"OK", "INVALID_ARGUMENT"})
  if name in ("", "serving_default"):
    return frozenset({"OK" if set(parsed.output_filter) <= {"y"} else "INVALID_ARGUMENT"})
  return frozenset({"OK", "INVALID_ARGUMENT"})


def _judged(proto, dtype: int) -> str:
  sizes = [dim.size for dim in proto.tensor_shape.dim]
  if math.prod(max(size, 1) for size in sizes) * (24 + len(proto.SerializeToString())) > _LARGE:
    return "large"
  if proto.dtype != dtype or proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
    return "bad"
  if len(sizes) > 254 or proto.dtype == 7 or not (proto.float_val or proto.tensor_content):
    return "unclear"
  if len(proto.float_val) > math.prod(sizes):
    return "unclear"
  try:
    tf.make_ndarray(proto)
  except (TypeError, ValueError):
    return "bad"
  return "good" if proto.dtype == 1 else "unclear"


def good_request() -> predict_pb2.PredictRequest:
  """One whose answer is 3.0."""
  return exports.request(x=np.float32([[2]]))
