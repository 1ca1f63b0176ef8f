"""From TensorFlow's tensors to TensorProto bytes.

Two forms. The default is TensorFlow Serving's own: values in the field of their type (`float_val`,
`int_val`, ...), which clients of TensorFlow Serving read. The other is `tensor_content`: the raw
memory, which for half precision and 8-bit integers is much smaller and quicker on both sides.
"""

import ctypes

import numpy as np
from tensorflow.core.framework import types_pb2

from serving import errors, tensor_head, tf_library, varints, wire_format

# TensorProto field numbers (tensorflow/core/framework/tensor.proto).
_TENSOR_CONTENT = 4
_STRING_VAL = 8

_STRING = 7  # DT_STRING
_TF_STRING_BYTES = 24  # memory of a TF_TString beside the text of a long one
_COMPLEX = (8, 18)  # DT_COMPLEX64, DT_COMPLEX128

# DataType number: (memory type, field, whether the field holds the memory as it is). The other
# fields are varints, into which every value has to be encoded.
_FIELDS = {
  1: (np.float32, 5, True),  # float -> float_val
  2: (np.float64, 6, True),  # double -> double_val
  3: (np.int32, 7, False),  # int32 -> int_val
  4: (np.uint8, 7, False),
  5: (np.int16, 7, False),
  6: (np.int8, 7, False),
  8: (np.float32, 9, True),  # complex64 -> scomplex_val
  9: (np.int64, 10, False),  # int64 -> int64_val
  10: (np.uint8, 11, False),  # bool -> bool_val
  11: (np.int8, 7, False),  # qint8
  12: (np.uint8, 7, False),  # quint8
  13: (np.int32, 7, False),  # qint32
  14: (np.uint16, 13, False),  # bfloat16 -> half_val
  15: (np.int16, 7, False),  # qint16
  16: (np.uint16, 7, False),  # quint16
  17: (np.uint16, 7, False),
  18: (np.float64, 12, True),  # complex128 -> dcomplex_val
  19: (np.uint16, 13, False),  # half -> half_val
  22: (np.uint32, 16, False),  # uint32 -> uint32_val
  23: (np.uint64, 17, False),  # uint64 -> uint64_val
}


def serialize(tensor: int, *, as_content: bool) -> list:
  """Pieces of a TensorProto that together are its serialized form.

  Args:
    tensor: address of a TF_Tensor.
    as_content: write `tensor_content`; strings are `string_val` either way.

  Returns:
    Bytes-like objects; some are views of the tensor's memory and valid as long as it is.

  Raises:
    errors.StatusError: UNIMPLEMENTED for a data type that has no wire form here.
  """
  library = tf_library.load()
  dtype = library.TF_TensorType(tensor)
  shape = [library.TF_Dim(tensor, axis) for axis in range(library.TF_NumDims(tensor))]
  start = tensor_head.head(dtype, shape)
  if not has_wire_form(dtype):
    raise errors.StatusError("UNIMPLEMENTED", f"Cannot send a tensor of data type number {dtype}")
  if 0 in shape:  # such a tensor may have no memory at all, and TF_TensorByteSize crashes on that
    return [start]
  memory = _memory(tensor)
  if dtype == _STRING:
    short = _short_string_fields(memory)
    return [start, *_string_fields(memory)] if short is None else [start, short]
  if as_content:
    return [start, wire_format.header(_TENSOR_CONTENT, memory.nbytes), memory]
  memory_type, field, is_raw = _FIELDS[dtype]
  packed = memory if is_raw else _packed_varints(memory.view(memory_type))
  return [start, wire_format.header(field, len(packed)), packed]


def has_wire_form(dtype: int) -> bool:
  """Whether tensors of a DataType, given by its number, can be sent."""
  return dtype == _STRING or dtype in _FIELDS


def item_size(dtype: int) -> int:
  """Bytes of an element of a DataType with wire form other than strings."""
  parts = 2 if dtype in _COMPLEX else 1
  return np.dtype(_FIELDS[dtype][0]).itemsize * parts


def type_name(dtype: int) -> str | None:
  """TensorFlow's name of a DataType, such as "float"; None for a number that is none."""
  if dtype not in types_pb2.DataType.values():
    return None
  return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()


def string_values(tensor: int) -> list[bytes]:
  """The string_val fields of a TF_Tensor of strings with elements: two pieces for each."""
  return _string_fields(_memory(tensor))


def _memory(tensor: int) -> np.ndarray:
  """The tensor's memory, as bytes [size]."""
  library = tf_library.load()
  size = library.TF_TensorByteSize(tensor)
  raw = (ctypes.c_uint8 * size).from_address(library.TF_TensorData(tensor))
  return np.frombuffer(raw, np.uint8)


def _packed_varints(values: np.ndarray) -> np.ndarray:
  """Encodes integers [n] as packed varints."""
  if values.itemsize == 1 and values.view(np.int8).min() >= 0:
    return values.view(np.uint8)
  return varints.pack(values)


def _string_fields(memory: np.ndarray) -> list[bytes]:
  """One string_val field for each TF_TString; their layout: ctstring_internal.h."""
  pieces = []
  for raw in memory.reshape(-1, _TF_STRING_BYTES):
    value = _string_value(raw)
    pieces += [wire_format.header(_STRING_VAL, len(value)), value]
  return pieces


def _short_string_fields(memory: np.ndarray) -> np.ndarray | None:
  """As `_string_fields`, but joined, and all at once; None unless all strings are short.

  A short one is its size in the upper bits of the first byte, and up to 22 bytes of text behind it.
  """
  raw = memory.reshape(-1, _TF_STRING_BYTES)
  if (raw[:, 0] & 3).any():
    return None
  fields = np.empty_like(raw)
  fields[:, 0] = wire_format.tag(_STRING_VAL)[0]
  fields[:, 1] = raw[:, 0] >> 2
  fields[:, 2:] = raw[:, 1:-1]
  return fields[np.arange(_TF_STRING_BYTES) < fields[:, 1:2] + np.uint8(2)]


def _string_value(raw: np.ndarray) -> bytes:
  kind = int(raw[0]) & 3
  if kind == 0:  # small: size in the first byte, text behind it
    size = int(raw[0]) >> 2
    return raw[1 : 1 + size].tobytes()
  if kind == 2:  # offset: text lies beside the tensor's elements
    size, offset = (int(word) for word in raw[:8].view(np.uint32))
    return ctypes.string_at(raw.ctypes.data + offset, size >> 2)
  words = raw.view(np.uint64)  # large: size, capacity, address; view: size, address
  return ctypes.string_at(int(words[2 if kind == 1 else 1]), int(words[0]) >> 2)
