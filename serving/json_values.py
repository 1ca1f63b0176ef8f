"""JSON values one at a time into tensors: every check, code and text of TensorFlow Serving.

This is what `json_tensor` falls back to when its quick way fails (util/json_tensor.cc
FillTensorProto, AddValueToTensor, AddInstanceItem).
"""

import base64
import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from serving import errors, json_document

# DataType number: TensorFlow's name for it.
TYPE_NAMES = {
  1: "float",
  2: "double",
  3: "int32",
  4: "uint8",
  5: "int16",
  6: "int8",
  7: "string",
  8: "complex64",
  9: "int64",
  10: "bool",
  11: "qint8",
  12: "quint8",
  13: "qint32",
  14: "bfloat16",
  15: "qint16",
  16: "quint16",
  17: "uint16",
  18: "complex128",
  19: "half",
  20: "resource",
  21: "variant",
  22: "uint32",
  23: "uint64",
}
STRING = 7
BOOL = 10
# DataTypes that JSON numbers can become.
NUMPY_TYPES = {
  1: np.dtype(np.float32),
  2: np.dtype(np.float64),
  3: np.dtype(np.int32),
  4: np.dtype(np.uint8),
  5: np.dtype(np.int16),
  6: np.dtype(np.int8),
  9: np.dtype(np.int64),
  BOOL: np.dtype(bool),
  17: np.dtype(np.uint16),
  22: np.dtype(np.uint32),
  23: np.dtype(np.uint64),
}
_B64 = "b64"
_INTEGERS = range(-(2**63), 2**64)  # integers beyond are doubles to rapidjson


@dataclasses.dataclass
class Tensor:
  """A tensor to be: values in row-major order.

  Attributes:
    dtype: DataType number.
    shape: sizes of the axes.
    values: Python numbers, or bytes for strings.
  """

  dtype: int
  shape: list[int]
  values: list


def largest_integer(dtype: np.dtype) -> int:
  """The largest JSON integer that a floating-point type takes."""
  return 2 ** (np.finfo(dtype).nmant + 1) - 1


def is_b64(value: object) -> bool:
  """Whether a value is an object that stands for bytes."""
  return type(value) is dict and len(value) == 1 and type(value.get(_B64)) is str


def decode_b64(value: object) -> bytes:
  """The bytes that an object stands for; padding may be missing, and white space is skipped.

  Raises:
    errors.StatusError: INVALID_ARGUMENT.
  """
  if not is_b64(value):
    raise json_document.value_error(value, "not formatted correctly for base64 data")
  text = value[_B64]
  try:
    return base64.b64decode(text, validate=True)
  except ValueError:
    text = re.sub(r"\s", "", text).rstrip("=.")
    try:
      return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
      raise errors.StatusError("INVALID_ARGUMENT", "Unable to base64 decode") from error


def tensor(document: json_document.Document, value: object, dtype: int) -> Tensor:
  """A value, list, or list of lists as a tensor.

  Raises:
    errors.StatusError: if it is none of that type.
  """
  made = Tensor(dtype, [], [])
  first = value
  while type(first) is list:
    made.shape.append(len(first))
    first = first[0] if first else None
  _fill(document, value, 0, made)
  return made


def rows(
  document: json_document.Document, instances: list, dtypes: Mapping[str, int]
) -> dict[str, Tensor]:
  """The list of a request in row format as tensors by name.

  Raises:
    errors.StatusError: if it cannot be.
  """
  if type(instances[0]) is not dict and len(dtypes) > 1:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "instances is a plain list, but expecting list of objects as multiple "
      "input tensors required as per tensorinfo_map",
    )
  are_objects = _is_row_object(instances[0])
  made: dict[str, Tensor] = {}
  for number, row in enumerate(instances):
    if _is_row_object(row) != are_objects:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Expecting object but got list at item {number} of input list"
        if are_objects
        else f"Expecting value/list but got object at item {number} of input list",
      )
    entries = row if are_objects else {min(dtypes): row}
    for name, value in entries.items():
      try:
        _add_row(document, value, name, dtypes, made)
      except errors.StatusError as error:
        key = f" key: {name}" if are_objects else ""
        raise errors.StatusError(
          error.code,
          f"Failed to process element: {number}{key} of 'instances' list. Error: {error}",
        ) from error
    if are_objects and row.keys() != dtypes.keys():
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Failed to process element: {number} of 'instances' list. JSON object: "
        f"{json_document.show(row)} keys must be equal to: {','.join(sorted(dtypes))}",
      )
  for result in made.values():
    result.shape.insert(0, len(instances))
  return made


