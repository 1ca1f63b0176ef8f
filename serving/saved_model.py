"""One loaded SavedModel: its signatures and the session that runs them."""

import abc
import ctypes
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence

from tensorflow.core.protobuf import meta_graph_pb2

from serving import convolutions, errors, model_state, tf_library, wire_format

_log = logging.getLogger("serving")

_RUN_OPTIONS_TIMEOUT = 2  # RunOptions.timeout_in_ms
_META_GRAPH_GRAPH = 2  # MetaGraphDef.graph_def
_META_GRAPH_SIGNATURES = 5  # MetaGraphDef.signature_def
# DataTypes of which an open rank says nothing: bool, which no convolution takes, and string, of which a
# graph makes pictures or words first.
_BOOL = 10
_STRING = 7


@dataclasses.dataclass(frozen=True)
class Endpoint:
  """An input or output of a signature.

  Attributes:
    name: the tensor's name in the graph, such as "x:0".
    output: where it is in the graph.
    shape: declared sizes, -1 where any will do; None for unknown rank.
    dtype: declared DataType's number.
    least_rank: fewer dimensions than this may end the process.
  """

  name: str
  output: tf_library.Output
  shape: tuple[int, ...] | None
  dtype: int = 0
  least_rank: int = 0


@dataclasses.dataclass(frozen=True)
class Signature:
  """A way to call the model: what goes in and what comes out, by alias.

  Attributes:
    method_name: as the exporter wrote it; "tensorflow/serving/predict" for most.
    inputs: alias to endpoint.
    outputs: alias to endpoint.
    defaults: alias to the serialized TensorProto that stands in for an input not sent.
  """

  method_name: str
  inputs: Mapping[str, Endpoint]
  outputs: Mapping[str, Endpoint]
  defaults: Mapping[str, bytes]


class Computing(abc.ABC):
  """What computes outputs, and so can run: a session, or several of one model."""

  def run(
    self,
    feeds: Sequence[tuple[Endpoint, int]],
    fetches: Sequence[Endpoint],
    timeout_ms: int | None,
    read: Callable[[list[int]], bytes],
  ) -> bytes:
    """Runs the graph once.

    Args:
      feeds: inputs and the addresses of their TF_Tensors; the caller deletes those.
      fetches: which outputs to compute.
      timeout_ms: gives up with DEADLINE_EXCEEDED after that long; None never does.
      read: gets the addresses of the outputs' TF_Tensors, which live until it returns.

    Returns:
      What `read` made of the outputs.

    Raises:
      errors.StatusError: with TensorFlow's code and message.
    """
    results = self.compute(feeds, fetches, timeout_ms)
    try:
      return read(results)
    finally:
      for tensor in results:
        tf_library.load().TF_DeleteTensor(tensor)

  @abc.abstractmethod
  def compute(
    self,
    feeds: Sequence[tuple[Endpoint, int]],
    fetches: Sequence[Endpoint],
    timeout_ms: int | None,
  ) -> list[int]:
    """Runs the graph as `run` does; the outputs are TF_Tensors that the caller deletes."""


