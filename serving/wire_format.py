"""Reading and writing the protocol buffer wire format by hand, without copies.

A request or an answer is megabytes of tensor inside a few dozen bytes of structure. These functions
look at the structure only: a field's value comes back as a slice (start, end) of the message, and an
answer is joined from its headers and the tensors' own memory in one go.
"""

from collections.abc import Iterator

VARINT = 0
FIXED64 = 1
LENGTH_DELIMITED = 2
START_GROUP = 3
END_GROUP = 4
FIXED32 = 5
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_MOST_NESTED = 100  # groups in groups; protocol buffers' own limit


def varint(value: int) -> bytes:
  """Encodes an integer; negative ones as 64-bit two's complement."""
  if value < 0:
    value += 1 << 64
  out = bytearray()
  while value > 0x7F:
    out.append(value & 0x7F | 0x80)
    value >>= 7
  out.append(value)
  return bytes(out)


def tag(field: int, wire_type: int = LENGTH_DELIMITED) -> bytes:
  """The key that precedes a field's value."""
  return varint(field << 3 | wire_type)


def header(field: int, length: int) -> bytes:
  """What precedes `length` bytes of a length-delimited field."""
  return tag(field) + varint(length)


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple]:
  """Walks over a message's fields.

  Args:
    data: bytes that hold the message.
    start: where the message begins.
    end: where it ends; None means the end of `data`.

  Yields:
    (field number, wire type, value): the value is (start, end) of a length-delimited or fixed-size
    field within `data`, or the number itself of a varint. Groups, which no message here has, are
    passed over, as protocol buffers do with fields that they do not know.

  Raises:
    ValueError: if the bytes are no such message.
  """
  position = start
  end = len(data) if end is None else end
  groups: list[int] = []
  while position < end:
    key, position = _read_varint(data, position, end)
    field, wire_type = key >> 3, key & 7
    if field == 0 or key >> 32:
      raise ValueError(f"field number {field} at byte {position}")
    if wire_type == VARINT:
      value, position = _read_varint(data, position, end)
    elif wire_type in (START_GROUP, END_GROUP):
      _step_into_or_out(groups, field, wire_type, position)
      continue
    else:
      value = _slice(data, field, wire_type, position, end)
      position = value[1]
    if not groups:
      yield field, wire_type, value
  if groups:
    raise ValueError(f"group {groups[-1]} does not end")


def _slice(data: bytes, field: int, wire_type: int, position: int, end: int) -> tuple[int, int]:
  """Where the value of a length-delimited or fixed-size field begins and ends."""
  if wire_type == LENGTH_DELIMITED:
    size, position = _read_varint(data, position, end)
  elif wire_type in _FIXED_SIZES:
    size = _FIXED_SIZES[wire_type]
  else:
    raise ValueError(f"wire type {wire_type} at byte {position}")
  if position + size > end:
    raise ValueError(f"field {field} wants {size} bytes, {end - position} are left")
  return position, position + size


def _step_into_or_out(groups: list[int], field: int, wire_type: int, position: int) -> None:
  if wire_type == START_GROUP:
    if len(groups) == _MOST_NESTED:
      raise ValueError(f"more than {_MOST_NESTED} nested groups at byte {position}")
    groups.append(field)
  elif not groups or groups.pop() != field:
    raise ValueError(f"group {field} ends at byte {position}, but did not begin")


def _read_varint(data: bytes, position: int, end: int) -> tuple[int, int]:
  value = shift = 0
  while position < end and shift < 70:
    byte = data[position]
    position += 1
    value |= (byte & 0x7F) << shift
    if byte < 0x80:
      return value & 0xFFFFFFFFFFFFFFFF, position
    shift += 7
  raise ValueError(f"unfinished varint at byte {position}")
