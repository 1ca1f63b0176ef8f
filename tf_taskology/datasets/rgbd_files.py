"""Frames, recordings, and the small text files beside them."""

import dataclasses
import decimal
import functools
import os
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")


@dataclasses.dataclass(frozen=True)
class Frame:
  """One moment of a recording.

  Attributes:
    name: unique within the recording.
    color: path of the colour image.
    depth: path of the depth image, single-channel uint16; None where there is none.
    normals: path of an image of normals, 8-bit: n = 2 value / 255 - 1, camera frame; None where there is none.
    pose: [4, 4] float64 camera to world, metres, as the file says (it may be no pose at all, see `is_pose`);
      None where there is none.
    time: seconds; None where the layout has no times.
  """

  name: str
  color: str
  depth: str | None = None
  normals: str | None = None
  pose: np.ndarray | None = None
  time: float | None = None


@dataclasses.dataclass(frozen=True)
class Recording:
  """A folder of frames in the order in which they were taken.

  Attributes:
    path: the folder.
    layout: one of `rgbd_layouts.LAYOUTS`.
    frames: all frames with a colour image.
    intrinsics_file: where intrinsics of the colour camera are looked for.
    intrinsics: [3, 3] float64, pixels of the colour images; None if that file does not exist.
    depth_intrinsics: the same of the depth images, where the layout keeps them apart.
    depth_scale: stored units per metre, by the habit of the layout.
    orphans: depth images and poses that belong to no colour image.
  """

  path: str
  layout: str
  frames: tuple[Frame, ...]
  intrinsics_file: str
  intrinsics: np.ndarray | None
  depth_intrinsics: np.ndarray | None = None
  depth_scale: float = 1000.0
  orphans: tuple[str, ...] = ()


def read_matrix(path: str) -> np.ndarray:
  """A [3, 3] matrix of intrinsics from a text file of 4 (fx fy cx cy), 9 or 16 numbers (the upper left 3x3)."""
  numbers = _read_numbers(path)
  if numbers.size == 4:
    return from_focal(numbers)
  if numbers.size == 9:
    return numbers.reshape(3, 3)
  if numbers.size == 16:
    return numbers.reshape(4, 4)[:3, :3]
  raise ValueError(
    f"{path!r} must hold 4 (fx fy cx cy), 9 or 16 numbers, but holds {numbers.size}."
  )


def from_focal(values: Sequence[float]) -> np.ndarray:
  """[3, 3] intrinsics from (fx, fy, cx, cy), pixels."""
  fx, fy, cx, cy = (float(value) for value in values)
  return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def is_pose(pose: np.ndarray | None) -> bool:
  """Whether a [4, 4] matrix is finite and rigid (rotation within 1 %, last row 0 0 0 1)."""
  if pose is None or pose.shape != (4, 4) or not np.all(np.isfinite(pose)):
    return False
  rotation = pose[:3, :3]
  rigid = np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-2) and np.linalg.det(rotation) > 0
  return bool(rigid and np.allclose(pose[3], (0.0, 0.0, 0.0, 1.0), atol=1e-3))


def absolute(path: str) -> str:
  """A path as the user types it, ~ and relative ones too, from the root: names of folders are taken from it."""
  return os.path.abspath(os.path.expanduser(path))


def read_text(path: str) -> str:
  """A text file, with or without a byte order mark; ValueError that names it if it is no text."""
  try:
    with open(path, encoding="utf-8-sig") as file:
      return file.read()
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(f"Cannot read {path!r}: {error}.") from error


def cached(read: Callable[[str], _T]) -> Callable[[str], _T]:
  """Keeps what a function has read from files, by path; a file that has changed since is read again."""

  @functools.lru_cache(maxsize=256)
  def kept(path, changed):
    del changed
    return read(path)

  @functools.wraps(read)
  def wrapper(path):
    about = os.stat(path) if os.path.exists(path) else None
    return kept(path, about and (about.st_mtime_ns, about.st_size))

  return wrapper


def _read_numbers(path):
  text = read_text(path)
  try:
    return np.array([float(word) for word in text.replace(",", " ").split()])
  except ValueError as error:
    raise ValueError(f"{path!r} must hold numbers only: {error}.") from error


def read_optional_matrix(path: str) -> np.ndarray | None:
  """As `read_matrix`; None if there is no such file."""
  return read_matrix(path) if os.path.exists(path) else None


def read_pose(path: str) -> np.ndarray:
  """[4, 4], or NaN if the file holds anything else: one bad pose among thousands is no reason to stop."""
  try:
    numbers = _read_numbers(path)
  except ValueError:
    numbers = np.zeros(0)
  return numbers.reshape(4, 4) if numbers.size == 16 else np.full((4, 4), np.nan)


def list_files(folder: str, endings: Sequence[str]) -> dict[str, str]:
  """Base name -> path of the files with one of the endings, in natural order (9 before 10), without hidden ones.

  Raises:
    ValueError: two files differ in their endings only, so that a base name does not tell which is meant.
  """
  if not os.path.isdir(folder):
    return {}
  result: dict[str, str] = {}
  # Copies from a Mac bring a hidden "._name.png" for every name.png; it is no image.
  names = [name for name in os.listdir(folder) if not name.startswith(".")]
  for name in sorted(names, key=_natural):
    ending = next((e for e in endings if name.lower().endswith(e)), None)
    if ending is None:
      continue
    base = name[: -len(ending)]
    if base in result:
      raise ValueError(
        f"{folder!r} has {os.path.basename(result[base])!r} and {name!r}: which of the two is {base!r}? Keep one."
      )
    result[base] = os.path.join(folder, name)
  return result


def list_folders(folder: str) -> list[str]:
  """Names of the folders in a folder, in natural order, without hidden ones."""
  names = [name for name in os.listdir(folder) if not name.startswith(".")]
  return [name for name in sorted(names, key=_natural) if os.path.isdir(os.path.join(folder, name))]


def _natural(name):
  """Sorts 9 before 10; the name itself decides where only leading zeros differ, as the order of listdir is any."""
  # Odd places of the split are the numbers. Times in seconds have fractions: 1611234567.25 is before 1611234567.5.
  parts = re.split(r"([1-9]\d{9,}\.\d+|\d+)", name)
  return [decimal.Decimal(part) if i % 2 else part for i, part in enumerate(parts)], name
