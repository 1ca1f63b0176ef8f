"""Classify and regress over JSON: from a document to tf.Examples.

Integers and booleans become int64_list, numbers with a point or exponent float_list, strings and
{"b64": ...} objects bytes_list (util/json_tensor.cc MakeExampleFromJsonObject).
"""

from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow_serving.apis import input_pb2

from serving import errors, json_document, json_values

_CONTEXT = "context"
_EXAMPLES = "examples"
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
_INT64 = range(-(2**63), 2**63)
_UINT64 = range(2**64)
_MOST_FLOAT = 3.4028234663852886e38


def fill(document: json_document.Document, request: input_pb2.Input) -> None:
  """Gives a request the examples and the context that a document holds.

  Raises:
    errors.StatusError: TensorFlow Serving's.
  """
  context = document.value.get(_CONTEXT)
  if _CONTEXT in document.value:
    _fill_example(document, context, request.example_list_with_context.context)
  if _EXAMPLES not in document.value:
    message = "When method is classify, key 'examples' is expected and was not found"
    raise json_document.value_error(document.value, message)
  examples = document.value[_EXAMPLES]
  if type(examples) is not list:
    message = "Expecting 'examples' value to be an list/array"
    raise json_document.value_error(document.value, message)
  if not examples:
    raise json_document.value_error(document.value, "'examples' value is an empty array")
  has_context = _CONTEXT in document.value
  made = request.example_list_with_context if has_context else request.example_list
  for example in examples:
    _fill_example(document, example, made.examples.add())


def _fill_example(
  document: json_document.Document, value: object, example: example_pb2.Example
) -> None:
  if type(value) is not dict:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"Example must be JSON object but got JSON {json_document.type_name(value)}",
    )
  for name, content in value.items():
    key = document.encode(name).decode("utf-8", "replace")
    feature = example.features.feature[key]
    for item in content if type(content) is list else [content]:
      _add(document, item, key, feature)


def _add(
  document: json_document.Document, value: object, name: str, feature: feature_pb2.Feature
) -> None:
  """Adds a JSON value to a feature."""
  kind, converted = _converted(document, value, name)
  given = feature.WhichOneof("kind")
  if given not in (None, kind):
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"Unexpected element type in feature: {name} expecting type: {_KINDS[given]}",
    )
  getattr(feature, kind).value.append(converted)


def _converted(
  document: json_document.Document, value: object, name: str
) -> tuple[str, bytes | float | int]:
  """The kind of list that a JSON value belongs to, and what it is there."""
  given = type(value)
  if given is str:
    return "bytes_list", document.encode(value)
  if given is bool:
    return "int64_list", int(value)
  if given is int and value in _INT64:
    return "int64_list", value
  if given is int and value in _UINT64:
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Feature: {name} has uint64 element. Only int64 is supported."
    )
  if given in (int, float):
    return "float_list", _decimal(document, value)
  if json_values.is_b64(value):
    return "bytes_list", json_values.decode_b64(value)
  raise errors.StatusError(
    "INVALID_ARGUMENT",
    f"Feature: {name} has element with unexpected JSON type: {json_document.type_name(value)}",
  )


def _decimal(document: json_document.Document, value: float) -> float:
  try:
    number = float(value)
  except OverflowError as error:
    raise document.too_big() from error
  document.check_finite(number)
  if _MOST_FLOAT < abs(number) < float("inf"):
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"Cannot convert JSON value: {json_document.show(value)} to float without loss of precision.",
    )
  return number
