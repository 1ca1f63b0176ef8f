"""Which operations a SavedModel's signatures run."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from tensorflow.core.framework import graph_pb2, node_def_pb2, tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2

# Where exporters note what shapes an operation's outputs, or a function's argument, can have.
_SHAPES = "_output_shapes"


@dataclasses.dataclass(frozen=True)
class Operation:
  """One operation, of the graph or in a function that it calls.

  Attributes:
    name: such as "Conv2D".
    has_open_rank: whether the exporter did not know, or did not note, the rank of some input.
  """

  name: str
  has_open_rank: bool


class GraphOperations:
  """A graph, with the functions that its nodes call."""

  def __init__(self, graph: bytes | memoryview):
    """Args:
    graph: a serialized GraphDef.
    """
    parsed = graph_pb2.GraphDef.FromString(graph)
    self._main = _Body(parsed.node, {})
    self._functions = {
      function.signature.name: _Body(
        function.node_def,
        {
          argument.name: function.arg_attr[number].attr[_SHAPES].list.shape
          for number, argument in enumerate(function.signature.input_arg)
          if number in function.arg_attr
        },
      )
      for function in parsed.library.function
    }

  def of(self, signature: meta_graph_pb2.SignatureDef) -> set[Operation]:
    """The operations that a signature's outputs depend on."""
    operations, called = set(), set()
    waiting = [(self._main, self._main.reached(signature))]
    while waiting:
      body, nodes = waiting.pop()
      for node in nodes:
        operations.add(Operation(node.op, not body.knows_inputs(node)))
        for name in _called(node):
          if name in self._functions and name not in called:
            called.add(name)
            function = self._functions[name]
            waiting.append((function, function.nodes.values()))
    return operations


class _Body:
  """The nodes of a graph or a function.

  Attributes:
    nodes: by name.
  """

  def __init__(
    self,
    nodes: Iterable[node_def_pb2.NodeDef],
    arguments: Mapping[str, Sequence[tensor_shape_pb2.TensorShapeProto]],
  ):
    self.nodes = {node.name: node for node in nodes}
    self._arguments = arguments

  def reached(self, signature: meta_graph_pb2.SignatureDef) -> Iterable[node_def_pb2.NodeDef]:
    """The nodes that a signature's outputs depend on."""
    waiting = [info.name for info in signature.outputs.values()]
    seen = set()
    while waiting:
      name = _producer(waiting.pop())
      if name in seen or name not in self.nodes:
        continue
      seen.add(name)
      yield self.nodes[name]
      waiting += self.nodes[name].input

  def knows_inputs(self, node: node_def_pb2.NodeDef) -> bool:
    """Whether the rank of everything that the node takes is noted."""
    return all(self._knows(name) for name in node.input if not name.startswith("^"))

  def _knows(self, tensor: str) -> bool:
    name = _producer(tensor)
    if name in self.nodes:
      shapes = self.nodes[name].attr[_SHAPES].list.shape
    else:
      shapes = self._arguments.get(name, ())
    return bool(shapes) and not any(shape.unknown_rank for shape in shapes)


def _producer(tensor: str) -> str:
  return tensor.lstrip("^").partition(":")[0]


def _called(node: node_def_pb2.NodeDef) -> Iterable[str]:
  yield node.op
  for value in node.attr.values():
    kind = value.WhichOneof("value")
    if kind == "func":
      yield value.func.name
    elif kind == "list":
      yield from (function.name for function in value.list.func)
