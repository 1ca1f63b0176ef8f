"""Joins TensorFlow's tensors along their first dimension, and takes rows out of them."""

import ctypes
import math
from collections.abc import Sequence

import numpy as np

from serving import errors, tensor_head, tensor_writing, tf_library

_STRING = 7  # DT_STRING


def shape(tensor: int) -> tuple[int, ...]:
  """The sizes of a TF_Tensor, given by its address."""
  library = tf_library.load()
  return tuple(library.TF_Dim(tensor, axis) for axis in range(library.TF_NumDims(tensor)))


def join(tensors: Sequence[int], padding: int = 0) -> int:
  """Concatenates tensors of one type, and of one shape but for the first dimension.

  Args:
    tensors: addresses of TF_Tensors, each with at least one row.
    padding: how often the last tensor's first row is appended (a row that the model can surely take).

  Returns:
    The address of a new TF_Tensor, which the caller deletes.
  """
  library = tf_library.load()
  last = shape(tensors[-1])
  rows = sum(library.TF_Dim(tensor, 0) for tensor in tensors) + padding
  if library.TF_TensorType(tensors[0]) == _STRING:
    return _join_strings(tensors, padding, (rows, *last[1:]))
  sizes = [library.TF_TensorByteSize(tensor) if 0 not in shape(tensor) else 0 for tensor in tensors]
  row_size = sizes[-1] // last[0]
  made = _allocate(library.TF_TensorType(tensors[0]), (rows, *last[1:]), row_size * rows)
  if not row_size:
    return made
  end = library.TF_TensorData(made)
  for tensor, size in zip(tensors, sizes, strict=True):
    ctypes.memmove(end, library.TF_TensorData(tensor), size)
    end += size
  for _ in range(padding):
    ctypes.memmove(end, library.TF_TensorData(tensors[-1]), row_size)
    end += row_size
  return made


def rows(tensor: int, start: int, end: int) -> int:
  """Some rows of a tensor, as a TF_Tensor of its own, which the caller deletes first.

  It may look into the memory of `tensor`, for which that has to stay as it is.
  """
  library = tf_library.load()
  dims = shape(tensor)
  wanted = (end - start, *dims[1:])
  dtype = library.TF_TensorType(tensor)
  if 0 in dims:
    return _allocate(dtype, wanted, 0)
  row_size = library.TF_TensorByteSize(tensor) // dims[0]
  return library.TF_NewTensor(
    dtype,
    _dims(wanted),
    len(wanted),
    library.TF_TensorData(tensor) + start * row_size,
    (end - start) * row_size,
    _KEEP,
    None,
  )


def pad(tensor: int, sizes: Sequence[int]) -> int:
  """A copy with all dimensions but the first grown to `sizes`, filled with the first element.

  Returns:
    The address of a new TF_Tensor, which the caller deletes.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for a tensor that cannot be padded.
  """
  library = tf_library.load()
  dims = shape(tensor)
  dtype = library.TF_TensorType(tensor)
  if dtype == _STRING or not 1 <= len(dims) <= 6 or 0 in dims:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "Only tensors with rank from 1 to 6, with elements, and not of strings can be padded; "
      f"got shape {list(dims)}",
    )
  wanted = (dims[0], *sizes)
  item = library.TF_TensorByteSize(tensor) // math.prod(dims)
  made = _allocate(dtype, wanted, item * math.prod(wanted))
  given = _bytes(tensor).reshape(*dims, item)
  grown = _bytes(made).reshape(*wanted, item)
  grown[...] = given[(0,) * len(dims)]
  grown[tuple(slice(size) for size in dims)] = given
  return made


def _join_strings(tensors: Sequence[int], padding: int, sizes: tuple[int, ...]) -> int:
  """Through a TensorProto, so that the new tensor owns its strings as TensorFlow has it."""
  library = tf_library.load()
  values = [piece for tensor in tensors for piece in tensor_writing.string_values(tensor)]
  if padding:
    row = 2 * math.prod(sizes[1:])  # a string is two pieces
    first = tensor_writing.string_values(tensors[-1])[:row]
    values += first * padding
  data = b"".join([tensor_head.head(_STRING, sizes), *values])
  made = library.TF_AllocateTensor(1, None, 0, 4)
  with tf_library.Status() as status:
    library.TF_TensorFromProto(tf_library.view(data), made, status)
    try:
      status.check()
    except errors.StatusError:
      library.TF_DeleteTensor(made)
      raise
  return made


def _allocate(dtype: int, sizes: Sequence[int], size: int) -> int:
  made = tf_library.load().TF_AllocateTensor(dtype, _dims(sizes), len(sizes), size)
  if not made:
    raise MemoryError(f"a tensor of shape {list(sizes)}")
  return made


def _dims(sizes: Sequence[int]) -> ctypes.Array:
  return (ctypes.c_int64 * len(sizes))(*sizes)


def _bytes(tensor: int) -> np.ndarray:
  library = tf_library.load()
  size = library.TF_TensorByteSize(tensor)
  return np.frombuffer(
    (ctypes.c_uint8 * size).from_address(library.TF_TensorData(tensor)), np.uint8
  )


_KEEP = tf_library.Deallocator(lambda *unused: None)