class SavedModel(Computing):
  """A session over a SavedModel's graph with its variables restored.

  Attributes:
    signature_defs: name to SignatureDef, as they are in the file.
  """

  def __init__(
    self, path: str, tags: Sequence[str], session_config: bytes, refuses_state: bool = False
  ):
    """Loads.

    Args:
      path: folder that holds saved_model.pb.
      tags: which of the file's graphs; usually ["serve"].
      session_config: a serialized ConfigProto.
      refuses_state: a model whose signatures do more than read is an error, see `model_state`.

    Raises:
      errors.StatusError: with TensorFlow's code and message.
    """
    self._library = tf_library.load()
    self._graph = self._library.TF_NewGraph()
    self._session = None
    try:
      self.signature_defs, ranks = self._load(path, tags, session_config, refuses_state)
      self._signatures = {
        name: self._resolve(signature, ranks.get(name, convolutions.Ranks(0, 0)))
        for name, signature in self.signature_defs.items()
      }
    except BaseException:
      self.close()
      raise

  def _load(
    self, path: str, tags: Sequence[str], session_config: bytes, refuses_state: bool
  ) -> tuple[dict[str, meta_graph_pb2.SignatureDef], dict[str, convolutions.Ranks]]:
    """The signatures, and what their convolutions take, see `convolutions.ranks`."""
    options = self._library.TF_NewSessionOptions()
    meta_graph = self._library.TF_NewBuffer()
    try:
      with tf_library.Status() as status:
        self._library.TF_SetConfig(options, session_config, len(session_config), status)
        status.check()
        self._session = self._library.TF_LoadSessionFromSavedModel(
          options, None, path.encode(), tf_library.texts(tags), len(tags), self._graph, meta_graph, status
        )  # fmt: skip
        status.check()
      content = tf_library.content(meta_graph.contents)
      signatures = _signature_defs(content)
      graph = _graph(content)
      if refuses_state and (changing := model_state.changing(graph, signatures.values())):
        raise errors.StatusError("FAILED_PRECONDITION", f"It has {', '.join(changing)}")
      ranks = convolutions.ranks(graph, signatures)
      _warn_of_open_ranks(path, signatures, ranks)
      return signatures, ranks
    finally:
      self._library.TF_DeleteBuffer(meta_graph)
      self._library.TF_DeleteSessionOptions(options)

  def signature(self, name: str) -> Signature | None:
    """The signature of that name, or None."""
    return self._signatures.get(name)

  def own(self, endpoint: Endpoint) -> Endpoint:
    """The same input or output, of another session of the same SavedModel, in this one's graph."""
    return dataclasses.replace(endpoint, output=self._output(endpoint.name))

  def compute(
    self,
    feeds: Sequence[tuple[Endpoint, int]],
    fetches: Sequence[Endpoint],
    timeout_ms: int | None,
  ) -> list[int]:
    """Runs the graph once, see `Computing`."""
    results = (ctypes.c_void_p * len(fetches))()
    with tf_library.Status() as status:
      self._library.TF_SessionRun(
        self._session,
        _run_options(timeout_ms),
        _outputs([endpoint for endpoint, _ in feeds]),
        (ctypes.c_void_p * len(feeds))(*[tensor for _, tensor in feeds]),
        len(feeds),
        _outputs(fetches),
        results,
        len(fetches),
        None,
        0,
        None,
        status,
      )
      status.check()
    return list(results)

  def close(self) -> None:
    """Ends the session and gives its memory back; no run may be under way."""
    with tf_library.Status() as status:
      if self._session:
        self._library.TF_CloseSession(self._session, status)
        self._library.TF_DeleteSession(self._session, status)
    self._library.TF_DeleteGraph(self._graph)
    self._session = self._graph = None

  def _resolve(
    self, signature: meta_graph_pb2.SignatureDef, convolved: convolutions.Ranks
  ) -> Signature:
    return Signature(
      method_name=signature.method_name,
      inputs={
        alias: self._endpoint(info, _least_rank(info, convolved))
        for alias, info in signature.inputs.items()
      },
      outputs={alias: self._endpoint(info) for alias, info in signature.outputs.items()},
      defaults={alias: tensor.SerializeToString() for alias, tensor in signature.defaults.items()},
    )

  def _endpoint(self, info: meta_graph_pb2.TensorInfo, least_rank: int = 0) -> Endpoint:
    return Endpoint(
      name=info.name,
      output=self._output(info.name),
      shape=None
      if info.tensor_shape.unknown_rank
      else tuple(dim.size for dim in info.tensor_shape.dim),
      dtype=info.dtype,
      least_rank=least_rank,
    )

  def _output(self, name: str) -> tf_library.Output:
    operation, _, index = name.partition(":")
    return tf_library.Output(
      self._library.TF_GraphOperationByName(self._graph, operation.encode()), int(index or 0)
    )


def _graph(content: memoryview) -> bytes | memoryview:
  """The serialized GraphDef in a MetaGraphDef."""
  found = [value for field, _, value in wire_format.fields(content) if field == _META_GRAPH_GRAPH]
  parts = [content[start:end] for start, end in found]
  return parts[0] if len(parts) == 1 else b"".join(parts)


def _least_rank(info: meta_graph_pb2.TensorInfo, convolved: convolutions.Ranks) -> int:
  """The dimensions that an input of a signature needs at least, see `Endpoint`."""
  if not convolved.all:
    return 0
  if not info.tensor_shape.unknown_rank:
    return len(info.tensor_shape.dim)
  return 0 if info.dtype in (_BOOL, _STRING) else convolved.all


def _warn_of_open_ranks(
  path: str,
  signatures: Mapping[str, meta_graph_pb2.SignatureDef],
  ranks: Mapping[str, convolutions.Ranks],
) -> None:
  for name, rank in sorted(ranks.items()):
    for alias, info in sorted(signatures[name].inputs.items()):
      if not info.tensor_shape.unknown_rank or info.dtype == _BOOL:
        continue
      if info.dtype == _STRING and not rank.open:
        continue  # made into pictures, for example
      least = _least_rank(info, rank)
      taken = (
        f"fewer than {least} are refused" if least else "they are not caught, for these are strings"
      )
      _log.warning(
        "%s: signature %s leaves the rank of %s open, and has convolutions, which can end this process on "
        "too few dimensions: %s. Declare the rank, or set TF_ENABLE_ONEDNN_OPTS=0",
        path, name, alias, taken,
      )  # fmt: skip


def _signature_defs(content: memoryview) -> dict[str, meta_graph_pb2.SignatureDef]:
  """The signatures in a MetaGraphDef."""
  parsed = meta_graph_pb2.MetaGraphDef()
  for field, _, value in wire_format.fields(content):
    if field == _META_GRAPH_SIGNATURES:
      entry = bytes(content[slice(*value)])
      parsed.MergeFromString(wire_format.header(field, len(entry)) + entry)
  return dict(parsed.signature_def)


def _outputs(endpoints: Sequence[Endpoint]) -> ctypes.Array:
  for endpoint in endpoints:
    if not _is_tensor(endpoint.output):
      raise errors.StatusError(
        "INVALID_ARGUMENT",
        f"Tensor {endpoint.name}, specified in the signature, is not in the graph",
      )
  return (tf_library.Output * len(endpoints))(*[endpoint.output for endpoint in endpoints])


def _is_tensor(output: tf_library.Output) -> bool:
  if not output.operation:
    return False
  return 0 <= output.index < tf_library.load().TF_OperationNumOutputs(output.operation)


def _run_options(timeout_ms: int | None) -> tf_library.Buffer | None:
  if timeout_ms is None:
    return None
  content = wire_format.tag(_RUN_OPTIONS_TIMEOUT, wire_format.VARINT) + wire_format.varint(
    max(timeout_ms, 1)
  )
  return tf_library.view(content)
