"""Answers as JSON: from response messages to a body, as TensorFlow Serving lays it out.

An answer's outer levels have a line each, its lists of values one line. (TensorFlow Serving gives every
value of columnar answers a line of its own.) Texts: util/json_tensor.cc.
"""

import binascii
import json
from collections.abc import Sequence

import numpy as np
from tensorflow_serving.apis import classification_pb2, predict_pb2, regression_pb2

from serving import errors, json_numbers, json_values

_BYTES_SUFFIX = "_bytes"  # outputs whose names end so are base64
_ERROR_INDENT = 4
_FALLBACK = "surrogateescape"


def error(message: str) -> bytes:
  """The body that reports an error."""
  return json.dumps({"error": message}, indent=_ERROR_INDENT, ensure_ascii=False).encode(
    "utf-8", "replace"
  )


def predictions(response: predict_pb2.PredictResponse, in_rows: bool) -> bytes:
  """The answer to predict.

  Args:
    response: with tensors as `tensor_content`.
    in_rows: whether the request was in rows.

  Raises:
    errors.StatusError: if the outputs have no common batch size, or a type that JSON cannot hold.
  """
  if not response.outputs:
    raise errors.StatusError("INVALID_ARGUMENT", "Cannot convert empty tensor map to JSON")
  arrays = {name: _array(response.outputs[name]) for name in sorted(response.outputs)}
  if not in_rows:
    return b"".join(_columns(arrays))
  _check_batch(arrays)
  return b"".join(_rows(arrays))


def classifications(response: classification_pb2.ClassificationResponse) -> bytes:
  """The answer to classify.

  Raises:
    errors.StatusError: if there is none.
  """
  results = response.result.classifications
  if not results:
    raise errors.StatusError(
      "INVALID_ARGUMENT", "Cannot convert empty ClassificationResults to JSON"
    )
  texts = []
  for result in results:
    pairs = (
      f"[{_quoted(entry.label)}, {json_numbers.text(entry.score)}]" for entry in result.classes
    )
    texts.append(f"[{', '.join(pairs)}]")
  return f'{{\n    "results": [{", ".join(texts)}\n    ]\n}}'.encode("utf-8", _FALLBACK)


def regressions(response: regression_pb2.RegressionResponse) -> bytes:
  """The answer to regress.

  Raises:
    errors.StatusError: if there is none.
  """
  values = [json_numbers.text(result.value) for result in response.result.regressions]
  if not values:
    raise errors.StatusError("INVALID_ARGUMENT", "Cannot convert empty RegressionResults to JSON")
  return f'{{\n    "results": [{", ".join(values)}]\n}}'.encode()


def _array(proto) -> np.ndarray:
  """A TensorProto's values; strings are bytes objects."""
  shape = [dim.size for dim in proto.tensor_shape.dim]
  if proto.dtype == json_values.STRING:
    values = np.empty(len(proto.string_val), object)
    values[:] = proto.string_val
    return values.reshape(shape)
  kind = json_values.NUMPY_TYPES.get(proto.dtype)
  if kind is None:
    raise errors.StatusError(
      "UNIMPLEMENTED",
      "Failed to write JSON value for tensor type: "
      f"{json_values.TYPE_NAMES.get(proto.dtype, proto.dtype)}",
    )
  return np.frombuffer(proto.tensor_content, kind).reshape(shape)


def _check_batch(arrays: dict[str, np.ndarray]) -> None:
  expected = None
  for name, array in arrays.items():
    if not array.ndim:
      raise errors.StatusError("INVALID_ARGUMENT", f"Tensor name: {name} has no shape information ")
    if expected is not None and len(array) != expected:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {expected}",
      )
    expected = len(array)


def _rows(arrays: dict[str, np.ndarray]) -> list[bytes]:
  batch = len(next(iter(arrays.values())))
  pieces = [b'{\n    "predictions": [']
  if len(arrays) == 1:
    ((name, array),) = arrays.items()
    # The list's own brackets are laid out differently from the values'.
    values = _values(array, name)
    pieces += [values[0][1:], *values[1:-1]] if len(values) > 1 else [values[0][1:-1]]
    if len(values) > 1:
      pieces.append(values[-1][:-1])
  else:
    keys = {name: f"            {_quoted(name)}: ".encode() for name in arrays}
    for index in range(batch):
      pieces.append(b",\n        {" if index else b"\n        {")
      for position, (name, array) in enumerate(arrays.items()):
        pieces += [b",\n" if position else b"\n", keys[name], *_values(array[index], name)]
      pieces.append(b"\n        }")
  return [*pieces, b"\n    ]\n}" if batch else b"]\n}"]


def _columns(arrays: dict[str, np.ndarray]) -> list[bytes]:
  pieces = [b'{\n    "outputs": ']
  if len(arrays) == 1:
    ((name, array),) = arrays.items()
    return [*pieces, *_values(array, name), b"\n}"]
  for position, (name, array) in enumerate(arrays.items()):
    key = f"        {_quoted(name)}: ".encode()
    pieces += [b",\n" if position else b"{\n", key, *_values(array, name)]
  return [*pieces, b"\n    }\n}"]


def _values(array: np.ndarray, name: str) -> list[bytes]:
  """An array, or a single value, as the pieces of a JSON text."""
  kind = getattr(array, "dtype", np.dtype(object)).kind
  if kind == "O":
    as_bytes = name.endswith(_BYTES_SUFFIX)
    return [_strings(array, as_bytes).encode("utf-8", _FALLBACK)]
  if not np.ndim(array):
    if kind == "f":
      return [json_numbers.text(float(array), 9 if array.dtype == np.float32 else 17).encode()]
    return [json.dumps(array.item()).encode()]
  if not array.size:
    return [str(array.tolist()).encode()]
  if kind == "f":
    return json_numbers.nested_lists(array)
  texts = map(str, array.reshape(-1).tolist())
  return [_nested(list(map(str.lower, texts) if kind == "b" else texts), array.shape).encode()]


def _nested(texts: list[str], shape: Sequence[int]) -> str:
  """Texts of an array's elements in brackets."""
  singles = 0  # axes of size 1 at the end need no look at every element
  while singles < len(shape) - 1 and shape[-1 - singles] == 1:
    singles += 1
  begin, end = "[" * (singles + 1), "]" * (singles + 1)
  between = f"{end[1:]}, {begin[1:]}"
  for size in reversed(shape[: len(shape) - singles]):
    texts = [
      begin + between.join(texts[start : start + size]) + end
      for start in range(0, len(texts), size)
    ]
    begin, between, end = "[", ", ", "]"
  return texts[0]


def _strings(value: object, as_bytes: bool) -> str:
  if isinstance(value, np.ndarray) and value.ndim:
    return f"[{', '.join(_strings(item, as_bytes) for item in value)}]"
  content = value if isinstance(value, bytes) else value.item()
  if as_bytes:
    return f'{{"b64": "{binascii.b2a_base64(content, newline=False).decode()}"}}'
  return _quoted(content.decode("utf-8", _FALLBACK))


def _quoted(text: str) -> str:
  return json.dumps(text, ensure_ascii=False)
