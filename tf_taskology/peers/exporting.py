"""A network as a SavedModel whose graph is built once and whose variables are written many times.

Tracing and saving a Keras network takes a second or more; writing its variables takes milliseconds. A trainer that
publishes every few seconds therefore saves the graph once, keeps its bytes, and for each version writes the same
`saved_model.pb` beside a fresh `variables/` in the format of `tf.train.Checkpoint`. Step and publish time are
variables of the SavedModel too.
"""

import os
import threading
from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.peers import image_signatures, point_signatures, signature as signature_lib
from tf_taskology.tasks import task as task_lib

PEER_SIGNATURE = signature_lib.PEER
STEP = "step"
PUBLISHED_AT = "published_at"
GRAPH_FILE = "saved_model.pb"
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = ".ATTRIBUTES/VARIABLE_VALUE"
_KINDS = {"image": image_signatures, "points": point_signatures}


class Exporter:
  """Writes one network as SavedModels, again and again.

  Signatures (`step` int64 [n] and `published_at` float64 [n], seconds since the epoch, are outputs of each) are those of
  `image_signatures` or `point_signatures`, whatever the tasks look at. "peer" is among them: what other trainers ask,
  each output in its `peer_dtype`, at the network's own resolution.

  Under a `tf.distribute` strategy the variables of the first replica are written; nothing is reduced over replicas, so
  one process may export alone.

  Attributes:
    graph: the bytes of `saved_model.pb`.
  """

  def __init__(self, network: tf.keras.Model, tasks: Sequence[task_lib.Task], scratch_dir: str):
    """Traces and saves the graph.

    Args:
      network: as built by a network builder.
      tasks: the tasks that the network performs.
      scratch_dir: a folder that does not exist yet, for the first save; the caller removes it.

    Raises:
      OSError, tf.errors.OpError: the scratch folder cannot be written.
    """
    self._network = network
    self._sources = list(network.variables)
    self._names, self.graph, self._object_graph = (), b"", b""
    # Keras runs callbacks inside `strategy.scope()`; the strategy in force is per thread, and what is built here must
    # be plain variables and plain graphs.
    _in_fresh_thread(lambda: self._save_graph(tasks, scratch_dir))

  def _save_graph(self, tasks, scratch_dir):
    network = _without_strategy(self._network)
    exported = tf.Module()
    exported.weights = list(network.variables)
    exported.step = tf.Variable(0, dtype=tf.int64, trainable=False)
    exported.published_at = tf.Variable(0.0, dtype=tf.float64, trainable=False)
    tf.saved_model.save(exported, scratch_dir, signatures=_signatures(network, tasks, exported))
    with open(os.path.join(scratch_dir, GRAPH_FILE), "rb") as file:
      self.graph = file.read()
    saved = tf.train.load_checkpoint(_variables_prefix(scratch_dir))
    self._object_graph = saved.get_tensor(_OBJECT_GRAPH)
    self._names = (
      *(f"weights/{i}/{_VALUE}" for i in range(len(exported.weights))),
      f"{STEP}/{_VALUE}",
      f"{PUBLISHED_AT}/{_VALUE}",
      _OBJECT_GRAPH,
    )
    if set(self._names) != set(saved.get_variable_to_dtype_map()):
      raise RuntimeError(
        f"tf.saved_model.save wrote the variables {sorted(saved.get_variable_to_dtype_map())}; "
        f"expected {sorted(self._names)}. Network: {network.name!r}."
      )

  def write(self, directory: str, step: int, published_at: float):
    """Writes the graph and the network's present variables into an existing, empty folder.

    Raises:
      OSError, tf.errors.OpError: the folder cannot be written, for instance because the disk is full.
    """
    values = [first_replica(variable).read_value() for variable in self._sources]
    values += [tf.constant(step, tf.int64), tf.constant(published_at, tf.float64)]
    values += [tf.constant(self._object_graph)]
    os.mkdir(os.path.join(directory, "variables"))
    with tf.device("/cpu:0"):
      tf.raw_ops.SaveV2(
        prefix=_variables_prefix(directory),
        tensor_names=list(self._names),
        shape_and_slices=[""] * len(self._names),
        tensors=values,
      )
    # The graph goes last: without it nothing takes the folder for a SavedModel.
    with open(os.path.join(directory, GRAPH_FILE), "wb") as file:
      file.write(self.graph)


def first_replica(variable: tf.Variable) -> tf.Variable:
  """The variable itself, or its component on the first replica.

  A variable that is averaged over replicas when read (batch normalisation's statistics) would start a collective
  operation, in which the other workers do not take part.
  """
  components = getattr(variable, "values", None)
  return variable if components is None else components[0]


def _without_strategy(network: tf.keras.Model) -> tf.keras.Model:
  """The network, or if its variables are distributed a structural copy with plain ones (values do not matter)."""
  if all(first_replica(variable) is variable for variable in network.variables):
    return network
  copy = tf.keras.models.clone_model(network)
  for old, new in zip(network.variables, copy.variables, strict=True):
    if old.shape != new.shape:
      raise RuntimeError(
        f"A clone of network {network.name!r} orders its variables differently: {old.name} has shape {old.shape}, "
        f"{new.name} in its place has {new.shape}. Its get_config must describe it fully."
      )
  return copy


def _signatures(network, tasks, exported):
  """The signatures as traced functions, with step and publish time among their outputs."""

  def stamped(signature):
    @tf.function(input_signature=signature.inputs)
    def function(*inputs):
      answers = dict(signature.function(*inputs))
      count = tf.shape(inputs[0])[:1]
      answers[STEP] = tf.fill(count, exported.step.read_value())
      answers[PUBLISHED_AT] = tf.fill(count, exported.published_at.read_value())
      return answers

    return function

  kind = _KINDS[task_lib.observes_of(tasks)]
  return {name: stamped(signature) for name, signature in kind.signatures(network, tasks).items()}


def _variables_prefix(directory: str) -> str:
  return os.path.join(directory, "variables", "variables")


def _in_fresh_thread(function):
  """Runs a function in a new thread and raises here what it raises."""
  failure = []

  def run():
    try:
      function()
    except Exception as error:
      failure.append(error)

  thread = threading.Thread(target=run, name="export")
  thread.start()
  thread.join()
  if failure:
    raise failure[0]
