"""What one signature of a published model is, before it is traced."""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf

from tf_taskology.datasets import observations
from tf_taskology.tasks import task as task_lib

DEFAULT = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
PEER = "peer"


@dataclasses.dataclass(frozen=True)
class Signature:
  """A signature.

  Attributes:
    function: called with a tensor for each input; returns {output name: tensor [n, ...]}.
    inputs: their specs, with names.
  """

  function: Callable[..., dict[str, tf.Tensor]]
  inputs: Sequence[tf.TensorSpec]


def peer(network: tf.keras.Model, tasks: Sequence[task_lib.Task], adapt=lambda inputs: inputs):
  """What other trainers ask: predictions at the network's own resolution, each in its `peer_dtype`.

  Args:
    network: the network.
    tasks: the tasks that it performs.
    adapt: makes inputs, by field, what the network takes.
  """
  observation = observations.of_tasks(tasks)
  specs = observation.input_specs(network, task_lib.takes_of(tasks))
  dtypes = {name: output.peer_dtype for task in tasks for name, output in task.outputs.items()}

  def function(*inputs):
    folded = adapt(dict(zip(specs, inputs, strict=True)))
    predictions = observation.predict(network, tasks, folded)
    return {name: tf.cast(value, dtypes[name]) for name, value in predictions.items()}

  return Signature(function, list(specs.values()))
