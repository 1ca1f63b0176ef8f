"""Tests of serving/varints.py."""

import numpy as np
from absl.testing import absltest, parameterized

from serving import varints, wire_format


class VarintsTest(parameterized.TestCase):
  @parameterized.parameters(
    np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64
  )
  def test_as_one_by_one(self, dtype):
    limits = np.iinfo(dtype)
    edges = [limits.min, limits.max, 0, 1, 127]
    random = np.random.default_rng(0).integers(limits.min, limits.max, 50, dtype, endpoint=True)
    values = np.concatenate([np.array(edges, dtype), random])
    packed = varints.pack(values).tobytes()
    self.assertEqual(packed, b"".join(wire_format.varint(int(value)) for value in values))
    np.testing.assert_array_equal(varints.unpack(packed).astype(dtype), values)

  def test_booleans_and_nothing(self):
    self.assertEqual(varints.pack(np.array([True, False])).tobytes(), b"\x01\x00")
    self.assertEqual(varints.pack(np.zeros(0, np.int32)).tobytes(), b"")
    self.assertEqual(varints.unpack(b"").shape, (0,))

  def test_argument_is_not_changed(self):
    values = np.array([300, 5], np.uint64)
    varints.pack(values)
    np.testing.assert_array_equal(values, [300, 5])

  @parameterized.parameters(b"\x80", b"\x01\xff", b"\x80" * 10 + b"\x01")
  def test_refuses_what_is_none(self, data):
    with self.assertRaisesRegex(ValueError, "varint"):
      varints.unpack(data)


if __name__ == "__main__":
  absltest.main()
