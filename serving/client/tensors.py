"""numpy arrays to TensorProto bytes and back, without TensorFlow and without protocol buffer messages.

Field numbers: tensorflow/core/framework/tensor.proto, tensor_shape.proto, types.proto.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from serving import tensor_head, varints, wire_format

_CONTENT, _STRING_VAL = 4, 8
_STRING, _HALF, _BFLOAT16, _COMPLEX64, _COMPLEX128 = 7, 19, 14, 8, 18

# DataType number: (name, type in memory, field of its values, whether that field is raw memory and not varints).
_TYPES = {
  1: ("float32", np.float32, 5, True),
  2: ("float64", np.float64, 6, True),
  3: ("int32", np.int32, 7, False),
  4: ("uint8", np.uint8, 7, False),
  5: ("int16", np.int16, 7, False),
  6: ("int8", np.int8, 7, False),
  _STRING: ("string", np.object_, _STRING_VAL, False),
  _COMPLEX64: ("complex64", np.complex64, 9, True),
  9: ("int64", np.int64, 10, False),
  10: ("bool", np.bool_, 11, False),
  11: ("qint8", np.int8, 7, False),
  12: ("quint8", np.uint8, 7, False),
  13: ("qint32", np.int32, 7, False),
  _BFLOAT16: ("bfloat16", np.uint16, 13, False),
  15: ("qint16", np.int16, 7, False),
  16: ("quint16", np.uint16, 7, False),
  17: ("uint16", np.uint16, 7, False),
  _COMPLEX128: ("complex128", np.complex128, 12, True),
  _HALF: ("float16", np.float16, 13, False),
  22: ("uint32", np.uint32, 16, False),
  23: ("uint64", np.uint64, 17, False),
}
_NUMBERS = {name: number for number, (name, *_) in _TYPES.items()}
# No answer of a real model repeats one value more often than this.
_MAX_FILLED = 2**31


@dataclasses.dataclass(frozen=True)
class Typed:
  """An array with a type that numpy does not have.

  Attributes:
    dtype: "bfloat16" (values: uint16, its bits), or a quantised type such as "qint8" (values: int8).
    values: any shape.
  """

  dtype: str
  values: np.ndarray

  def __post_init__(self):
    expected = _TYPES[_number(self.dtype)][1]
    if self.values.dtype != expected:
      raise ValueError(
        f"Typed({self.dtype!r}) needs values of type {np.dtype(expected)}. Received: {self.values.dtype}."
      )


def bfloat16(values: Any) -> Typed:
  """Numbers as bfloat16, rounded to the nearest, ties to even."""
  values = np.ascontiguousarray(values, np.float32)
  bits = values.view(np.uint32)
  rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> np.uint32(16)
  # Rounding up must not turn the payload of "not a number" into infinity.
  rounded = np.where(np.isnan(values), (bits >> 16) | 0x40, rounded)
  return Typed("bfloat16", rounded.astype(np.uint16))


def type_name(number: int) -> str:
  """A DataType's name in numpy's words, e.g. 1 -> "float32"; "type 20" for one that has no numpy form."""
  return _TYPES[number][0] if number in _TYPES else f"type {number}"


def as_array(value: Any) -> np.ndarray | Typed:
  """What TensorFlow would make of a value: Python's numbers become float32 and int32 (int64 if need be).

  Strings become an array of `bytes` objects: numpy's own string type would lose zeros at the end.
  """
  if isinstance(value, (np.ndarray, np.generic, Typed)):
    return value if isinstance(value, Typed) else np.asarray(value)
  if _first_leaf(value) is not None:
    return np.array(value, dtype=object)
  array = np.asarray(value)
  if array.dtype == np.float64 and not _holds_numpy(value):
    return array.astype(np.float32)
  if array.dtype == np.int64 and not _holds_numpy(value):
    small = array.astype(np.int32)
    return small if np.array_equal(small, array) else array
  return array


def encode(value: Any, as_content: bool = True) -> list:
  """A serialized TensorProto, in pieces.

  Args:
    value: an array, a `Typed`, or what `as_array` takes.
    as_content: the values as raw memory, `tensor_content`; False: in the field of their type (`float_val`, ...).
      Strings are `string_val` either way.

  Returns:
    Bytes-like pieces; some are views of the array.

  Raises:
    TypeError: a type that cannot be sent.
  """
  value = as_array(value)
  array = value.values if isinstance(value, Typed) else value
  number = _number(value.dtype) if isinstance(value, Typed) else _number_of(array)
  head = tensor_head.head(number, array.shape)
  if number == _STRING:
    return [head, *_string_fields(array)]
  if not array.size:
    return [head]
  if number in (_HALF, _BFLOAT16):
    array = array.view(np.uint16)
  array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1)
  if as_content:
    memory = array.view(np.uint8)
    return [head, wire_format.header(_CONTENT, memory.nbytes), memory]
  _, _, field, is_raw = _TYPES[number]
  packed = array.view(np.uint8) if is_raw else varints.pack(array)
  return [head, wire_format.header(field, packed.nbytes), packed]


def decode(data: bytes, start: int = 0, end: int | None = None) -> np.ndarray:
  """The array of a TensorProto, whichever way its values were sent.

  Args:
    data: bytes that hold the message.
    start: where it begins.
    end: where it ends; None means the end of `data`.

  Returns:
    An array of its own memory. bfloat16 comes as float32 (the same numbers), quantised types as their integers, strings
    as an array of `bytes` objects.

  Raises:
    ValueError: not a TensorProto, or its type has no numpy form.
  """
  number, shape, values = 0, (), {}
  for field, wire_type, value in wire_format.fields(data, start, end):
    if field == tensor_head.DTYPE and wire_type == wire_format.VARINT:
      number = value
    elif field == tensor_head.SHAPE and wire_type == wire_format.LENGTH_DELIMITED:
      shape = decode_shape(data, *value)
    elif field >= _CONTENT:
      values.setdefault(field, []).append((wire_type, value))
  if number not in _TYPES:
    raise ValueError(f"a tensor of data type number {number} has no numpy form")
  if shape is None or any(size < 0 for size in shape):
    raise ValueError(f"a tensor of unknown shape: {shape}")
  size = math.prod(shape)
  if size > _MAX_FILLED or (size and len(shape) > 64):
    raise ValueError(f"a tensor of shape {list(shape)} is larger than any answer can be")
  flat = _flat(number, data, values, size)
  if len(flat) != size:
    raise ValueError(f"a tensor of shape {list(shape)} has {len(flat)} values; expected {size}")
  return flat.reshape(shape)


def decode_shape(data: bytes, start: int, end: int) -> tuple[int, ...] | None:
  """The sizes of a TensorShapeProto, -1 for an open one; None if even the rank is unknown.

  Raises:
    ValueError: it is none.
  """
  sizes = []
  for field, wire_type, value in wire_format.fields(data, start, end):
    if field == 2 and wire_type == wire_format.LENGTH_DELIMITED:
      size = 0
      for number, kind, content in wire_format.fields(data, *value):
        if number == 1 and kind == wire_format.VARINT:
          size = content - (1 << 64) if content >> 63 else content
      sizes.append(size)
    elif field == 3 and wire_type == wire_format.VARINT and value:
      return None
  return tuple(sizes)


def _flat(number, data, values, size):
  """The values [size], from `tensor_content` or from the field of the type."""
  _, memory_type, field, is_raw = _TYPES[number]
  if number == _STRING:
    texts = [data[slice(*value)] for kind, value in values.get(field, ()) if kind == 2]
    return _filled(_objects(texts), size, b"")
  content = _joined(data, values.get(_CONTENT, ()))
  if content:
    flat = np.frombuffer(content, np.dtype(memory_type).newbyteorder("<"))
  elif is_raw:
    flat = np.frombuffer(_joined(data, values.get(field, ())), memory_type)
  else:
    numbers = varints.unpack(_joined(data, values.get(field, ())))
    if number in (_HALF, _BFLOAT16):
      flat = numbers.astype(np.uint16).view(memory_type)
    else:
      flat = numbers.view(np.int64).astype(memory_type)
  if number == _BFLOAT16:
    flat = (flat.astype(np.uint32) << np.uint32(16)).view(np.float32)
  return _filled(flat, size, 0)


def _filled(values, size, nothing):
  """Values with the last one repeated for all that follow (tensor.proto), in memory of their own."""
  if len(values) >= size:
    return values.copy()
  filled = np.empty(size, values.dtype)
  filled[: len(values)] = values
  filled[len(values) :] = values[-1] if len(values) else nothing
  return filled


def _joined(data, pieces):
  """The bytes of a field that may have come packed, or number by number."""
  slices = [
    wire_format.varint(value) if kind == wire_format.VARINT else data[slice(*value)]
    for kind, value in pieces
  ]
  return slices[0] if len(slices) == 1 else b"".join(slices)


def _string_fields(array):
  pieces = []
  for text in array.reshape(-1).tolist():
    if isinstance(text, str):
      text = text.encode()
    if not isinstance(text, (bytes, bytearray, memoryview)):
      raise TypeError(f"An array of objects may hold bytes and str only. Received: {type(text)}.")
    pieces += [wire_format.header(_STRING_VAL, len(text)), text]
  return pieces


def _number(name):
  if name not in _NUMBERS:
    raise ValueError(f"There is no data type {name!r}. There are: {', '.join(sorted(_NUMBERS))}.")
  return _NUMBERS[name]


def _number_of(array):
  if array.dtype.kind in "OSU":
    return _STRING
  # By name, so that bfloat16 of the package ml_dtypes is understood where somebody has it.
  if array.dtype.name not in _NUMBERS:
    raise TypeError(f"An array of type {array.dtype} cannot be sent to a model server.")
  return _NUMBERS[array.dtype.name]


def _objects(texts):
  array = np.empty(len(texts), object)
  array[:] = texts
  return array


def _first_leaf(value):
  """The first string in nested lists, None if the first thing in them is none."""
  while isinstance(value, (list, tuple)) and value:
    value = value[0]
  return value if isinstance(value, (bytes, str)) else None


def _holds_numpy(value):
  """Whether the type of nested lists was somebody's choice, and not Python's only one."""
  while isinstance(value, (list, tuple)) and value:
    value = value[0]
  return isinstance(value, (np.ndarray, np.generic))
