"""One loaded TensorFlow Lite model, with the interface of `saved_model.SavedModel`."""

import os
import queue
from collections.abc import Callable, Mapping, Sequence

import flatbuffers.flexbuffers
import numpy as np
from flatbuffers import encode, number_types, table
from tensorflow.core.protobuf import meta_graph_pb2

from serving import errors, native_modules, predict, saved_model, tf_library, tflite_tensors

FILE = "model.tflite"
_WRAPPER = "lite/python/interpreter_wrapper/_pywrap_tensorflow_interpreter_wrapper"
_BUILTIN_OPERATIONS = (
  1  # of the wrapper's ways to find operations: TensorFlow Lite's own, optimized
)
_METHOD_NAME = "tensorflow/serving/predict"

# Where TensorFlow Serving looks for SignatureDefs (tensorflow/lite/tools/signature), and how a
# TensorFlow Lite file is laid out up to there (tensorflow/lite/schema/schema.fbs): slots of tables.
_SIGNATURES_METADATA = b"signature_defs_metadata"
_MODEL_BUFFERS, _MODEL_METADATA = 12, 16
_METADATA_NAME, _METADATA_BUFFER = 4, 6
_BUFFER_DATA = 4


class TfliteModel:
  """TensorFlow Lite interpreters over one file; each answers one request at a time.

  Attributes:
    signature_defs: name to SignatureDef: those in the file, or one over all inputs and outputs.
  """

  def __init__(self, path: str, num_interpreters: int):
    """Loads.

    Args:
      path: folder that holds model.tflite.
      num_interpreters: requests answered at a time.

    Raises:
      errors.StatusError: INVALID_ARGUMENT if the file is no TensorFlow Lite model.
    """
    self._file = os.path.join(path, FILE)
    with open(self._file, "rb") as file:
      self._content = file.read()
    first = self._interpreter()
    self._interpreters = queue.SimpleQueue()
    self._interpreters.put(first)
    for _ in range(num_interpreters - 1):
      self._interpreters.put(self._interpreter())
    self._indices = {
      first.TensorName(index, 0): index for index in [*first.InputIndices(), *first.OutputIndices()]
    }
    self.signature_defs = self._stored_signatures() or self._own_signatures(first)
    self._signatures = {
      name: saved_model.Signature(
        method_name=declared.method_name,
        inputs={alias: self._endpoint(info) for alias, info in declared.inputs.items()},
        outputs={alias: self._endpoint(info) for alias, info in declared.outputs.items()},
        defaults={},
      )
      for name, declared in self.signature_defs.items()
    }

  def signature(self, name: str) -> saved_model.Signature | None:
    """The signature of that name, or None."""
    return self._signatures.get(name)

  def run(
    self,
    feeds: Sequence[tuple[saved_model.Endpoint, int]],
    fetches: Sequence[saved_model.Endpoint],
    timeout_ms: int | None,
    read: Callable[[list[int]], bytes],
  ) -> bytes:
    """Runs the model once; arguments are those of `saved_model.SavedModel.run`.

    Raises:
      errors.StatusError: INVALID_ARGUMENT if the model does not take the inputs, DEADLINE_EXCEEDED if
        no interpreter becomes free in time.
    """
    arrays = []
    for position, (endpoint, tensor) in enumerate(feeds):
      arrays.append(
        (self._indices[endpoint.name], tflite_tensors.to_array(tensor, position, endpoint))
      )
      tflite_tensors.check_shape(endpoint, arrays[-1][1].shape)
    try:
      interpreter = self._interpreters.get(timeout=timeout_ms and timeout_ms / 1000)
    except queue.Empty as error:
      raise errors.StatusError("DEADLINE_EXCEEDED", "No interpreter became free") from error
    try:
      outputs = _invoke(interpreter, arrays, [self._indices[e.name] for e in fetches])
    except (RuntimeError, ValueError) as error:
      interpreter = self._interpreter()  # the old one may be left halfway between two shapes
      raise errors.StatusError("INVALID_ARGUMENT", f"TensorFlow Lite: {error}") from error
    finally:
      self._interpreters.put(interpreter)
    tensors = []
    try:
      for array in outputs:
        tensors.append(tflite_tensors.to_tensor(array))
      return read(tensors)
    finally:
      for tensor in tensors:
        tf_library.load().TF_DeleteTensor(tensor)

  def close(self) -> None:
    """Gives the memory back; no run may be under way."""
    self._interpreters = self._content = None

  def _interpreter(self):
    try:
      interpreter = native_modules.load(_WRAPPER).CreateWrapperFromBuffer(
        self._content, _BUILTIN_OPERATIONS, [], [], False, False
      )
      interpreter.AllocateTensors()
    except (RuntimeError, ValueError) as error:
      raise errors.StatusError("INVALID_ARGUMENT", f"{self._file}: {error}") from error
    return interpreter

  def _stored_signatures(self) -> dict[str, meta_graph_pb2.SignatureDef]:
    """The SignatureDefs in the file's metadata."""
    model = table.Table(
      self._content, encode.Get(number_types.UOffsetTFlags.packer_type, self._content, 0)
    )
    for entry in _tables(model, _MODEL_METADATA):
      name = entry.Offset(_METADATA_NAME)
      if not name or entry.String(entry.Pos + name) != _SIGNATURES_METADATA:
        continue
      offset = entry.Offset(_METADATA_BUFFER)
      number = entry.Get(number_types.Uint32Flags, entry.Pos + offset) if offset else 0
      buffer = list(_tables(model, _MODEL_BUFFERS))[number]
      offset = buffer.Offset(_BUFFER_DATA)
      start, size = buffer.Vector(offset), buffer.VectorLen(offset)
      stored = flatbuffers.flexbuffers.GetRoot(self._content[start : start + size]).AsMap
      return {
        key.AsKey: meta_graph_pb2.SignatureDef.FromString(bytes(stored[key.AsKey].AsStringBytes))
        for key in stored.Keys
      }
    return {}

  def _own_signatures(self, interpreter) -> dict[str, meta_graph_pb2.SignatureDef]:
    """The converter's signatures; or one over all inputs and outputs, under their tensors' names."""
    signatures = {
      name: _signature_def(interpreter, signature["inputs"], signature["outputs"])
      for name, signature in interpreter.GetSignatureDefs().items()
      if interpreter.GetSubgraphIndexFromSignature(name) == 0
    }
    if signatures:
      return signatures
    inputs, outputs = (
      {interpreter.TensorName(index, 0).removesuffix(":0"): index for index in indices}
      for indices in (interpreter.InputIndices(), interpreter.OutputIndices())
    )
    return {predict.DEFAULT_SIGNATURE: _signature_def(interpreter, inputs, outputs)}

  def _endpoint(self, info: meta_graph_pb2.TensorInfo) -> saved_model.Endpoint:
    name = info.name if info.name in self._indices else info.name.removesuffix(":0")
    if name not in self._indices:
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"{self._file}: tensor {info.name} of a signature is no input or output of the model, which "
        f"has {sorted(self._indices)}",
      )
    return saved_model.Endpoint(
      name,
      tf_library.Output(),
      None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim),
      info.dtype,
    )


