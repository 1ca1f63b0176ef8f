"""Floating-point numbers as JSON text, by TensorFlow Serving's rule (util/json_tensor.cc WriteDecimal).

Six significant digits if reading them gives the number back, else 9 for float and 17 for double, as C's
`%g` prints them; `.0` is added to what would look like an integer. Arrays of floats are turned into
digits by numpy, many at a time, which takes a third of the time of printing one after the other and
lets other threads run meanwhile.
"""

from collections.abc import Sequence

import numpy as np

_CHUNK = 1 << 15  # numbers at a time: working memory stays in the cache
_FEW = 200  # numbers that are quicker printed one by one
_WIDTH = 16  # bytes for a number and its separator; the longest float is "-1.23456789e-38"
_FIXED = range(-4, 9)  # decimal exponents that are printed without "e"
_ALWAYS_FIXED = 6  # from this exponent on, six digits are printed with "e"
_TIE = 1e-5  # nearer to a tie than this, double precision may round to the wrong side

_POWERS = np.array([float(f"1e{power}") for power in range(-20, 21)])
_FOUR_DIGITS = np.frombuffer("".join(f"{i:04d}" for i in range(10000)).encode(), np.uint32)
# Digits of a four-digit number without its trailing zeros; none for 0000.
_LENGTHS = np.array([len(f"{i:04d}".rstrip("0")) for i in range(10000)], np.uint8)
# Row n keeps the first n of twelve bytes.
_KEEP = (np.arange(12) < np.arange(13)[:, None]).astype(np.uint8) * np.uint8(0xFF)
_KEEP_WORDS = _KEEP.view(np.uint32)


def text(value: float, digits: int = 9) -> str:
  """One number.

  Args:
    value: the number; a float's in double precision.
    digits: 9 for float, 17 for double.
  """
  if not np.isfinite(value):
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
  number = np.float32 if digits == 9 else float
  made = f"{value:.6g}"
  if number(made) != value:
    made = f"{value:.{digits}g}"
  return made if "." in made or "e" in made else made + ".0"


def nested_lists(values: np.ndarray) -> list[bytes]:
  """An array as text: its numbers in brackets, separated by comma and space.

  Args:
    values: float32 or float64, at least one axis, no axis of size 0.

  Returns:
    Pieces of the text.
  """
  depth = values.ndim
  flat = values.reshape(-1)
  at_once = values.dtype == np.float32 and flat.size >= _FEW
  digits = 9 if values.dtype == np.float32 else 17
  pieces = [b"[" * depth]
  for start in range(0, flat.size, _CHUNK):
    chunk = flat[start : start + _CHUNK]
    closed = _closed_lists(start, chunk.size, values.shape)
    marks = closed + np.uint8(1)
    made = _float_texts(chunk, marks) if at_once else _single_texts(chunk, marks, digits)
    for level in range(depth):
      made = made.replace(bytes([level + 1]), b"]" * level + b", " + b"[" * level)
    pieces.append(made)
  # What the last number is followed by: the end of all lists.
  pieces[-1] = pieces[-1].removesuffix(bytes([depth + 1])) + b"]" * depth
  return pieces


def _closed_lists(start: int, count: int, shape: Sequence[int]) -> np.ndarray:
  """How many lists end behind each of `count` elements, the first of which is number `start`."""
  closed = np.zeros(count, np.uint8)
  size = 1
  for length in reversed(shape):
    size *= length
    closed[size - 1 - start % size :: size] += 1
  return closed


def _single_texts(values: np.ndarray, separators: np.ndarray, digits: int) -> bytes:
  """Numbers [n] one by one, each followed by its separator, a byte."""
  return "".join(
    text(value, digits) + chr(mark)
    for value, mark in zip(values.tolist(), separators.tolist(), strict=True)
  ).encode()


