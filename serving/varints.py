"""Packed varints, many numbers at once: the inside of protocol buffers' repeated integer fields."""

import numpy as np


def pack(values: np.ndarray) -> np.ndarray:
  """Encodes integers.

  Args:
    values: [n], any integer or boolean type; negative numbers take ten bytes, as protocol buffers have it.

  Returns:
    uint8 [bytes].
  """
  if values.dtype.kind == "b":
    return values.view(np.uint8)
  if values.dtype.kind == "i":
    values = values.astype(np.int64).view(np.uint64)
  most = max((int(values.max(initial=0)).bit_length() + 6) // 7, 1)
  rest = values.astype(np.uint64)
  groups = np.empty((len(values), most), np.uint8)
  for place in range(most):
    np.bitwise_and(rest, np.uint64(0x7F), out=groups[:, place], casting="unsafe")
    rest >>= np.uint64(7)
    groups[:, place] |= (rest != 0).view(np.uint8) << 7
  # A group belongs to the value's encoding if it is the first or the one before says "more follows".
  used = np.ones(groups.shape, bool)
  used[:, 1:] = groups[:, :-1] >= 0x80
  return groups[used]


def unpack(data: bytes | np.ndarray) -> np.ndarray:
  """Decodes varints.

  Args:
    data: uint8 [bytes] or bytes.

  Returns:
    uint64 [n]; `.view(np.int64)` where the field's type is signed.

  Raises:
    ValueError: a number is unfinished or longer than ten bytes.
  """
  data = np.frombuffer(data, np.uint8)
  ends = np.flatnonzero(data < 0x80)
  if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
    raise ValueError(f"unfinished varint at the end of {len(data)} bytes")
  starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
  lengths = ends - starts + 1
  longest = int(lengths.max(initial=0))
  if longest > 10:
    raise ValueError(f"varint of {longest} bytes; at most ten make sense")
  values = np.zeros(len(ends), np.uint64)
  for place in range(longest):
    longer = np.flatnonzero(lengths > place)
    septets = (data[starts[longer] + place] & 0x7F).astype(np.uint64)
    values[longer] |= septets << np.uint64(7 * place)
  return values
