"""Reads image files with errors that name them."""

import os

import numpy as np
from PIL import Image

ENDINGS = (".jpg", ".jpeg", ".png")
# Some cameras pad their files, so that the mark of the end is not quite at the end.
_END_BYTES = 64
_END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


def size(path: str) -> tuple[int, int]:
  """(height, width) from the header. Raises ValueError."""
  try:
    with Image.open(path) as image:
      return image.height, image.width
  except OSError as error:
    raise ValueError(f"Cannot read image {path!r}: {error}.") from error


def read(path: str) -> np.ndarray:
  """Pixels as stored.

  Returns:
    [height, width] or [height, width, channels], uint8 or uint16. Palette images give their indices.

  Raises:
    ValueError: the file is missing, no image, or truncated.
  """
  try:
    with Image.open(path) as image:
      return np.asarray(image)
  except (OSError, SyntaxError, ValueError) as error:
    raise ValueError(f"Cannot read image {path!r}: {error}.") from error


def palette(path: str) -> np.ndarray | None:
  """[256, 3] uint8, the colours of the numbers of a palette image, white where there is none; else None. ValueError."""
  try:
    with Image.open(path) as image:
      if image.mode != "P":
        return None
      colours = np.full((256, 3), 255, np.uint8)
      known = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
      colours[: len(known)] = known
      return colours
  except (OSError, SyntaxError, ValueError) as error:
    raise ValueError(f"Cannot read image {path!r}: {error}.") from error


def read_colour(path: str) -> np.ndarray:
  """[height, width, 3] uint8; grey images have three equal channels. Raises ValueError."""
  try:
    with Image.open(path) as image:
      if image.mode.startswith("I;16"):  # converting would make white of all above 255
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=-1)
      return np.asarray(image.convert("RGB"))
  except (OSError, SyntaxError, ValueError) as error:
    raise ValueError(f"Cannot read image {path!r}: {error}.") from error


def problem(path: str, expected: tuple[int, int], like: str) -> str:
  """What is wrong with an image file as far as its first and last bytes tell; "" if nothing.

  Args:
    path: of the file.
    expected: (height, width) that it must have.
    like: whose size that is, for the message.
  """
  try:
    with Image.open(path) as image:
      found, kind = (image.height, image.width), image.format
    with open(path, "rb") as file:
      file.seek(-min(_END_BYTES, os.path.getsize(path)), os.SEEK_END)
      end = file.read()
  except OSError as error:
    return str(error)
  if found != tuple(expected):
    return f"is {found[1]}x{found[0]} (width x height), but {like} is {expected[1]}x{expected[0]}"
  return "" if _END_MARKS.get(kind, b"") in end else "is truncated: it lacks the mark of its end"
