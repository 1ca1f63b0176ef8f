"""Files of points, with errors that name them."""

import os

import numpy as np

BINARY, NUMPY, ARCHIVE = ".bin", ".npy", ".npz"
ENDINGS = (BINARY, NUMPY)
_FLOAT_BYTES = 4


def problem(path: str, columns: int | None = None) -> str:
  """What is wrong with a file as far as its size tells; "" if nothing.

  Args:
    path: of the file.
    columns: float32 numbers of a point in a .bin file; None for files of another kind.
  """
  try:
    size = os.path.getsize(path)
  except OSError as error:
    return str(error)
  if size == 0:
    return "is empty: a sweep has some points"
  if columns is not None and size % (_FLOAT_BYTES * columns):
    return (
      f"has {size} bytes, no whole number of points of {columns} float32 ({_FLOAT_BYTES * columns} bytes): it is "
      "truncated, or its points have another number of columns"
    )
  return ""


def read_binary(path: str, columns: int = 4) -> np.ndarray:
  """[n, columns] float32 of a file of float32, point after point. Raises ValueError."""
  found = problem(path, columns)
  if found:
    raise ValueError(f"Points {path!r}: {found}.")
  return np.fromfile(path, np.float32).reshape(-1, columns)


def read_numpy(path: str) -> np.ndarray:
  """The array of a .npy file. Raises ValueError that names the file."""
  try:
    return np.load(path, allow_pickle=False)
  except (OSError, ValueError, EOFError) as error:
    raise ValueError(f"Points {path!r}: cannot be read: {error}.") from error


def read_archive(path: str, key: str) -> np.ndarray:
  """One array of a .npz file. Raises ValueError that names the file."""
  try:
    with np.load(path, allow_pickle=False) as arrays:
      if key in arrays.files:
        return arrays[key]
      known = arrays.files
  except Exception as error:  # zipfile and numpy raise many kinds for damaged archives
    raise ValueError(f"Points {path!r}: cannot be read: {error!r}.") from error
  raise ValueError(f"Points {path!r}: has no array {key!r}. It has: {known}.")


def to_points(array: np.ndarray, path: str) -> np.ndarray:
  """[n, 3 or more] numbers -> [n, 4] float32: x, y, z and the fourth column, or 0 without one.

  Raises:
    ValueError: another shape or kind, or no point.
  """
  if array.ndim != 2 or array.shape[1] < 3 or not np.issubdtype(array.dtype, np.number):
    raise ValueError(
      f"Points {path!r}: [points, 3 or more] numbers (x, y, z, intensity, ...) are expected. Received: {array.dtype} of "
      f"shape {array.shape}."
    )
  if not len(array):
    raise ValueError(f"Points {path!r}: is empty: a sweep has some points.")
  points = np.zeros((len(array), 4), np.float32)
  used = min(array.shape[1], 4)
  points[:, :used] = array[:, :used]
  return points
