"""Finds the signatures of a SavedModel that convolve.

TensorFlow's oneDNN convolutions do not report an input with too few dimensions, they end the process
(tensor_format.h: CHECK failed). That happens to signals, [batch, samples], and texts, [batch, words], as
it does to images, as soon as a client forgets the batch. So for these signatures
`serving.tensor_reading` is stricter than for others.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tensorflow.core.protobuf import meta_graph_pb2

from serving import graph_operations

# Operations, with their gradients, and the dimensions of what they take.
_CONVOLUTIONS = {"Conv2D": 4, "Conv3D": 5, "DepthwiseConv2d": 4}
_ANY_CONVOLUTION = re.compile("|".join(_CONVOLUTIONS).encode())
# A larger graph is a frozen one with its weights, which would take as much memory again to look at.
_MOST_GRAPH_BYTES = 64 << 20


class Ranks(NamedTuple):
  """Dimensions that a signature's convolutions take; the most of them.

  Attributes:
    all: of all convolutions.
    open: of those of which the exporter did not know the rank of every input; 0 without any.
  """

  all: int
  open: int


def ranks(
  graph: bytes | memoryview, signatures: Mapping[str, meta_graph_pb2.SignatureDef]
) -> dict[str, Ranks]:
  """What the convolutions take on which a signature's outputs depend.

  Args:
    graph: a serialized GraphDef, with the functions that its nodes call. In one over 64 MiB, every
      signature is taken to depend on every convolution, and on open ranks.
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
    most = max(_CONVOLUTIONS[name] for name in found)
    return dict.fromkeys(signatures, Ranks(most, most))
  operations = graph_operations.GraphOperations(graph)
  most = {name: _most(operations.of(signature)) for name, signature in signatures.items()}
  return {name: ranks for name, ranks in most.items() if ranks.all}


def _most(operations: Iterable[graph_operations.Operation]) -> Ranks:
  taken = [
    (rank, rank if operation.has_open_rank else 0)
    for operation in operations
    for name, rank in _CONVOLUTIONS.items()
    if operation.name.startswith(name)
  ]
  return Ranks(*map(max, zip(*taken, strict=True))) if taken else Ranks(0, 0)
