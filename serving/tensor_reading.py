"""From TensorProto bytes to TensorFlow's tensors, without trusting the bytes.

What TensorFlow itself would do with hostile messages: a shape of 2^40 elements beside one value makes
it allocate and fill terabytes; sizes over 2^31, even of a tensor without elements, end the process in
some kernels (mkl_conv_grad_input_ops.cc: CHECK failed). So shape and memory are judged here first.
"""

import ctypes
import dataclasses
import math

from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2

from serving import errors, saved_model, tensor_head, tensor_writing, tf_library, wire_format

# Numbers of DataTypes.
_STRING = 7
_BOOL = 10
_NAMES = {20: "resource", 21: "variant"}

# TensorProto field numbers (tensorflow/core/framework/tensor.proto).
_TENSOR_CONTENT = 4
_STRING_VAL = 8
_VALUES = frozenset(range(_TENSOR_CONTENT, 19))

# From this declared rank on (images), another rank is refused: some of TensorFlow's kernels end the
# whole process on it (tensor_format.h: CHECK failed) instead of reporting an error. Below it, and
# where the rank is left open, only fewer dimensions than `Endpoint.least_rank` are.
_LEAST_CHECKED_RANK = 3
_MOST_DIMENSIONS = 254  # TensorFlow's limit
_MOST_ELEMENTS = 2**31 - 1  # also without those dimensions that are zero
# A message may say "n times this value". What it may make the server hold beyond its own size:
_MOST_FILLED_BYTES = 16 << 20
_MOST_GROWTH = 8  # an int64 in one byte is no such trick
_TF_STRING_BYTES = 24  # memory of a TF_TString beside its text
# A message of more fields than this is parsed by protocol buffers' own, quicker parser.
_MOST_FIELDS = 4096


@dataclasses.dataclass
class _Structure:
  """What a TensorProto says beside its values.

  Attributes:
    dtype: DataType's number.
    shape: sizes.
    content: where `tensor_content` is; None unless it is the only field with values.
    strings: how many string_val there are.
    last_string: bytes of the last one.
  """

  dtype: int = 0
  shape: tuple[int, ...] = ()
  content: tuple[int, int] | None = None
  strings: int = 0
  last_string: int = 0


def read(data: bytes, start: int, end: int, alias: str, endpoint: saved_model.Endpoint) -> int:
  """Makes a tensor from a serialized TensorProto.

  Args:
    data: bytes that hold the message.
    start: where it begins.
    end: where it ends.
    alias: the input's, for messages.
    endpoint: what the signature declares.

  Returns:
    The address of a TF_Tensor, which the caller deletes.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for what is no tensor or surely none for this input,
      RESOURCE_EXHAUSTED for one that would take much more memory than the message has bytes.
  """
  try:
    structure = _scan(data, start, end)
  except Exception as error:  # protobuf's DecodeError: no public base in all implementations
    raise _malformed(alias) from error
  _check_type(structure, alias, endpoint)
  _check_shape(structure, alias, endpoint)
  _check_memory(structure, end - start, alias)
  if structure.content is not None and structure.dtype not in (_STRING, _BOOL):
    return _copy(data, structure, alias)
  return _parse(data, start, end, alias)


def _scan(data: bytes, start: int, end: int) -> _Structure:
  found = _Structure()
  shape = tensor_shape_pb2.TensorShapeProto()
  contents = []
  has_values = False
  for number, (field, wire_type, value) in enumerate(wire_format.fields(data, start, end)):
    if number == _MOST_FIELDS:
      return _parsed_structure(data[start:end])
    if field == tensor_head.DTYPE and wire_type == wire_format.VARINT:
      found.dtype = value
    elif field == tensor_head.SHAPE and wire_type == wire_format.LENGTH_DELIMITED:
      shape.MergeFromString(data[slice(*value)])
    elif field == _TENSOR_CONTENT and wire_type == wire_format.LENGTH_DELIMITED:
      contents.append(value)
    elif field in _VALUES:
      has_values = True
      if field == _STRING_VAL and wire_type == wire_format.LENGTH_DELIMITED:
        found.strings += 1
        found.last_string = value[1] - value[0]
  found.shape = _sizes(shape)
  if len(contents) == 1 and not has_values and contents[0][0] != contents[0][1]:
    found.content = contents[0]
  return found


