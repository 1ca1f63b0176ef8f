"""Which operations a SavedModel's signatures run."""

from collections.abc import Iterable

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2


class GraphOperations:
  """A graph, with the functions that its nodes call."""

  def __init__(self, graph: bytes | memoryview):
    """Args:
    graph: a serialized GraphDef.
    """
    parsed = graph_pb2.GraphDef.FromString(graph)
    self._nodes = {node.name: node for node in parsed.node}
    self._bodies = {
      function.signature.name: function.node_def for function in parsed.library.function
    }

  def of(self, signature: meta_graph_pb2.SignatureDef) -> set[str]:
    """The names, such as "Conv2D", of the operations that a signature's outputs depend on."""
    operations, called = set(), set()
    waiting = [self._reached(signature)]
    while waiting:
      for node in waiting.pop():
        operations.add(node.op)
        for name in self._called(node):
          if name in self._bodies and name not in called:
            called.add(name)
            waiting.append(self._bodies[name])
    return operations

  def _called(self, node: node_def_pb2.NodeDef) -> Iterable[str]:
    yield node.op
    for value in node.attr.values():
      kind = value.WhichOneof("value")
      if kind == "func":
        yield value.func.name
      elif kind == "list":
        yield from (function.name for function in value.list.func)

  def _reached(self, signature: meta_graph_pb2.SignatureDef) -> Iterable[node_def_pb2.NodeDef]:
    """The nodes, outside of functions, that a signature's outputs depend on."""
    waiting = [info.name for info in signature.outputs.values()]
    seen = set()
    while waiting:
      name = waiting.pop().lstrip("^").partition(":")[0]
      if name in seen or name not in self._nodes:
        continue
      seen.add(name)
      yield self._nodes[name]
      waiting += self._nodes[name].input
