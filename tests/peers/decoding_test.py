"""Tests of peers/decoding.py: tf.make_ndarray is the truth."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorflow.core.framework import tensor_pb2, types_pb2

from tf_taskology.peers import decoding

_DTYPES = (
  np.float16,
  tf.bfloat16.as_numpy_dtype,
  np.float32,
  np.float64,
  np.int8,
  np.int16,
  np.int32,
  np.int64,
  np.uint8,
  np.uint16,
  np.uint32,
  np.uint64,
  np.bool_,
)
_SHAPES = ((), (0, 3), (1,), (7,), (3, 5, 1), (2, 3, 5, 7))


def _values(dtype, shape):
  random = np.random.RandomState(len(shape))
  if dtype == np.bool_:
    return np.asarray(random.rand(*shape) > 0.5)
  if np.issubdtype(dtype, np.integer):
    info = np.iinfo(dtype)
    return np.asarray(
      random.randint(info.min, info.max, size=shape, dtype=dtype) if shape else dtype(info.max)
    )
  return np.asarray(random.normal(size=shape) * 100).astype(dtype)


def _in_field(array):
  """The array as TensorFlow Serving sends it: in the field of its type."""
  proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
  for size in array.shape:
    proto.tensor_shape.dim.add(size=size)
  flat = array.ravel()
  if array.dtype in (np.float16, tf.bfloat16.as_numpy_dtype):
    proto.half_val.extend(flat.view(np.uint16).tolist())
    return proto
  fields = {
    "float32": proto.float_val,
    "float64": proto.double_val,
    "int64": proto.int64_val,
    "uint32": proto.uint32_val,
    "uint64": proto.uint64_val,
    "bool": proto.bool_val,
  }
  fields.get(array.dtype.name, proto.int_val).extend(flat.tolist())
  return proto


class DecodingTest(parameterized.TestCase):
  @parameterized.product(dtype=_DTYPES, shape=_SHAPES)
  def test_field_of_the_type(self, dtype, shape):
    array = _values(dtype, shape)
    decoded = decoding.to_array(_in_field(array))
    self.assertEqual(decoded.dtype, array.dtype)
    np.testing.assert_array_equal(decoded, tf.make_ndarray(_in_field(array)))
    np.testing.assert_array_equal(decoded, array)

  @parameterized.product(dtype=_DTYPES, shape=_SHAPES)
  def test_tensor_content_round_trip(self, dtype, shape):
    array = _values(dtype, shape)
    proto = decoding.to_proto(array)
    np.testing.assert_array_equal(decoding.to_array(proto), array)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)

  def test_extremes_of_signed_integers(self):
    for dtype in (np.int8, np.int16, np.int32, np.int64):
      array = np.array([np.iinfo(dtype).min, -1, 0, np.iinfo(dtype).max], dtype)
      np.testing.assert_array_equal(decoding.to_array(_in_field(array)), array)

  def test_last_value_stands_for_the_rest(self):
    proto = tf.make_tensor_proto(3.5, tf.float32, shape=[2, 3])
    self.assertLen(proto.float_val, 1)
    np.testing.assert_array_equal(decoding.to_array(proto), np.full([2, 3], 3.5, np.float32))
    proto = _in_field(np.array([1, 2], np.int64))
    proto.tensor_shape.dim[0].size = 4
    np.testing.assert_array_equal(decoding.to_array(proto), [1, 2, 2, 2])

  def test_no_values_are_zeros(self):
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT)
    proto.tensor_shape.dim.add(size=3)
    np.testing.assert_array_equal(decoding.to_array(proto), np.zeros(3, np.float32))

  def test_field_in_two_packed_blocks(self):
    # The wire format allows a packed field to come in pieces.
    whole = _in_field(np.array([1.0, 2.0], np.float32)).SerializeToString()
    piece = tensor_pb2.TensorProto(float_val=[3.0]).SerializeToString()
    block = decoding._packed_field(whole + piece, 5)
    np.testing.assert_array_equal(np.frombuffer(block, np.float32), [1, 2, 3])

  def test_strings_are_refused(self):
    with self.assertRaisesRegex(ValueError, "type string: only numeric types"):
      decoding.to_array(tf.make_tensor_proto("x"))

  def test_wrong_count_is_refused(self):
    proto = _in_field(np.zeros(5, np.float32))
    proto.tensor_shape.dim[0].size = 4
    with self.assertRaisesRegex(ValueError, r"shape \[4\] has 5 values; expected 4"):
      decoding.to_array(proto)


if __name__ == "__main__":
  absltest.main()