def _parsed_structure(data: bytes) -> _Structure:
  proto = tensor_pb2.TensorProto.FromString(data)
  found = _Structure(proto.dtype, _sizes(proto.tensor_shape), strings=len(proto.string_val))
  found.last_string = len(proto.string_val[-1]) if proto.string_val else 0
  return found


def _sizes(shape: tensor_shape_pb2.TensorShapeProto) -> tuple[int, ...]:
  if shape.unknown_rank or len(shape.dim) > _MOST_DIMENSIONS:
    raise ValueError("not a shape that a tensor can have")
  return tuple(dim.size for dim in shape.dim)


def _check_type(structure: _Structure, alias: str, endpoint: saved_model.Endpoint) -> None:
  if tensor_writing.has_wire_form(structure.dtype):
    return
  name = _NAMES.get(structure.dtype)
  declared = tensor_writing.type_name(endpoint.dtype)
  if name is None or declared is None:
    raise _malformed(alias)
  raise errors.StatusError(
    "INVALID_ARGUMENT", f"Expects arg[0] to be {declared} but {name} is provided"
  )


def _check_rank(sizes: tuple[int, ...], alias: str, endpoint: saved_model.Endpoint) -> None:
  declared, rank = endpoint.shape, len(sizes)
  if declared is None:
    needed, is_wrong = f"at least {endpoint.least_rank}", rank < endpoint.least_rank
    reason = "the signature leaves the rank open, and convolutions end the process on less"
  else:
    needed = len(declared)
    is_wrong = rank != needed if needed >= _LEAST_CHECKED_RANK else rank < endpoint.least_rank
    reason = f"the signature declares [{_text(declared)}]"
  if is_wrong:
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"input {alias} must be {needed}-dimensional: [{_text(sizes)}] ({reason})"
    )


def _text(sizes: tuple[int, ...]) -> str:
  return ",".join(map(str, sizes))


def _check_shape(structure: _Structure, alias: str, endpoint: saved_model.Endpoint) -> None:
  sizes = structure.shape
  if any(size < 0 for size in sizes):
    raise _malformed(alias)
  _check_rank(sizes, alias, endpoint)
  if math.prod(size for size in sizes if size) > _MOST_ELEMENTS:
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"input {alias} has too large a shape: [{_text(sizes)}]"
    )


def _check_memory(structure: _Structure, message_bytes: int, alias: str) -> None:
  elements = math.prod(structure.shape)
  if structure.dtype == _STRING:
    absent = max(elements - structure.strings, 0)
    needed = elements * _TF_STRING_BYTES + absent * structure.last_string
    allowed = max(_MOST_FILLED_BYTES, (structure.strings + 1) * _TF_STRING_BYTES + message_bytes)
  else:
    needed = elements * tensor_writing.item_size(structure.dtype)
    allowed = max(_MOST_FILLED_BYTES, message_bytes * _MOST_GROWTH)
  if needed > allowed:
    raise errors.StatusError(
      "RESOURCE_EXHAUSTED",
      f"input {alias} of shape [{_text(structure.shape)}] takes {needed} bytes, but "
      f"only {message_bytes} were sent; this server fills up to {_MOST_FILLED_BYTES}",
    )


def _copy(data: bytes, structure: _Structure, alias: str) -> int:
  """The quick way for `tensor_content`: one copy, where TensorFlow's parser makes two."""
  begin, end = structure.content
  size = math.prod(structure.shape) * tensor_writing.item_size(structure.dtype)
  if size != end - begin:
    raise _malformed(alias)
  dims = (ctypes.c_int64 * len(structure.shape))(*structure.shape)
  tensor = tf_library.load().TF_AllocateTensor(structure.dtype, dims, len(dims), size)
  if not tensor:
    raise MemoryError(f"a tensor of {size} bytes")
  content = tf_library.view(data, begin, end)
  ctypes.memmove(tf_library.load().TF_TensorData(tensor), content.data, size)
  return tensor


def _parse(data: bytes, start: int, end: int, alias: str) -> int:
  library = tf_library.load()
  tensor = library.TF_AllocateTensor(1, None, 0, 4)
  with tf_library.Status() as status:
    library.TF_TensorFromProto(tf_library.view(data, start, end), tensor, status)
    try:
      status.check()
    except errors.StatusError as error:
      library.TF_DeleteTensor(tensor)
      raise _malformed(alias) from error
  return tensor


def _malformed(alias: str) -> errors.StatusError:
  return errors.StatusError("INVALID_ARGUMENT", f"tensor parsing error: {alias}")