def preferring_tflite(
  load: Callable[[str], saved_model.SavedModel], num_interpreters: int
) -> Callable[[str], "saved_model.SavedModel | TfliteModel"]:
  """A way to load versions that takes model.tflite where there is one."""

  def load_version(path: str) -> "saved_model.SavedModel | TfliteModel":
    if os.path.isfile(os.path.join(path, FILE)):
      return TfliteModel(path, num_interpreters)
    return load(path)

  return load_version


def _signature_def(
  interpreter, inputs: Mapping[str, int], outputs: Mapping[str, int]
) -> meta_graph_pb2.SignatureDef:
  """A SignatureDef over tensors given by alias and number."""
  declared = meta_graph_pb2.SignatureDef(method_name=_METHOD_NAME)
  for infos, indices in ((declared.inputs, inputs), (declared.outputs, outputs)):
    for alias, index in indices.items():
      info = infos[alias]
      info.name = interpreter.TensorName(index, 0)
      info.dtype = tflite_tensors.DATA_TYPES[interpreter.TensorType(index, 0)]
      for size in interpreter.TensorSizeSignature(index, 0):
        info.tensor_shape.dim.add(size=int(size))
  return declared


def _tables(parent: table.Table, slot: int):
  """The tables of a vector in a flatbuffer's table."""
  offset = parent.Offset(slot)
  if not offset:
    return
  start = parent.Vector(offset)
  for position in range(parent.VectorLen(offset)):
    yield table.Table(parent.Bytes, parent.Indirect(start + 4 * position))


def _invoke(interpreter, arrays: Sequence[tuple[int, np.ndarray]], outputs: Sequence[int]):
  resized = False
  for index, array in arrays:
    if tuple(interpreter.TensorSize(index, 0)) != array.shape:
      interpreter.ResizeInputTensor(index, np.array(array.shape, np.int32), False)
      resized = True
  if resized:
    interpreter.AllocateTensors()
  for index, array in arrays:
    interpreter.SetTensor(index, array)
  interpreter.Invoke()
  return [interpreter.GetTensor(index) for index in outputs]
