import dataclasses

import numpy as np
import psutil
import tensorflow as tf
from absl.testing import parameterized

from serving import (
  errors,
  saved_model,
  tensor_head,
  tensor_reading,
  tensor_writing,
  tf_library,
  wire_format,
)


def _endpoint(shape=None, dtype=tf.float32):
  return saved_model.Endpoint("x:0", tf_library.Output(), shape, dtype.as_datatype_enum)


def _read(proto, endpoint=None):
  """A TensorProto through a TF_Tensor and back."""
  data = b"??" + proto.SerializeToString()
  tensor = tensor_reading.read(data, 2, len(data), "x", endpoint or _endpoint())
  try:
    return type(proto).FromString(b"".join(tensor_writing.serialize(tensor, as_content=True)))
  finally:
    tf_library.load().TF_DeleteTensor(tensor)


def _proto(dtype=tf.float32, shape=(), **values):
  made = tf.make_tensor_proto(0.0)
  made.Clear()
  made.dtype = dtype.as_datatype_enum if isinstance(dtype, tf.DType) else dtype
  for size in shape:
    made.tensor_shape.dim.add(size=size)
  for name, value in values.items():
    if name == "tensor_content":
      made.tensor_content = value
    else:
      getattr(made, name).extend(value)
  return made


class TensorReadingTest(parameterized.TestCase):
  @parameterized.parameters(
    "float16", "bfloat16", "float32", "float64", "complex64", "bool", "int8", "uint16", "int64"
  )
  def test_content(self, name):
    values = np.array([[0, 1, 1], [0, 0, 1]]).astype(tf.as_dtype(name).as_numpy_dtype)
    proto = _proto(tf.as_dtype(name), values.shape, tensor_content=values.tobytes())
    np.testing.assert_array_equal(tf.make_ndarray(_read(proto)), values)

  def test_values_of_the_type(self):
    for proto, expected in (
      (_proto(shape=[2], float_val=[1.0, 2.0]), [1.0, 2.0]),
      (_proto(shape=[3], float_val=[1.0, 2.0]), [1.0, 2.0, 2.0]),
      (_proto(shape=[2]), [0.0, 0.0]),
      (_proto(tf.half, [2], half_val=[0x3C00, 0]), [1.0, 0.0]),
      (_proto(tf.string, [2], string_val=[b"ab"]), [b"ab", b"ab"]),
      (_proto(tf.int64, [0, 5]), np.zeros([0, 5])),
    ):
      np.testing.assert_array_equal(tf.make_ndarray(_read(proto)), expected)

  def test_more_fields_than_are_looked_at(self):
    proto = _proto(tf.string, [5000], string_val=[b"x%d" % number for number in range(5000)])
    self.assertEqual(_read(proto), proto)

  @parameterized.parameters(
    (_proto(shape=[3], tensor_content=b"1234"),),
    (_proto(shape=[-1], float_val=[1.0]),),
    (_proto(shape=[2] * 300, float_val=[1.0]),),
    (_proto(0, [1], float_val=[1.0]),),
    (_proto(9999, [1], float_val=[1.0]),),
    (_proto(29, [1], int_val=[1]),),  # DT_INT4: no element of it can be addressed
  )
  def test_malformed(self, proto):
    with self.assertRaises(errors.StatusError) as caught:
      _read(proto)
    self.assertEqual(caught.exception.code, "INVALID_ARGUMENT")
    self.assertEqual(caught.exception.message, "tensor parsing error: x")

  def test_bytes_that_are_no_message(self):
    for data in (b"\x08", b"\x12\x03\x12\x05\x08", b"\xff" * 12):
      with self.assertRaisesRegex(errors.StatusError, "tensor parsing error: x"):
        tensor_reading.read(data, 0, len(data), "x", _endpoint())

  def test_unknown_rank(self):
    proto = _proto(float_val=[1.0])
    proto.tensor_shape.unknown_rank = True
    with self.assertRaisesRegex(errors.StatusError, "tensor parsing error: x"):
      _read(proto)

  @parameterized.parameters((20, "resource"), (21, "variant"))
  def test_types_that_are_not_for_clients(self, number, name):
    with self.assertRaisesRegex(
      errors.StatusError, f"Expects arg.0. to be float but {name} is provided"
    ):
      _read(_proto(number, [1]))

  def test_rank_of_images(self):
    endpoint = _endpoint((-1, 8, 8, 3))
    with self.assertRaisesRegex(
      errors.StatusError,
      r"INVALID_ARGUMENT: input x must be 4-dimensional: \[8,8,3\] \(the signature declares "
      r"\[-1,8,8,3\]\)",
    ):
      _read(_proto(shape=[8, 8, 3], float_val=[0.0]), endpoint)
    _read(_proto(shape=[8, 8, 3], float_val=[0.0]), _endpoint((-1, 8)))

  def test_rank_of_signals(self):
    endpoint = dataclasses.replace(_endpoint((-1, -1)), least_rank=2)
    with self.assertRaisesRegex(errors.StatusError, r"INVALID_ARGUMENT: input x must be 2-dimensi"):
      _read(_proto(shape=[8], float_val=[0.0]), endpoint)
    for shape in ([8, 8], [8, 8, 3]):
      _read(_proto(shape=shape, float_val=[0.0]), endpoint)

  def test_open_rank(self):
    endpoint = dataclasses.replace(_endpoint(None), least_rank=4)
    with self.assertRaisesRegex(
      errors.StatusError,
      r"INVALID_ARGUMENT: input x must be at least 4-dimensional: \[8,8,3\] \(the signature leaves",
    ):
      _read(_proto(shape=[8, 8, 3], float_val=[0.0]), endpoint)
    for shape in ([1, 8, 8, 3], [1, 1, 8, 8, 3]):
      _read(_proto(shape=shape, float_val=[0.0]), endpoint)
    _read(_proto(shape=[], float_val=[0.0]), _endpoint(None))

  @parameterized.parameters([[0, 2**30, 2**30, 3]], [[2**31]], [[2**62, 2**62]])
  def test_sizes_that_end_the_process(self, shape):
    with self.assertRaisesRegex(errors.StatusError, "INVALID_ARGUMENT: input x has too large a"):
      _read(_proto(shape=shape, float_val=[0.0]))

  @parameterized.parameters(
    (_proto(shape=[1000, 1000, 1000], float_val=[1.0]),),
    (_proto(tf.string, [1_000_000], string_val=[b"x" * 1000]),),
    (_proto(tf.string, [2**30], string_val=[b""]),),
    (_proto(tf.complex128, [2**29]),),
  )
  def test_memory_is_bounded(self, proto):
    before = psutil.Process().memory_info().rss
    with self.assertRaisesRegex(
      errors.StatusError, r"RESOURCE_EXHAUSTED: input x of shape \[.*\] takes \d+ bytes, but only"
    ):
      _read(proto)
    self.assertLess(psutil.Process().memory_info().rss - before, 50e6)

  def test_what_was_sent_is_never_too_much(self):
    size = 20_000_000
    zeros = wire_format.header(10, size) + bytes(size)  # int64_val, packed: one byte each
    data = tensor_head.head(tf.int64.as_datatype_enum, [size]) + zeros
    tensor = tensor_reading.read(data, 0, len(data), "x", _endpoint(dtype=tf.int64))
    self.assertEqual(tf_library.load().TF_Dim(tensor, 0), size)
    tf_library.load().TF_DeleteTensor(tensor)


if __name__ == "__main__":
  tf.test.main()
