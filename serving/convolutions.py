"""Finds the signatures of a SavedModel that convolve.

TensorFlow's oneDNN convolutions do not report an input with too few dimensions, they end the process
(tensor_format.h: CHECK failed). That happens to signals, [batch, samples], and texts, [batch, words], as
it does to images, as soon as a client forgets the batch. So for these signatures
`serving.tensor_reading` is stricter than for others.
"""

from collections.abc import Iterable, Mapping

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2d")  # with their gradients


def convolving(
  graph: bytes, signatures: Mapping[str, meta_graph_pb2.SignatureDef]
) -> frozenset[str]:
  """The names of the signatures whose outputs depend on a convolution.

  Args:
    graph: a serialized GraphDef, with the functions that its nodes call.
    signatures: by name.
  """
  if not any(name.encode() in graph for name in _CONVOLUTIONS):
    return frozenset()
  parsed = graph_pb2.GraphDef.FromString(graph)
  functions = _Functions(parsed.library)
  nodes = {node.name: node for node in parsed.node}
  return frozenset(
    name
    for name, signature in signatures.items()
    if any(map(functions.convolves, _reached(nodes, signature)))
  )


class _Functions:
  """A graph's functions, each of which is looked at once."""

  def __init__(self, library):
    self._bodies = {function.signature.name: function.node_def for function in library.function}
    self._known: dict[str, bool] = {}

  def convolves(self, node: node_def_pb2.NodeDef) -> bool:
    """Whether a node is a convolution or calls a function that has one."""
    return node.op.startswith(_CONVOLUTIONS) or any(map(self._has_convolution, self._called(node)))

  def _called(self, node: node_def_pb2.NodeDef) -> Iterable[str]:
    if node.op in self._bodies:
      yield node.op
    for value in node.attr.values():
      kind = value.WhichOneof("value")
      if kind == "func":
        yield value.func.name
      elif kind == "list":
        yield from (function.name for function in value.list.func)

  def _has_convolution(self, name: str) -> bool:
    if name not in self._known:
      self._known[name] = False  # for functions that call themselves
      self._known[name] = any(map(self.convolves, self._bodies.get(name, ())))
    return self._known[name]


def _reached(
  nodes: Mapping[str, node_def_pb2.NodeDef], signature: meta_graph_pb2.SignatureDef
) -> Iterable[node_def_pb2.NodeDef]:
  """The nodes that a signature's outputs depend on."""
  waiting = [info.name for info in signature.outputs.values()]
  seen = set()
  while waiting:
    name = waiting.pop().lstrip("^").partition(":")[0]
    if name in seen or name not in nodes:
      continue
    seen.add(name)
    yield nodes[name]
    waiting += nodes[name].input
