"""Finds the signatures of a SavedModel that convolve.

TensorFlow's oneDNN convolutions do not report an input with too few dimensions, they end the process
(tensor_format.h: CHECK failed). That happens to signals, [batch, samples], and texts, [batch, words], as
it does to images, as soon as a client forgets the batch. So for these signatures
`serving.tensor_reading` is stricter than for others.
"""

import os
import re
from collections.abc import Iterable, Mapping

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

# Operations, with their gradients, and the dimensions of what they take.
_CONVOLUTIONS = {"Conv2D": 4, "Conv3D": 5, "DepthwiseConv2d": 4}
_ANY_CONVOLUTION = re.compile("|".join(_CONVOLUTIONS).encode())
# A larger graph is a frozen one with its weights, which would take as much memory again to look at.
_MOST_GRAPH_BYTES = 64 << 20


def ranks(
  graph: bytes | memoryview, signatures: Mapping[str, meta_graph_pb2.SignatureDef]
) -> dict[str, int]:
  """The dimensions that the convolutions take on which a signature's outputs depend; the most of them.

  Args:
    graph: a serialized GraphDef, with the functions that its nodes call. In one over 64 MiB, every
      signature is taken to depend on every convolution.
    signatures: by name.

  Returns:
    Only signatures with convolutions, by name; none if TensorFlow reports their errors instead, for
    the environment variable TF_ENABLE_ONEDNN_OPTS says that they are not oneDNN's.
  """
  if os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() in ("0", "false"):
    return {}
  found = {match.decode() for match in _ANY_CONVOLUTION.findall(graph)}
  if not found:
    return {}
  if len(graph) > _MOST_GRAPH_BYTES:
    return dict.fromkeys(signatures, max(_CONVOLUTIONS[name] for name in found))
  parsed = graph_pb2.GraphDef.FromString(graph)
  functions = _Functions(parsed.library)
  nodes = {node.name: node for node in parsed.node}
  most = {
    name: max(map(functions.rank, _reached(nodes, signature)), default=0)
    for name, signature in signatures.items()
  }
  return {name: rank for name, rank in most.items() if rank}


class _Functions:
  """A graph's functions, each of which is looked at once."""

  def __init__(self, library):
    self._bodies = {function.signature.name: function.node_def for function in library.function}
    self._known: dict[str, int] = {}

  def rank(self, node: node_def_pb2.NodeDef) -> int:
    """The most dimensions that the convolutions of a node, or of what it calls, take; 0 without any."""
    own = [rank for name, rank in _CONVOLUTIONS.items() if node.op.startswith(name)]
    return max([*own, *map(self._rank_of_function, self._called(node))], default=0)

  def _called(self, node: node_def_pb2.NodeDef) -> Iterable[str]:
    if node.op in self._bodies:
      yield node.op
    for value in node.attr.values():
      kind = value.WhichOneof("value")
      if kind == "func":
        yield value.func.name
      elif kind == "list":
        yield from (function.name for function in value.list.func)

  def _rank_of_function(self, name: str) -> int:
    if name not in self._known:
      self._known[name] = 0  # for functions that call themselves
      self._known[name] = max(map(self.rank, self._bodies.get(name, ())), default=0)
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
