"""Tests of serving/client/tensors.py: TensorFlow's own coder is the truth."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorflow.core.framework import tensor_pb2

from serving.client import tensors

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_NUMBERS = (*_INTEGERS, "float16", "float32", "float64", "complex64", "complex128", "bool")


def _values(dtype, shape=(3, 4)):
  random = np.random.default_rng(0)
  if dtype in _INTEGERS:
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
  values = random.normal(size=shape) * 100
  if dtype == "bool":
    return values > 0
  return (values + 1j * values[::-1] if dtype.startswith("complex") else values).astype(dtype)


def _encoded(value, as_content=True):
  """What TensorFlow reads in the bytes."""
  proto = tensor_pb2.TensorProto.FromString(b"".join(tensors.encode(value, as_content)))
  if proto.dtype != tf.string.as_datatype_enum:
    if as_content:
      assert proto.tensor_content or not np.size(value)
    else:
      assert not proto.tensor_content
  return tf.make_ndarray(proto)


def _as_fields(array):
  """TensorFlow Serving's form of an array: values in the field of their type."""
  return tensor_pb2.TensorProto.FromString(b"".join(tensors.encode(array, as_content=False)))


class TensorsTest(parameterized.TestCase):
  @parameterized.product(dtype=_NUMBERS, as_content=(True, False))
  def test_tensorflow_reads_what_is_written(self, dtype, as_content):
    values = _values(dtype)
    read = _encoded(values, as_content)
    self.assertEqual(read.dtype, values.dtype)
    np.testing.assert_array_equal(read, values)

  @parameterized.parameters(*_NUMBERS)
  def test_reads_what_tensorflow_writes(self, dtype):
    values = _values(dtype)
    for given in (values, values[0, 0], np.full([3, 4], values[0, 0])):
      for proto in (tf.make_tensor_proto(given), _as_fields(given)):
        read = tensors.decode(proto.SerializeToString())
        self.assertEqual(read.dtype, values.dtype)
        np.testing.assert_array_equal(read, given)
        self.assertTrue(read.flags.writeable)

  @parameterized.parameters([[0]], [[2, 0, 3]], [[]], [[1, 1, 1, 1, 1]])
  def test_shapes(self, shape):
    values = np.ones(shape, np.float32)
    self.assertEqual(_encoded(values).shape, tuple(shape))
    self.assertEqual(_encoded(values, False).shape, tuple(shape))
    self.assertEqual(tensors.decode(b"".join(tensors.encode(values))).shape, tuple(shape))

  def test_views_and_other_byte_orders(self):
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for view in (values[:, ::2], values.T, values.astype(">f4"), values[..., 0]):
      np.testing.assert_array_equal(_encoded(view), view)
      np.testing.assert_array_equal(_encoded(view, False), view)

  def test_strings(self):
    texts = [b"plain", b"", b"zeros\x00\x00", "größe".encode()]
    for given in (texts, np.array(texts, object)):
      read = _encoded(given)
      self.assertEqual(read.tolist(), texts)
      self.assertEqual(tensors.decode(b"".join(tensors.encode(given))).tolist(), texts)
    self.assertEqual(_encoded("größe").tolist(), "größe".encode())
    self.assertEqual(_encoded(np.array([["a", "b"]])).tolist(), [[b"a", b"b"]])

  def test_bfloat16(self):
    values = np.array([1.0, 3.14159, -2.5e38, 1e-40, np.inf, -np.inf, 0.0, 1.00390625], np.float32)
    truth = values.astype(tf.bfloat16.as_numpy_dtype)
    for as_content in (True, False):
      read = _encoded(tensors.bfloat16(values), as_content)
      np.testing.assert_array_equal(read.astype(np.float32), truth.astype(np.float32))
    np.testing.assert_array_equal(
      _encoded(truth).astype(np.float32), truth.astype(np.float32)
    )  # their own numpy type
    read = tensors.decode(tf.make_tensor_proto(truth).SerializeToString())
    self.assertEqual(read.dtype, np.float32)
    np.testing.assert_array_equal(read, truth.astype(np.float32))
    self.assertTrue(np.isnan(_encoded(tensors.bfloat16([np.nan])).astype(np.float32)).all())
    np.testing.assert_array_equal(
      _encoded(tensors.Typed("bfloat16", np.uint16([0x3F80]))).astype(np.float32), [1.0]
    )

  def test_pythons_numbers_are_taken_as_tensorflow_takes_them(self):
    for value in (1, 1.5, True, [[1, 2]], [1.5, 2], 2**40, [True, False]):
      made = tensors.as_array(value)
      if value == 2**40:
        self.assertEqual(made.dtype, np.int64)
      else:
        self.assertEqual(made.dtype, tf.convert_to_tensor(value).dtype.as_numpy_dtype)
    self.assertEqual(tensors.as_array([np.float64(1)]).dtype, np.float64)
    self.assertEqual(tensors.as_array(np.arange(3)).dtype, np.int64)

  def test_last_value_stands_for_all_that_follow(self):
    proto = tensor_pb2.TensorProto(dtype=3, int_val=[7, -9])
    proto.tensor_shape.dim.add(size=4)
    np.testing.assert_array_equal(tensors.decode(proto.SerializeToString()), [7, -9, -9, -9])
    del proto.int_val[:]
    np.testing.assert_array_equal(tensors.decode(proto.SerializeToString()), [0, 0, 0, 0])

  def test_numbers_one_by_one(self):
    # int_val: field 7, as varints that are not packed; float_val: field 5, likewise.
    data = b"\x08\x03\x12\x04\x12\x02\x08\x02" + b"\x38\x05\x38\x06"
    np.testing.assert_array_equal(tensors.decode(data), [5, 6])
    data = b"\x08\x01\x12\x04\x12\x02\x08\x02" + (b"\x2d" + np.float32(1.5).tobytes()) * 2
    np.testing.assert_array_equal(tensors.decode(data), [1.5, 1.5])

  def test_quantised_types_come_as_their_integers(self):
    proto = tf.make_tensor_proto(np.int8([1, -2]))
    proto.dtype = tf.qint8.as_datatype_enum
    read = tensors.decode(proto.SerializeToString())
    self.assertEqual((read.dtype, read.tolist()), (np.int8, [1, -2]))

  @parameterized.parameters(
    (b"\x08\x14", "data type number 20"),
    (b"\x08\x01\x12\x02\x18\x01", "unknown shape"),
    (b"\x08\x01\x12\x0f\x12\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x12\x00", "wants|larger"),
    (b"\x08\x01\x12\x0a\x12\x08\x08\xff\xff\xff\xff\xff\xff\x7f", "larger than any answer"),
    (b"\x08\x01\x12\x04\x12\x02\x08\x02\x22\x03abc", "multiple of element size"),
    (b"\x08\x01\x12\x04\x12\x02\x08\x01\x22\x08abcdabcd", "has 2 values; expected 1"),
    (b"\xff", "unfinished varint"),
  )
  def test_refuses(self, data, message):
    with self.assertRaisesRegex(ValueError, message):
      tensors.decode(data)

  def test_nothing_but_value_errors_for_random_bytes(self):
    random = np.random.default_rng(1)
    good = [b"".join(tensors.encode(_values(d), c)) for d in _NUMBERS for c in (True, False)]
    good.append(b"".join(tensors.encode([b"abc", b""])))
    outcomes = {True: 0, False: 0}
    for _ in range(3000):
      data = bytearray(good[random.integers(len(good))])
      for place in random.integers(len(data), size=random.integers(1, 4)):
        data[place] = random.integers(256)
      try:
        tensors.decode(bytes(data[: random.integers(1, len(data) + 1)]))
        outcomes[True] += 1
      except ValueError:
        outcomes[False] += 1
    self.assertGreater(min(outcomes.values()), 100)

  def test_refuses_to_send(self):
    with self.assertRaisesRegex(TypeError, "type datetime64.* cannot be sent"):
      tensors.encode(np.array(["2020-01-01"], np.datetime64))
    with self.assertRaisesRegex(TypeError, "bytes and str only. Received: .*int"):
      tensors.encode(np.array([b"a", 1], object))
    with self.assertRaisesRegex(ValueError, "no data type 'float8'. There are: bfloat16, "):
      tensors.Typed("float8", np.zeros(1))
    with self.assertRaisesRegex(ValueError, r"needs values of type uint16. Received: float64"):
      tensors.Typed("bfloat16", np.zeros(1))


if __name__ == "__main__":
  absltest.main()
