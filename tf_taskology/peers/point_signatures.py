"""Signatures of published modules that look at point clouds.

  serving_default: points float32 [n, points, channels] and num_points int32 [n] (what is behind is padding) -> what
    the tasks answer (`Task.answers`): a detector boxes after non-maximum suppression.
  peer: the same inputs -> output name, in its `peer_dtype`: predictions at anchors, [n, rows, columns, channels].

A module with a task that takes a sequence gets points [n, frames, points, channels] and num_points [n, frames], all
in one frame of reference, and its answers have an axis of frames after the first.
"""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.datasets import observations
from tf_taskology.peers import signature
from tf_taskology.tasks import task as task_lib


def signatures(
  network: tf.keras.Model, tasks: Sequence[task_lib.Task]
) -> dict[str, signature.Signature]:
  """The signatures of a network that takes points [n, frames, points, channels] and num_points [n, frames]."""
  observation = observations.of_tasks(tasks)
  sequences = task_lib.takes_of(tasks) == "sequence"
  peer = signature.peer(network, tasks)
  fields = [spec.name for spec in peer.inputs]

  def serving_default(*inputs):
    predictions = observation.predict(network, tasks, dict(zip(fields, inputs, strict=True)))
    answers = {}
    for task in tasks:
      own = {name: predictions[name] for name in task.outputs}
      answers.update(_answers_of_frames(task, own) if sequences else task.answers(own))
    return answers

  return {
    signature.DEFAULT: signature.Signature(serving_default, peer.inputs),
    signature.PEER: peer,
  }


def _answers_of_frames(task, predictions):
  """Answers [n, frames, ...] of predictions [n, frames, ...]."""
  shape = tf.shape(next(iter(predictions.values())))
  fold = lambda value: tf.reshape(value, tf.concat([[shape[0] * shape[1]], tf.shape(value)[2:]], 0))
  frames = next(iter(predictions.values())).shape[1]

  def unfold(value):
    value_shape = tf.concat([shape[:2], tf.shape(value)[1:]], axis=0)
    return tf.ensure_shape(tf.reshape(value, value_shape), [None, frames, *value.shape[1:]])

  folded = {
    name: tf.ensure_shape(fold(value), [None, *value.shape[2:]])
    for name, value in predictions.items()
  }
  return {name: unfold(value) for name, value in task.answers(folded).items()}
