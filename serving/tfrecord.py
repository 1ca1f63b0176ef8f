"""Reads TFRecord files with their checksums (tensorflow/core/lib/io/record_reader.h)."""

import struct
from collections.abc import Iterator

import numpy as np

from serving import errors

_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bit-reversed
_MASK_DELTA = 0xA282EAD8
_LANES = 256  # parts of a long record whose checksums are computed side by side


def _byte_table() -> np.ndarray:
  table = np.arange(256, dtype=np.uint32)
  for _ in range(8):
    table = np.where(table & 1, table >> 1 ^ _POLYNOMIAL, table >> 1).astype(np.uint32)
  return table


_TABLE = _byte_table()
_TABLE_NUMBERS = _TABLE.tolist()
_SHORT = 4096  # bytes below which one loop is quicker than many lanes


def read(path: str) -> Iterator[bytes]:
  """Yields the records of a file.

  Raises:
    errors.StatusError: DATA_LOSS if the file is cut off or a checksum does not hold.
  """
  with open(path, "rb") as file:
    offset = 0
    while head := file.read(12):
      length = _checked_length(head, offset)
      body = file.read(length + 4)
      if len(body) < length + 4:
        raise errors.StatusError("DATA_LOSS", f"truncated record at {offset}")
      if _masked(crc32c(body[:length])) != struct.unpack("<I", body[length:])[0]:
        raise errors.StatusError("DATA_LOSS", f"corrupted record at {offset}")
      yield body[:length]
      offset += length + 16


def frame(record: bytes) -> bytes:
  """The record as it stands in a file: length, checksum of it, record, checksum of that."""
  head = struct.pack("<Q", len(record))
  return b"".join(
    [
      head,
      struct.pack("<I", _masked(crc32c(head))),
      record,
      struct.pack("<I", _masked(crc32c(record))),
    ]
  )


def crc32c(data: bytes) -> int:
  """CRC-32C of some bytes.

  A long input is cut into lanes that are folded side by side, one byte of each at a time; then
  neighbours are joined: crc(a + b) = advance(crc(a), len(b)) ^ crc(b), where advancing over zero
  bytes is a linear map of 32 bits.
  """
  if len(data) < _SHORT:
    return _continued(0xFFFFFFFF, data) ^ 0xFFFFFFFF
  width = len(data) // _LANES
  body = np.frombuffer(data, np.uint8, width * _LANES).reshape(_LANES, width)
  state = np.zeros(_LANES, np.uint32)
  state[0] = 0xFFFFFFFF
  for column in body.T:
    state = _TABLE[(state ^ column) & 0xFF] ^ state >> np.uint32(8)
  advance = _zero_bytes_map(width)
  while len(state) > 1:
    state = _apply(advance, state[0::2]) ^ state[1::2]
    advance = _apply(advance, advance)
  return _continued(int(state[0]), data[width * _LANES :]) ^ 0xFFFFFFFF


def _continued(crc: int, data: bytes) -> int:
  """The state after some more bytes."""
  for byte in data:
    crc = _TABLE_NUMBERS[(crc ^ byte) & 0xFF] ^ crc >> 8
  return crc


def _zero_bytes_map(count: int) -> np.ndarray:
  """What `count` zero bytes do to a state: the images [32] of the 32 single bits."""
  bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
  power = _TABLE[bits & 0xFF] ^ bits >> np.uint32(8)
  result = bits
  while count:
    if count & 1:
      result = _apply(power, result)
    power = _apply(power, power)
    count >>= 1
  return result


def _apply(images: np.ndarray, states: np.ndarray) -> np.ndarray:
  """A linear map, given by its images of single bits, of each state."""
  result = np.zeros_like(states)
  for bit, image in enumerate(images):
    result ^= np.where(states >> np.uint32(bit) & np.uint32(1), image, np.uint32(0))
  return result


def _checked_length(head: bytes, offset: int) -> int:
  if len(head) < 12:
    raise errors.StatusError("DATA_LOSS", f"truncated record at {offset}")
  length, checksum = struct.unpack("<QI", head)
  if _masked(crc32c(head[:8])) != checksum:
    raise errors.StatusError("DATA_LOSS", f"corrupted record at {offset}")
  return length


def _masked(crc: int) -> int:
  """Checksums of data that hold checksums are stored masked."""
  return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
