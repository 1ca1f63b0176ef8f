from absl.testing import absltest, parameterized
from google.protobuf import struct_pb2

from serving import wire_format


class WireFormatTest(parameterized.TestCase):
  @parameterized.parameters(
    (0, b"\x00"),
    (127, b"\x7f"),
    (128, b"\x80\x01"),
    (300, b"\xac\x02"),
    (-1, b"\xff" * 9 + b"\x01"),
  )
  def test_varint(self, value, expected):
    self.assertEqual(wire_format.varint(value), expected)

  def test_fields_finds_every_kind(self):
    value = struct_pb2.Value(number_value=1.5).SerializeToString()
    self.assertEqual(list(wire_format.fields(value)), [(2, wire_format.FIXED64, (1, 9))])
    data = (
      wire_format.header(1, 3)
      + b"abc"
      + wire_format.tag(300, wire_format.VARINT)
      + wire_format.varint(-2)
      + wire_format.tag(2, wire_format.FIXED32)
      + bytes(4)
    )
    found = list(wire_format.fields(data))
    self.assertEqual(
      found,
      [
        (1, wire_format.LENGTH_DELIMITED, (2, 5)),
        (300, wire_format.VARINT, 2**64 - 2),
        (2, wire_format.FIXED32, (len(data) - 4, len(data))),
      ],
    )

  def test_fields_of_a_part(self):
    self.assertEqual(list(wire_format.fields(b"??\x08\x05?", 2, 4)), [(1, wire_format.VARINT, 5)])

  def test_groups_are_passed_over(self):
    inner = b"\x08\x05" + b"\x13\x08\x07\x14"  # field 1; group 2 with a field 1
    data = b"\x08\x01" + b"\x0b" + inner + b"\x0c" + b"\x10\x02"
    self.assertEqual(
      list(wire_format.fields(data)), [(1, wire_format.VARINT, 1), (2, wire_format.VARINT, 2)]
    )

  @parameterized.parameters(
    b"\x0b\x14",
    b"\x0c",
    b"\x0b" * 200,
    b"\x80\x80\x80\x80\x80\x01\x00",
    b"\xff",
    b"\x0a\x05ab",
    b"\x00\x00",
    b"\x0b",
    b"\x09\x00",
    b"\x08",
    b"\xff" * 20,
  )
  def test_broken_bytes(self, data):
    with self.assertRaises(ValueError):
      list(wire_format.fields(data))


if __name__ == "__main__":
  absltest.main()
