"""Where things lie in the TFRecord files of the Waymo Open Dataset (perception, version 1).

Only the few fields of `Frame` that cameras need are followed (dataset.proto of waymo-research/waymo-open-dataset); a
memory map leaves the LiDAR, which is most of a file, on disk.
"""

import dataclasses
import mmap
import struct
from collections.abc import Iterator

import numpy as np

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclasses.dataclass(frozen=True)
class Camera:
  """Calibration of a camera: intrinsic [9] (fx, fy, cx, cy, distortion), extrinsic [4, 4] to vehicle, size."""

  intrinsic: np.ndarray
  extrinsic: np.ndarray
  size: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Image:
  """One camera's part of a frame.

  Attributes:
    image: (begin, end) of the JPEG in the file, bytes.
    pose: [4, 4] vehicle to world.
    panoptic: (begin, end) of the 16-bit PNG, or None where it is not labelled.
    divisor: panoptic label = class * divisor + instance.
  """

  image: tuple[int, int]
  pose: np.ndarray
  panoptic: tuple[int, int] | None
  divisor: int


@dataclasses.dataclass(frozen=True)
class Frame:
  """One record: the segment's name, its cameras, and their images, by the number of the camera."""

  segment: str
  cameras: dict[int, Camera]
  images: dict[int, Image]


def read_frames(path: str) -> list[Frame]:
  """All frames of a file.

  Raises:
    ValueError: the file is empty, truncated, or holds something else.
  """
  with open(path, "rb") as file:
    file.seek(0, 2)
    if not file.tell():
      raise ValueError(f"Waymo file {path!r} is empty.")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
      return [_frame(data, begin, end, path) for begin, end in _records(data, path)]


def read_bytes(path: str, place: tuple[int, int]) -> bytes:
  """Bytes [begin, end) of a file."""
  with open(path, "rb") as file:
    file.seek(place[0])
    return file.read(place[1] - place[0])


def _records(data, path):
  """(begin, end) of each record: a TFRecord is length (8 bytes), checksum (4), data, checksum (4)."""
  position = 0
  while position < len(data):
    begin = position + 12
    length = struct.unpack_from("<Q", data, position)[0] if begin <= len(data) else len(data)
    if begin + length + 4 > len(data):
      raise ValueError(
        f"Waymo file {path!r} is truncated or no TFRecord file: the record at byte {position} would end at byte "
        f"{begin + length + 4}, the file has {len(data)}."
      )
    yield begin, begin + length
    position = begin + length + 4


def _frame(data, begin, end, path):
  segment, cameras, images = "", {}, {}
  try:
    for number, value in _fields(data, begin, end):
      if number == 1:  # context
        for part, inner in _fields(data, *value):
          if part == 1:
            segment = data[slice(*inner)].decode()
          elif part == 2:
            name, camera = _camera(data, *inner)
            cameras[name] = camera
      elif number == 4:  # images
        name, image = _image(data, *value)
        images[name] = image
  except (IndexError, KeyError, TypeError, struct.error, ValueError) as error:
    raise ValueError(
      f"Waymo file {path!r}: the record at byte {begin} is no Frame of the Waymo Open Dataset ({error!r})."
    ) from error
  if not cameras or not images:
    raise ValueError(
      f"Waymo file {path!r}: the record at byte {begin} has no camera calibrations or no images."
    )
  return Frame(segment, cameras, images)


def _camera(data, begin, end):
  name, intrinsic, extrinsic, width, height = 0, [], None, 0, 0
  for number, value in _fields(data, begin, end):
    if number == 1:
      name = value
    elif number == 2:
      intrinsic += _doubles(data, value)
    elif number == 3:
      extrinsic = _transform(data, value)
    elif number == 4:
      width = value
    elif number == 5:
      height = value
  return name, Camera(np.array(intrinsic), extrinsic, (height, width))


def _image(data, begin, end):
  fields = dict(_fields(data, begin, end))
  panoptic, divisor = None, 0
  if 10 in fields:
    label = dict(_fields(data, *fields[10]))
    panoptic, divisor = label.get(2), label.get(1, 0)
  return fields[1], Image(fields[2], _transform(data, fields[3]), panoptic, divisor)


def _transform(data, place):
  values = [number for _, value in _fields(data, *place) for number in _doubles(data, value)]
  return np.array(values).reshape(4, 4)


def _doubles(data, value):
  """Numbers of a repeated double: one of them as 8 bytes, or several packed."""
  begin, end = value
  return list(struct.unpack_from(f"<{(end - begin) // 8}d", data, begin))


def _fields(data, begin, end) -> Iterator[tuple[int, int | tuple[int, int]]]:
  """(number, value) of the fields of a message: an integer, or (begin, end) of its bytes."""
  position = begin
  while position < end:
    key, position = _varint(data, position)
    number, kind = key >> 3, key & 7
    if kind == _VARINT:
      value, position = _varint(data, position)
      yield number, value
      continue
    if kind == _BYTES:
      length, position = _varint(data, position)
    elif kind in (_FIXED64, _FIXED32):
      length = 8 if kind == _FIXED64 else 4
    else:
      raise ValueError(f"wire type {kind}")
    if position + length > end:
      raise ValueError(f"field {number} ends after its message")
    yield number, (position, position + length)
    position += length


def _varint(data, position):
  result, shift = 0, 0
  while True:
    byte = data[position]
    result |= (byte & 127) << shift
    position, shift = position + 1, shift + 7
    if byte < 128:
      return result, position
