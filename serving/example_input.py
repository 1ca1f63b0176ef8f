"""From the Input of Classify, Regress and MultiInference to a tensor of serialized Examples."""

import contextlib
from collections.abc import Iterator, Sequence

from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import input_pb2

from serving import errors, saved_model, tensor_writing, tf_library


def count(examples: input_pb2.Input) -> int:
  """How many Examples an Input holds."""
  kind = examples.WhichOneof("kind")
  return len(getattr(examples, kind).examples) if kind else 0


def run(
  model: saved_model.SavedModel,
  examples: input_pb2.Input,
  inputs: Sequence[saved_model.Endpoint],
  outputs: Sequence[saved_model.Endpoint],
  timeout_ms: int | None,
) -> list[tensor_pb2.TensorProto]:
  """Feeds Examples to a model, in one run.

  Args:
    model: what to run.
    examples: fed as strings [n], serialized.
    inputs: where to feed them; every one gets the same.
    outputs: what to compute.
    timeout_ms: gives up after that long; None never does.

  Returns:
    The outputs, values in the field of their type.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for no Example; TensorFlow's own.
  """
  serialized = _serialized(examples)
  if not serialized:
    raise errors.StatusError("INVALID_ARGUMENT", "Input is empty.")
  with _tensor(serialized) as tensor:
    feeds = [(endpoint, tensor) for endpoint in inputs]
    return model.run(feeds, outputs, timeout_ms, _protos)


def _serialized(examples: input_pb2.Input) -> list[bytes]:
  kind = examples.WhichOneof("kind")
  if kind is None:
    return []
  held = getattr(examples, kind)
  # Concatenated messages are merged when they are parsed: each Example gets the context's features.
  context = held.context.SerializeToString() if kind == "example_list_with_context" else b""
  return [context + example.SerializeToString() for example in held.examples]


@contextlib.contextmanager
def _tensor(values: Sequence[bytes]) -> Iterator[int]:
  """Address of a TF_Tensor of strings [n], for the length of a `with` block."""
  proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=values)
  proto.tensor_shape.dim.add(size=len(values))
  library = tf_library.load()
  tensor = library.TF_AllocateTensor(types_pb2.DT_FLOAT, None, 0, 4)
  try:
    with tf_library.Status() as status:
      library.TF_TensorFromProto(tf_library.view(proto.SerializeToString()), tensor, status)
      status.check()
    yield tensor
  finally:
    library.TF_DeleteTensor(tensor)


def _protos(tensors: Sequence[int]) -> list[tensor_pb2.TensorProto]:
  return [
    tensor_pb2.TensorProto.FromString(b"".join(tensor_writing.serialize(tensor, as_content=False)))
    for tensor in tensors
  ]
