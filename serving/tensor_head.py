"""What a TensorProto begins with: its type and its shape."""

from collections.abc import Sequence

from serving import wire_format

DTYPE, SHAPE = 1, 2  # fields of a TensorProto


def head(dtype: int, shape: Sequence[int]) -> bytes:
  """The fields `dtype` and `tensor_shape` of a TensorProto."""
  dims = b""
  for size in shape:
    dim = wire_format.tag(1, wire_format.VARINT) + wire_format.varint(size) if size else b""
    dims += wire_format.header(2, len(dim)) + dim
  return (
    wire_format.tag(DTYPE, wire_format.VARINT)
    + wire_format.varint(dtype)
    + wire_format.header(SHAPE, len(dims))
    + dims
  )
