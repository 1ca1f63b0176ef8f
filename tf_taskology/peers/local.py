"""A peer that is a copy of a network in this process: no server, staleness under control."""

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tf_taskology.datasets import observations
from tf_taskology.peers import peer
from tf_taskology.tasks import task as task_lib


class LocalPeer(peer.Peer):
  """Answers with a copy of a network's weights as they were at the last `refresh`. Thread-safe.

  Args:
    name: the peer module's name.
    network: as built by a network builder.
    tasks: the tasks that it performs.
    clock: seconds since the epoch.
  """

  def __init__(
    self,
    name: str,
    network: tf.keras.Model,
    tasks: Sequence[task_lib.Task],
    clock: Callable[[], float] = time.time,
  ):
    self.name = name
    self.outputs = peer.outputs_of(tasks)
    self.takes = task_lib.takes_of(tasks)
    self.target = "this process"
    self._observation = observations.of_tasks(tasks)
    self._source = network
    self._copy = tf.keras.models.clone_model(network)
    self._tasks = list(tasks)
    self._clock = clock
    self._lock = threading.Lock()
    self._closed = False
    self._predict = tf.function(self._predict_graph)
    self.refresh(0)

  def refresh(self, step: int):
    """Takes over the network's present weights, as version `step`."""
    with self._lock:
      self._copy.set_weights(self._source.get_weights())
      self._step, self._published_at = step, self._clock()

  def predict(self, inputs):
    started = time.monotonic()
    num_asked = len(next(iter(inputs.values())))
    with self._lock:
      if self._closed:
        raise peer.PeerClosed(f"Peer {self.name!r} was closed: training ends.")
      predictions = {n: v.numpy() for n, v in self._predict(_constants(inputs)).items()}
      step, published_at = self._step, self._published_at
    return peer.Answer(
      predictions=peer.check_predictions(self, predictions, num_asked),
      step=np.full(num_asked, step, np.int64),
      published_at=np.full(num_asked, published_at, np.float64),
      version=step,
      seconds=time.monotonic() - started,
    )

  def check(self):
    self.predict(self._observation.example(self._copy, self.takes))

  def close(self):
    with self._lock:
      self._closed = True

  def _predict_graph(self, inputs):
    return self._observation.predict(self._copy, self._tasks, inputs)


def _constants(inputs):
  return {field: tf.constant(value) for field, value in inputs.items()}
