"""Predict over JSON: from a document to a serialized PredictRequest.

Rows (`instances`) or columns (`inputs`), as TensorFlow Serving's REST API has them
(g3doc/api_rest.md). Lists of numbers are flattened and checked as a whole and become arrays at once;
only when that fails are they looked at one by one (`json_values`), which finds the exact error.
"""

import itertools
from collections.abc import Mapping

import numpy as np

from serving import errors, json_document, json_values, wire_format

_ROWS = "instances"
_COLUMNS = "inputs"
_SIGNATURE = "signature_name"

# Field numbers of PredictRequest, its map's entries, and TensorProto.
_MODEL_SPEC, _INPUTS = 1, 2
_KEY, _VALUE = 1, 2
_DTYPE, _SHAPE, _CONTENT, _STRING_VAL = 1, 2, 4, 8


def signature_name(document: json_document.Document) -> str:
  """The signature that a document asks for; "" for the default.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it is not a string.
  """
  name = document.value.get(_SIGNATURE, "")
  if type(name) is not str:
    raise json_document.value_error(
      document.value, "not formatted correctly. 'signature_name' key must be a string value."
    )
  return document.encode(name).decode("utf-8", "replace")


def is_in_rows(document: json_document.Document) -> bool:
  """Whether a document holds rows; columns otherwise.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it holds neither or both, or no row.
  """
  if _ROWS not in document.value:
    if _COLUMNS not in document.value:
      raise errors.StatusError("INVALID_ARGUMENT", "Missing 'inputs' or 'instances' key")
    return False
  rows = document.value[_ROWS]
  if _COLUMNS in document.value:
    message = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
  elif type(rows) is not list:
    message = "Excepting 'instances' to be an list/array"
  elif not rows:
    message = "No values in 'instances' array"
  else:
    return True
  raise json_document.value_error(document.value, message)


def inputs(document: json_document.Document, dtypes: Mapping[str, int]) -> dict[str, list]:
  """The tensors that a document holds.

  Args:
    document: rows or columns.
    dtypes: name of each of the signature's inputs to its DataType number.

  Returns:
    Name to the pieces (bytes-like) of a serialized TensorProto.

  Raises:
    errors.StatusError: TensorFlow Serving's.
  """
  if is_in_rows(document):
    return _from_rows(document, dtypes)
  columns = document.value[_COLUMNS]
  if type(columns) is not dict or json_values.is_b64(columns):
    if len(dtypes) > 1:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        "inputs is a plain value/list, but expecting an object as multiple "
        "input tensors required as per tensorinfo_map",
      )
    columns = {next(iter(dtypes)): columns}
  made = {}
  for name, dtype in sorted(dtypes.items()):
    if name not in columns:
      raise errors.StatusError(
        "INVALID_ARGUMENT", f"Missing named input: {name} in 'inputs' object."
      )
    made[name] = _quick(document, columns[name], dtype)
    if made[name] is None:
      made[name] = _pieces(json_values.tensor(document, columns[name], dtype))
  return made


def predict_request(model_spec: bytes, tensors: Mapping[str, list]) -> bytes:
  """A serialized PredictRequest.

  Args:
    model_spec: a serialized ModelSpec.
    tensors: what `inputs` made.
  """
  pieces = [wire_format.header(_MODEL_SPEC, len(model_spec)), model_spec]
  for name, value in tensors.items():
    key = name.encode()
    size = sum(len(piece) for piece in value)
    entry = wire_format.header(_KEY, len(key)) + key + wire_format.header(_VALUE, size)
    pieces += [wire_format.header(_INPUTS, len(entry) + size), entry, *value]
  return b"".join(pieces)


def _from_rows(document: json_document.Document, dtypes: Mapping[str, int]) -> dict[str, list]:
  rows = document.value[_ROWS]
  made = {name: _quick(document, column, dtypes[name]) for name, column in _columns(rows, dtypes)}
  if len(made) == len(dtypes) and None not in made.values():
    return made
  tensors = json_values.rows(document, rows, dtypes)
  return {name: _pieces(tensor) for name, tensor in tensors.items()}