def _float_texts(values: np.ndarray, separators: np.ndarray) -> bytes:
  """Float32 numbers [n] as text, each followed by its separator, a byte."""
  out = np.zeros([len(values), _WIDTH], np.uint8)
  out[:, -1] = separators
  digits, exponents, lengths, is_hard = _decimals(values)
  out[:, 0] = np.where(np.signbit(values), ord("-"), 0)
  for exponent in _FIXED:
    chosen = np.flatnonzero((exponents == exponent) & ~is_hard)
    if chosen.size:
      _lay_out(out, digits, lengths, exponent, slice(None) if len(chosen) == len(out) else chosen)
  for index in np.flatnonzero(is_hard).tolist():
    made = text(float(values[index])).encode()
    out[index, : len(made)] = np.frombuffer(made, np.uint8)
    out[index, len(made) : -1] = 0
  return out.tobytes().translate(None, b"\0")


def _decimals(values: np.ndarray) -> tuple:
  """Digits and exponents of float32 numbers [n].

  Returns:
    digits: uint32 [n, 3], whose bytes are nine digits and a zero, as characters.
    exponents: int [n], of the first digit.
    lengths: uint8 [n], how many digits are left without trailing zeros.
    is_hard: bool [n]; the rest is meaningless where it is set.
  """
  with np.errstate(invalid="ignore"):  # signalling NaNs
    size = np.abs(values.astype(np.float64))
  is_zero = size == 0
  is_hard = ~((size > 1e-5) & (size < 1e9)) & ~is_zero
  size[is_zero | is_hard] = 1.0
  exponents = np.floor(np.log10(size)).astype(np.int64)
  nine = _scaled(size, 8 - exponents)
  whole = np.rint(nine)
  is_hard |= np.abs(np.abs(nine - whole) - 0.5) < _TIE
  six = np.rint(_scaled(size, 5 - exponents))
  is_six = _scaled(six, exponents - 5).astype(np.float32) == size.astype(np.float32)
  whole = np.where(is_six, six * 1000.0, whole)
  is_next = whole >= 1e9  # 9.99999999 became 10
  whole[is_next] = 1e8
  exponents[is_next] += 1
  whole[is_zero] = 0.0
  is_hard |= (whole < 1e8) & ~is_zero  # log10 was off by one
  is_hard |= (exponents < _FIXED.start) | (is_six & (exponents >= _ALWAYS_FIXED))
  is_hard |= exponents >= _FIXED.stop
  whole[is_hard] = 0.0
  digits, lengths = _characters(whole.astype(np.uint32))
  return digits, exponents, lengths, is_hard


def _scaled(values: np.ndarray, powers: np.ndarray) -> np.ndarray:
  """Values times a power of ten; off by two units in the last place at most."""
  return values * _POWERS[powers + 20]


def _characters(whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Nine-digit numbers uint32 [n] as characters uint32 [n, 3], and how many digits they need."""
  high = whole // np.uint32(100000)
  rest = whole - high * np.uint32(100000)
  middle = rest // np.uint32(10)
  low = rest - middle * np.uint32(10)
  digits = np.empty([len(whole), 3], np.uint32)
  digits[:, 0] = _FOUR_DIGITS[high]
  digits[:, 1] = _FOUR_DIGITS[middle]
  digits[:, 2] = low + np.uint32(ord("0") + (ord("0") << 8))
  lengths = np.where(middle > 0, 4 + _LENGTHS[middle], _LENGTHS[high])
  return digits, np.where(low > 0, 9, lengths).astype(np.uint8)


def _lay_out(
  out: np.ndarray, digits: np.ndarray, lengths: np.ndarray, exponent: int, chosen
) -> None:
  """Writes the numbers of one decimal exponent, without trailing zeros."""
  kept = np.maximum(lengths[chosen], exponent + 2)
  characters = (digits[chosen] & _KEEP_WORDS[kept]).view(np.uint8)
  if exponent >= 0:
    point = 1 + exponent + 1
    out[chosen, 1:point] = characters[:, : exponent + 1]
    out[chosen, point] = ord(".")
    out[chosen, point + 1 : point + 10 - exponent] = characters[:, exponent + 1 : 10]
  else:
    start = 2 - exponent
    out[chosen, 1:start] = np.frombuffer(("0." + "0" * (-exponent - 1)).encode(), np.uint8)[
      : start - 1
    ]
    out[chosen, start : start + 9] = characters[:, :9]
