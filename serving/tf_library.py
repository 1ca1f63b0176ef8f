"""TensorFlow's C library, as ctypes sees it: the few functions that run a SavedModel.

The C API is the interface that TensorFlow keeps stable, and below it is the code that TensorFlow
Serving itself runs: the loader, the session and their error texts are the same. A call lets go of
Python's lock for its duration. Header: tensorflow/c/c_api.h.
"""

import ctypes
import functools
import os
from collections.abc import Sequence

from serving import errors, lazy_tensorflow

_LIBRARY_FILE = "libtensorflow_cc.so.2"

_pointer = ctypes.c_void_p


class Buffer(ctypes.Structure):
  """TF_Buffer: bytes that somebody else owns."""

  _fields_ = [("data", _pointer), ("length", ctypes.c_size_t), ("deallocator", _pointer)]


class Output(ctypes.Structure):
  """TF_Output: one output of an operation of a graph."""

  _fields_ = [("operation", _pointer), ("index", ctypes.c_int)]


# What TensorFlow calls when it is done with memory that it was given: address, size, argument.
Deallocator = ctypes.CFUNCTYPE(None, _pointer, ctypes.c_size_t, _pointer)

_buffer = ctypes.POINTER(Buffer)
_int = ctypes.c_int
_text = ctypes.c_char_p

# name: (result, arguments)
_FUNCTIONS = {
  "TF_AllocateTensor": (_pointer, [_int, _pointer, _int, ctypes.c_size_t]),
  "TF_CloseSession": (None, [_pointer, _pointer]),
  "TF_DeleteBuffer": (None, [_buffer]),
  "TF_DeleteGraph": (None, [_pointer]),
  "TF_DeleteSession": (None, [_pointer, _pointer]),
  "TF_DeleteSessionOptions": (None, [_pointer]),
  "TF_DeleteStatus": (None, [_pointer]),
  "TF_DeleteTensor": (None, [_pointer]),
  "TF_Dim": (ctypes.c_int64, [_pointer, _int]),
  "TF_GetAllOpList": (_buffer, []),
  "TF_GetCode": (_int, [_pointer]),
  "TF_GraphOperationByName": (_pointer, [_pointer, _text]),
  "TF_LoadSessionFromSavedModel": (
    _pointer,
    [_pointer, _buffer, _text, ctypes.POINTER(_text), _int, _pointer, _buffer, _pointer],
  ),
  "TF_Message": (_text, [_pointer]),
  "TF_NewBuffer": (_buffer, []),
  "TF_NewGraph": (_pointer, []),
  "TF_NewSessionOptions": (_pointer, []),
  "TF_NewStatus": (_pointer, []),
  "TF_NewTensor": (
    _pointer,
    [_int, ctypes.POINTER(ctypes.c_int64), _int, _pointer, ctypes.c_size_t, Deallocator, _pointer],
  ),
  "TF_NumDims": (_int, [_pointer]),
  "TF_OperationNumOutputs": (_int, [_pointer]),
  "TF_SessionRun": (
    None,
    [_pointer, _buffer]
    + [ctypes.POINTER(Output), ctypes.POINTER(_pointer), _int]
    + [ctypes.POINTER(Output), ctypes.POINTER(_pointer), _int]
    + [_pointer, _int, _pointer, _pointer],
  ),
  "TF_SetConfig": (None, [_pointer, _pointer, ctypes.c_size_t, _pointer]),
  "TF_TensorByteSize": (ctypes.c_size_t, [_pointer]),
  "TF_TensorData": (_pointer, [_pointer]),
  "TF_TensorFromProto": (None, [_buffer, _pointer, _pointer]),
  "TF_TensorType": (_int, [_pointer]),
  "TF_Version": (_text, []),
}


@functools.cache
def load() -> ctypes.CDLL:
  """Opens the library inside the installed TensorFlow package; once per process.

  Raises:
    OSError: if it is not there or cannot be opened.
  """
  folder = os.path.dirname(lazy_tensorflow.package_spec().origin)
  library = ctypes.CDLL(os.path.join(folder, _LIBRARY_FILE))
  for name, (result, arguments) in _FUNCTIONS.items():
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
  return library


class Status:
  """A TF_Status for the calls of one `with` block."""

  def __enter__(self) -> "Status":
    self._pointer = load().TF_NewStatus()
    return self

  def __exit__(self, *unused_exception):
    load().TF_DeleteStatus(self._pointer)

  @property
  def _as_parameter_(self) -> ctypes.c_void_p:
    return ctypes.c_void_p(self._pointer)

  def check(self) -> None:
    """Raises what the last call reported, if anything.

    Raises:
      errors.StatusError: with TensorFlow's code and message.
    """
    code = load().TF_GetCode(self._pointer)
    if code:
      message = load().TF_Message(self._pointer).decode(errors="replace")
      raise errors.StatusError.from_number(code, message)


def view(data: bytes, start: int = 0, end: int | None = None) -> Buffer:
  """A TF_Buffer over data[start:end], which it keeps alive."""
  address = ctypes.cast(ctypes.c_char_p(data), _pointer).value
  buffer = Buffer(address + start, (len(data) if end is None else end) - start, None)
  buffer.owner = data
  return buffer


def content(buffer: Buffer) -> memoryview:
  """What is in a TF_Buffer, as long as that lives."""
  memory = (ctypes.c_uint8 * buffer.length).from_address(buffer.data)
  return memoryview(memory).cast("B")


def texts(values: Sequence[str]) -> ctypes.Array:
  """An array of C strings."""
  return (_text * len(values))(*[value.encode() for value in values])
