"""TensorProto to numpy and back, without a session and without a Python loop over numbers.

Model servers send a tensor either as its memory (`tensor_content`) or in the field of its type (`float_val`,
`half_val`, ...), which is TensorFlow Serving's way. `tf.make_ndarray` turns each number of a field into a Python object;
here the packed field is taken from the wire as one block of memory.
"""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2

# TensorProto field number, and how the field stores a number: raw memory of a type, or varints.
_FIELDS = {
  types_pb2.DT_FLOAT: (5, np.float32),
  types_pb2.DT_DOUBLE: (6, np.float64),
  types_pb2.DT_INT32: (7, None),
  types_pb2.DT_INT16: (7, None),
  types_pb2.DT_INT8: (7, None),
  types_pb2.DT_UINT8: (7, None),
  types_pb2.DT_UINT16: (7, None),
  types_pb2.DT_INT64: (10, None),
  types_pb2.DT_BOOL: (11, None),
  types_pb2.DT_HALF: (13, None),
  types_pb2.DT_BFLOAT16: (13, None),
  types_pb2.DT_UINT32: (16, None),
  types_pb2.DT_UINT64: (17, None),
}
_LENGTH_DELIMITED = 2
_FIXED_SIZES = {1: 8, 5: 4}


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
  """A numeric array as a TensorProto with `tensor_content`."""
  return tensor_pb2.TensorProto(
    dtype=tf.as_dtype(array.dtype).as_datatype_enum,
    tensor_shape=tensor_shape_pb2.TensorShapeProto(
      dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in array.shape]
    ),
    tensor_content=array.tobytes(),
  )


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
  """A numeric TensorProto as an array (read-only where it is a view of the message).

  Raises:
    ValueError: the data type is not numeric, or the number of values does not fit the shape.
  """
  dtype = tf.as_dtype(proto.dtype)
  if proto.dtype not in _FIELDS:
    raise ValueError(
      f"Cannot decode a TensorProto of type {dtype.name}: only numeric types are expected."
    )
  shape = [dim.size for dim in proto.tensor_shape.dim]
  size = int(np.prod(shape, dtype=np.int64))
  if proto.tensor_content:
    values = np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype)
  else:
    values = _field_values(proto, dtype)
    if 0 < len(values) < size:
      # The last value stands for all that follow (tensor.proto).
      values = np.concatenate([values, np.full(size - len(values), values[-1], values.dtype)])
    elif not len(values):
      values = np.zeros(size, dtype.as_numpy_dtype)
  if len(values) != size:
    raise ValueError(f"A TensorProto of shape {shape} has {len(values)} values; expected {size}.")
  return values.reshape(shape)


def _field_values(proto, dtype):
  """The values of the field that belongs to the type, flat."""
  field, memory_type = _FIELDS[proto.dtype]
  packed = _packed_field(proto.SerializeToString(), field)
  if memory_type is not None:
    return np.frombuffer(packed, memory_type)
  numbers = decode_varints(np.frombuffer(packed, np.uint8))
  if field == 13:
    return numbers.astype(np.uint16).view(dtype.as_numpy_dtype)
  # Negative numbers are 64-bit two's complement on the wire, whatever the type.
  return numbers.view(np.int64).astype(dtype.as_numpy_dtype)


def _packed_field(message: bytes, wanted: int) -> bytes:
  """The concatenated packed blocks of one repeated field."""
  blocks = []
  position = 0
  while position < len(message):
    key, position = _read_varint(message, position)
    wire_type = key & 7
    if wire_type == _LENGTH_DELIMITED:
      length, position = _read_varint(message, position)
      if key >> 3 == wanted:
        blocks.append(message[position : position + length])
      position += length
    elif wire_type == 0:
      _, position = _read_varint(message, position)
    else:
      position += _FIXED_SIZES[wire_type]
  return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
  value = shift = 0
  while True:
    byte = message[position]
    position += 1
    value |= (byte & 0x7F) << shift
    if byte < 0x80:
      return value, position
    shift += 7


def decode_varints(data: np.ndarray) -> np.ndarray:
  """All varints of a packed field at once.

  Args:
    data: uint8 [bytes], whole varints.

  Returns:
    uint64 [numbers].
  """
  ends = np.flatnonzero(data < 0x80)
  starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
  lengths = ends - starts + 1
  values = np.zeros(len(ends), np.uint64)
  for place in range(int(lengths.max(initial=0))):
    longer = np.flatnonzero(lengths > place)
    septets = (data[starts[longer] + place] & 0x7F).astype(np.uint64)
    values[longer] |= septets << np.uint64(7 * place)
  return values