def _columns(rows: list, dtypes: Mapping[str, int]) -> list[tuple[str, list]]:
  """Names and values of rows that are what they should be; none of others."""
  if type(rows[0]) is dict and not json_values.is_b64(rows[0]):
    names = dtypes.keys()
    if any(type(row) is not dict or row.keys() != names for row in rows):
      return []
    return [(name, [row[name] for row in rows]) for name in sorted(names)]
  if len(dtypes) > 1:
    return []
  return [(next(iter(dtypes)), rows)]


def _quick(document: json_document.Document, value: object, dtype: int) -> list | None:
  """The pieces of a value's TensorProto; None if something about it is out of the ordinary."""
  flattened = _flatten(value)
  if flattened is None:
    return None
  shape, leaves = flattened
  types = set(map(type, leaves))
  if dtype == json_values.STRING:
    values = _strings(document, leaves, types)
  else:
    values = _numbers(leaves, types, json_values.NUMPY_TYPES.get(dtype))
  return None if values is None else _proto(dtype, shape, values)


def _flatten(value: object) -> tuple[list[int], list] | None:
  """Shape and elements of a list of lists; None if it is ragged."""
  shape, items = [], [value]
  while items and type(items[0]) is list:
    if set(map(type, items)) != {list}:
      return None
    sizes = set(map(len, items))
    if len(sizes) != 1:
      return None
    shape.append(sizes.pop())
    items = items[0] if len(items) == 1 else list(itertools.chain.from_iterable(items))
  return shape, items


def _numbers(leaves: list, types: set, kind: np.dtype | None) -> np.ndarray | None:
  """Numbers or booleans as an array [n]; None unless all obviously are of a type."""
  if kind is None:
    return None
  if kind.kind == "b":
    return np.array(leaves, kind) if types <= {bool} else None
  if kind.kind != "f":
    return _integers(leaves, kind) if types <= {int} else None
  if not types <= {int, float}:
    return None
  try:
    values = np.array(leaves, np.float64)
  except OverflowError:
    return None
  most = float(np.finfo(kind).max) if types <= {float} else json_values.largest_integer(kind)
  if not ((np.abs(values) <= most) | np.isnan(values)).all():
    return None
  return values.astype(kind)


def _integers(leaves: list, kind: np.dtype) -> np.ndarray | None:
  if kind == np.uint64 and min(leaves, default=0) < 0:  # numpy would wrap it around
    return None
  try:
    values = np.array(leaves, np.uint64 if kind == np.uint64 else np.int64)
  except OverflowError:
    return None
  limits = np.iinfo(kind)
  if values.size and not (limits.min <= values.min() and values.max() <= limits.max):
    return None
  return values.astype(kind)


def _strings(document: json_document.Document, leaves: list, types: set) -> list[bytes] | None:
  if types == {str}:
    return [document.encode(leaf) for leaf in leaves]
  if types == {dict} and all(map(json_values.is_b64, leaves)):
    return [json_values.decode_b64(leaf) for leaf in leaves]
  return None if leaves else []


def _pieces(tensor: json_values.Tensor) -> list:
  kind = json_values.NUMPY_TYPES.get(tensor.dtype)
  values = tensor.values
  if kind is not None:
    values = (
      np.array(values, np.float64).astype(kind) if kind.kind == "f" else np.array(values, kind)
    )
  return _proto(tensor.dtype, tensor.shape, values)


def _proto(dtype: int, shape: list[int], values: np.ndarray | list[bytes]) -> list:
  """The pieces of a serialized TensorProto."""
  dims = b""
  for size in shape:
    dim = wire_format.tag(1, wire_format.VARINT) + wire_format.varint(size)
    dims += wire_format.header(2, len(dim)) + dim
  head = (
    wire_format.tag(_DTYPE, wire_format.VARINT)
    + wire_format.varint(dtype)
    + wire_format.header(_SHAPE, len(dims))
    + dims
  )
  if isinstance(values, np.ndarray):
    return [head, wire_format.header(_CONTENT, values.nbytes), values.view(np.uint8)]
  return [head] + [
    piece for value in values for piece in (wire_format.header(_STRING_VAL, len(value)), value)
  ]
