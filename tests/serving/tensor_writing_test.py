import ctypes

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from serving import errors, tensor_writing, tf_library

_TYPES = [
  *("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "bool"),
  *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
]


def _values(name):
  """All the corners of a type, in a [2, n] array."""
  dtype = tf.as_dtype(name)
  kind = dtype.as_numpy_dtype
  if dtype.is_bool:
    flat = [False, True, True, False]
  elif dtype.is_integer:
    edges = {0, 1, -1, dtype.min, dtype.max, 127, 128, 255, 16383, 16384, -128}
    flat = [edge for edge in sorted(edges) if dtype.min <= edge <= dtype.max]
    flat = flat[len(flat) % 2 :]
  else:
    flat = [0.0, -0.0, 1.5, float("nan"), float("inf"), -2.0]
  return np.array(flat, kind).reshape(2, -1)


def _with_tensor(proto, use):
  """Gives the address of a TF_Tensor made from a TensorProto to `use`."""
  library = tf_library.load()
  tensor = library.TF_AllocateTensor(1, None, 0, 4)
  try:
    with tf_library.Status() as status:
      library.TF_TensorFromProto(tf_library.view(proto.SerializeToString()), tensor, status)
      status.check()
    return use(tensor)
  finally:
    library.TF_DeleteTensor(tensor)


def _round_trip(value, as_content, dtype=None):
  """Bytes of the TensorProto that the server writes, parsed."""
  proto = tf.make_tensor_proto(value, dtype)
  data = _with_tensor(
    proto, lambda tensor: b"".join(tensor_writing.serialize(tensor, as_content=as_content))
  )
  return tf.make_tensor_proto(value, dtype).FromString(data)


def _as_field(array, dtype):
  """The same tensor in the field of its type, filled through protocol buffers' own interface."""
  proto = tf.make_tensor_proto(array, dtype)
  flat = tf.make_tensor_proto(array.reshape(-1)[:0], dtype)  # of the right type, without values
  field = {
    "float16": "half_val",
    "bfloat16": "half_val",
    "float32": "float_val",
    "float64": "double_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
    "bool": "bool_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
  }.get(tf.as_dtype(dtype).name, "int_val")
  if field == "half_val":
    values = array.reshape(-1).view(np.uint16)
  elif field.endswith("complex_val"):
    values = array.reshape(-1).view(np.float32 if field[0] == "s" else np.float64)
  else:
    values = array.reshape(-1)
  getattr(flat, field).extend(values.tolist())
  flat.tensor_shape.CopyFrom(proto.tensor_shape)
  return flat


class TensorWritingTest(parameterized.TestCase):
  @parameterized.product(name=_TYPES, as_content=[False, True])
  def test_round_trip(self, name, as_content):
    values = _values(name)
    proto = _round_trip(values, as_content, tf.as_dtype(name))
    self.assertEqual(bool(proto.tensor_content), as_content)
    got = tf.make_ndarray(proto)
    self.assertEqual(got.dtype, values.dtype)
    self.assertEqual(got.tobytes(), values.tobytes())

  @parameterized.parameters(_TYPES)
  def test_fields_are_byte_for_byte_what_protocol_buffers_write(self, name):
    values = _values(name)
    proto = tf.make_tensor_proto(values, tf.as_dtype(name))
    written = _with_tensor(
      proto, lambda tensor: b"".join(tensor_writing.serialize(tensor, as_content=False))
    )
    self.assertEqual(written, _as_field(values, name).SerializeToString())

  @parameterized.product(shape=[[0], [3, 0, 2], [], [1]], as_content=[False, True])
  def test_shapes(self, shape, as_content):
    proto = _round_trip(np.ones(shape, np.float32), as_content)
    self.assertEqual([dim.size for dim in proto.tensor_shape.dim], shape)
    self.assertEqual(tf.make_ndarray(proto).shape, tuple(shape))

  @parameterized.parameters(False, True)
  def test_strings(self, as_content):
    strings = [b"", b"a", b"x" * 22, b"x" * 23, b"x" * 24, bytes(range(256)) * 100]
    proto = _round_trip(np.array(strings, object), as_content, tf.string)
    self.assertEqual(list(proto.string_val), strings)

  def test_short_strings(self):
    strings = [b"x" * (number % 23) for number in range(1000)]
    proto = _round_trip(np.array(strings, object), False, tf.string)
    self.assertEqual(list(proto.string_val), strings)

  def test_many_values(self):
    values = np.random.default_rng(0).integers(-(2**62), 2**62, 10_001) >> np.arange(10_001) % 63
    self.assertEqual(list(_round_trip(values, False, tf.int64).int64_val), values.tolist())

  def test_type_without_wire_form(self):
    library = tf_library.load()
    tensor = library.TF_AllocateTensor(21, (ctypes.c_int64 * 1)(0), 1, 0)  # DT_VARIANT
    with self.assertRaisesRegex(errors.StatusError, "UNIMPLEMENTED.*data type number 21"):
      tensor_writing.serialize(tensor, as_content=False)
    library.TF_DeleteTensor(tensor)


if __name__ == "__main__":
  tf.test.main()