def _is_row_object(row: object) -> bool:
  return type(row) is dict and not is_b64(row)


def _add_row(
  document: json_document.Document,
  value: object,
  name: str,
  dtypes: Mapping[str, int],
  made: dict[str, Tensor],
) -> None:
  """Adds one element to the tensor of one input."""
  if name not in dtypes:
    raise errors.StatusError("INVALID_ARGUMENT", f"JSON object: does not have named input: {name}")
  row = tensor(document, value, dtypes[name])
  whole = made.setdefault(name, Tensor(row.dtype, row.shape, []))
  if whole.values or whole.shape is not row.shape:
    size = int(np.prod(whole.shape, dtype=np.int64))
    if len(row.values) != size:
      raise errors.StatusError(
        "INVALID_ARGUMENT", f"Expecting tensor size: {size} but got: {len(row.values)}"
      )
    if row.shape != whole.shape:
      raise errors.StatusError(
        "INVALID_ARGUMENT", f"Expecting shape {_shape(whole.shape)} but got: {_shape(row.shape)}"
      )
  whole.values += row.values


def _shape(shape: list[int]) -> str:
  return f"[{','.join(map(str, shape))}]"


def _fill(document: json_document.Document, value: object, level: int, made: Tensor) -> None:
  rank = len(made.shape)
  if type(value) is not list:
    if level != rank:
      raise json_document.value_error(
        value, f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {rank}"
      )
    made.values.append(_converted(document, value, made.dtype))
    return
  if level >= rank:
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Encountered list at unexpected level: {level} expected < {rank}"
    )
  if len(value) != made.shape[level]:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"Encountered list at unexpected size: {len(value)} at level: {level} "
      f"expected size: {made.shape[level]}",
    )
  if level + 1 == rank and _are_plain(value, made.dtype):
    made.values += value
    return
  for item in value:
    _fill(document, item, level + 1, made)


def _are_plain(values: list, dtype: int) -> bool:
  """Whether all elements of a list obviously are of a type, so that none needs a closer look."""
  kind = NUMPY_TYPES.get(dtype)
  types = set(map(type, values))
  if kind is None or len(types) != 1:
    return False
  given = types.pop()
  if given is bool:
    return kind.kind == "b"
  if given is float:
    most = float(np.finfo(kind).max) if kind.kind == "f" else -1.0
    return -most <= min(values) and max(values) <= most
  if given is int and kind.kind == "f":
    return max(max(values), -min(values)) <= largest_integer(kind)
  if given is int and kind.kind in "iu":
    return np.iinfo(kind).min <= min(values) and max(values) <= np.iinfo(kind).max
  return False


def _converted(document: json_document.Document, value: object, dtype: int) -> object:
  """A JSON value as an element of a tensor."""
  kind = NUMPY_TYPES.get(dtype)
  if dtype == STRING:
    if type(value) is dict:
      return decode_b64(value)
    if type(value) is str:
      return document.encode(value)
  elif kind is None:
    raise errors.StatusError(
      "UNIMPLEMENTED",
      f"Conversion of JSON Value: {json_document.show(value)} to type: "
      f"{TYPE_NAMES.get(dtype, dtype)}",
    )
  elif kind.kind == "f":
    if type(value) in (int, float):
      return _decimal(document, value, kind)
  elif kind.kind == "b":
    if type(value) is bool:
      return value
  elif type(value) is int and np.iinfo(kind).min <= value <= np.iinfo(kind).max:
    return value
  name = TYPE_NAMES[dtype]
  shown = json_document.type_name(value)
  raise json_document.value_error(value, f"Type: {shown} is not of expected type: {name}")


def _decimal(document: json_document.Document, value: float, kind: np.dtype) -> float:
  """A JSON number as an element of a tensor of floats."""
  if type(value) is int and value in _INTEGERS:
    is_exact = abs(value) <= largest_integer(kind)
  else:
    try:
      number = float(value)
    except OverflowError as error:
      raise document.too_big() from error
    document.check_finite(number)
    is_exact = not np.isfinite(number) or abs(number) <= float(np.finfo(kind).max)
  if not is_exact:
    name = "float" if kind.itemsize == 4 else "double"
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"Cannot convert JSON value: {json_document.show(value)} to {name} "
      "without loss of precision.",
    )
  return float(value)
