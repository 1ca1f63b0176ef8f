"""Whether a model's answers depend on what it was asked before."""

import functools
from collections.abc import Iterable

from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving import graph_operations, tf_library

# Operations that TensorFlow calls stateful but that only read what loading a model has set up, print, or
# call others.
_READING = frozenset(
  (
    *("VarHandleOp", "ReadVariableOp", "VarIsInitializedOp", "VariableShape", "Variable", "VariableV2"),
    *("ResourceGather", "ResourceGatherNd"),
    # A HashTable (a MutableHashTable is another operation) is filled once.
    *("HashTable", "HashTableV2", "LookupTableImport", "LookupTableImportV2"),
    *("InitializeTable", "InitializeTableV2"),
    *("InitializeTableFromTextFile", "InitializeTableFromTextFileV2"),
    *("LookupTableFind", "LookupTableFindV2", "LookupTableSizeV2"),
    *("StatefulPartitionedCall", "If", "While", "Case"),
    *("Assert", "Print", "PrintV2"),
  )
)  # fmt: skip


def changing(
  graph: bytes | memoryview, signatures: Iterable[meta_graph_pb2.SignatureDef]
) -> list[str]:
  """Operations of the signatures that may change what later requests get, or draw random numbers.

  Args:
    graph: a serialized GraphDef, with the functions that its nodes call.
    signatures: what may be asked for.

  Returns:
    Their names, sorted; none for most trained networks.
  """
  operations = graph_operations.GraphOperations(graph)
  used = {operation.name for signature in signatures for operation in operations.of(signature)}
  return sorted(used & _stateful())


@functools.cache
def _stateful() -> frozenset[str]:
  library = tf_library.load()
  buffer = library.TF_GetAllOpList()
  try:
    known = op_def_pb2.OpList.FromString(tf_library.content(buffer.contents))
  finally:
    library.TF_DeleteBuffer(buffer)
  return frozenset(
    op.name
    for op in known.op
    if (op.is_stateful or any(argument.is_ref for argument in op.input_arg))
    and op.name not in _READING
    and not op.name.startswith("TensorArray")  # lives as long as its run
  )
