"""Tensors on their way into and out of TensorFlow Lite."""

import math

import numpy as np
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving import errors, saved_model, tensor_writing, tf_library

_NUMPY_TYPES = {
  types_pb2.DT_HALF: np.float16,
  types_pb2.DT_FLOAT: np.float32,
  types_pb2.DT_DOUBLE: np.float64,
  types_pb2.DT_INT8: np.int8,
  types_pb2.DT_INT16: np.int16,
  types_pb2.DT_INT32: np.int32,
  types_pb2.DT_INT64: np.int64,
  types_pb2.DT_UINT8: np.uint8,
  types_pb2.DT_UINT16: np.uint16,
  types_pb2.DT_UINT32: np.uint32,
  types_pb2.DT_UINT64: np.uint64,
  types_pb2.DT_BOOL: np.bool_,
  types_pb2.DT_COMPLEX64: np.complex64,
  types_pb2.DT_STRING: np.bytes_,
}
DATA_TYPES = {kind: number for number, kind in _NUMPY_TYPES.items()}


def check_shape(endpoint: saved_model.Endpoint, shape: tuple[int, ...]) -> None:
  """Refuses what TensorFlow Lite's kernels would take and read past its end.

  The batch, dimension 0, is free; another rank is let through if there are as many elements.

  Raises:
    errors.StatusError: INVALID_ARGUMENT.
  """
  declared = endpoint.shape
  if declared is None:
    return
  if len(shape) == len(declared):
    fits = all(want in (-1, got) for want, got in zip(declared[1:], shape[1:], strict=True))
  else:
    fits = math.prod(shape) == math.prod(abs(size) for size in declared)
  if not fits:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      f"TensorFlow Lite: input {endpoint.name} must be of shape "
      f"[{','.join(map(str, declared))}] but [{','.join(map(str, shape))}] is provided",
    )


def to_array(tensor: int, position: int, endpoint: saved_model.Endpoint) -> np.ndarray:
  """The values of a TF_Tensor; strings become bytes in an array of objects.

  Args:
    tensor: its address.
    position: which of the inputs it is, for messages.
    endpoint: what the signature says of that input.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for another data type than the input's.
  """
  proto = tensor_pb2.TensorProto.FromString(
    b"".join(tensor_writing.serialize(tensor, as_content=True))
  )
  if proto.dtype != endpoint.dtype:
    wanted, given = (
      types_pb2.DataType.Name(number).removeprefix("DT_").lower()
      for number in (endpoint.dtype, proto.dtype)
    )
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Expects arg[{position}] to be {wanted} but {given} is provided"
    )
  shape = [dim.size for dim in proto.tensor_shape.dim]
  if proto.dtype == types_pb2.DT_STRING:
    return np.array(list(proto.string_val), object).reshape(shape)
  return np.frombuffer(proto.tensor_content, _NUMPY_TYPES[proto.dtype]).reshape(shape)


def to_tensor(array: np.ndarray) -> int:
  """Address of a new TF_Tensor."""
  is_text = array.dtype == object or array.dtype.type is np.bytes_
  proto = tensor_pb2.TensorProto(
    dtype=types_pb2.DT_STRING if is_text else DATA_TYPES[array.dtype.type]
  )
  for size in array.shape:
    proto.tensor_shape.dim.add(size=size)
  if is_text:
    proto.string_val.extend(array.reshape(-1).tolist())
  else:
    proto.tensor_content = array.tobytes()
  library = tf_library.load()
  tensor = library.TF_AllocateTensor(types_pb2.DT_FLOAT, None, 0, 4)
  with tf_library.Status() as status:
    library.TF_TensorFromProto(tf_library.view(proto.SerializeToString()), tensor, status)
    try:
      status.check()
    except errors.StatusError:
      library.TF_DeleteTensor(tensor)
      raise
  return tensor
