"""The stage of the input pipeline that asks peers about mediator batches, some batches ahead of training."""

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_taskology.datasets import observations
from tf_taskology.peers import (
  peer as peer_lib,
  policy as policy_lib,
  record as record_lib,
  resizing,
)

PEERS = "peers"
PEERS_INFO = "peers_info"
MEDIATOR = "mediator"
_READY_AT = "peers_ready_at"


class PredictionStage:
  """Adds peers' predictions to batches.

  Batches {"mediator": {"image": [B, F, H, W, 3] uint8, ...}, ...} gain
    "peers": output name -> [B, F, height, width, channels] float32, zeros where a peer is not available; of peers that
      take pairs [B, pairs, ...], in the order of `task.pairs`; height and width 1 where an output is per image. Point
      clouds stand in the place of images where the batch has them (`datasets.observation`);
    "peers_info": peer name -> {"available": [B] float32, 0 or 1; "step": [B] int64; "published_at": [B] float64}.
  One request per peer and batch; several batches are asked at once; their order is kept. Put only `pipeline.timed`
  behind it: what it knows about waiting holds if the training loop takes batches straight from it.

  Always `close` it, or use it in a `with` statement: a request that waits for a dead peer otherwise keeps the
  dataset's iterator, and with it the process, from ending. A closed stage ends its dataset.

  Attributes:
    records: peer name -> PeerRecord.
    failure: the PeerError that ended the pipeline, or None; TensorFlow shows it only as text inside its own errors.
  """

  def __init__(
    self,
    peers: Sequence[peer_lib.Peer],
    policies: Mapping[str, policy_lib.Policy],
    size: Sequence[int] | None,
    step_fn: Callable[[], int] = lambda: 0,
    parallel_calls: int = 8,
    prefetch: int = 2,
    num_frames: int | None = None,
  ):
    """Prepares the stage.

    Args:
      peers: who is asked; no two answer the same output.
      policies: peer name -> what to do when it does not answer.
      size: (height, width) of the predictions in the batch, usually that of the own network's; others are resized.
      step_fn: the own trainer's global step, for the records.
      parallel_calls: batches that are asked at once: at least the slowest peer's answer time over the time of a step.
      prefetch: finished batches kept ready.
      num_frames: only so many frames of each sample are asked about, the first ones; None for all.

    Raises:
      ValueError: two peers answer one output, or a peer has no policy.
    """
    owners = {}
    for peer in peers:
      for name in peer.outputs:
        if name in owners:
          raise ValueError(
            f"Peers {owners[name]!r} and {peer.name!r} both answer {name!r}; expected one."
          )
        owners[name] = peer.name
      if peer.name not in policies:
        raise ValueError(
          f"Peer {peer.name!r} has no policy. Policies are given for: {sorted(policies)}."
        )
    self._peers = list(peers)
    self._policies = dict(policies)
    self._size = None if size is None else tuple(size)
    self._parallel_calls = parallel_calls
    self._prefetch = prefetch
    self._num_frames = num_frames
    self._closed = threading.Event()
    self.failure = None
    self.records = {
      peer.name: record_lib.PeerRecord(
        peer.name, self._policies[peer.name].name, peer.target, step_fn
      )
      for peer in peers
    }

  def __enter__(self):
    return self

  def __exit__(self, *unused):
    self.close()

  def check(self):
    """Verifies all peers, waiting for those that are just starting. Raises PeerError."""
    for peer in self._peers:
      peer.check()

  def close(self):
    """Ends waits and calls in progress. May be called twice, and from any thread."""
    self._closed.set()
    for peer in self._peers:
      peer.close()

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset with peers' predictions in its batches."""
    if not self._peers:
      return dataset
    dataset = dataset.map(self._add, num_parallel_calls=self._parallel_calls, deterministic=True)
    dataset = dataset.prefetch(self._prefetch)
    # `zip` asks its parts in order: the clock is read when the loop asks for a batch.
    asked_at = tf.data.Dataset.counter().map(lambda _: tf.timestamp())
    dataset = tf.data.Dataset.zip((asked_at, dataset)).take_while(self._account).map(_strip)
    options = tf.data.Options()
    # Calls that wait for peers block their threads: they must not be TensorFlow's own, on which training runs.
    options.threading.private_threadpool_size = self._parallel_calls * len(self._peers) + 2
    options.experimental_optimization.inject_prefetch = False
    return dataset.with_options(options)

  def _add(self, batch):
    """One batch with predictions; graph code."""
    observation = observations.of_element(batch[MEDIATOR])
    seen = {f: v[:, : self._num_frames] for f, v in observation.seen(batch[MEDIATOR]).items()}
    batch_size, num_frames = next(iter(seen.values())).shape[:2]
    folded = {takes: observation.fold(seen, takes) for takes in {p.takes for p in self._peers}}
    predictions, infos, ready_at = {}, {}, []
    for peer in self._peers:
      fields = folded[peer.takes]
      count = observation.count(peer.takes, num_frames)
      shapes = {n: self._shape(peer, output, num_frames) for n, output in peer.outputs.items()}
      *values, available, step, published_at, ready = tf.numpy_function(
        functools.partial(self._fetch, peer, count, shapes, tuple(fields)),
        list(fields.values()),
        [*[tf.float32 for _ in shapes], tf.float32, tf.int64, tf.float64, tf.float64],
        stateful=False,  # stateful ones run one after the other, and so would the peers
      )
      answered = {
        name: self._at_size(value, peer.outputs[name], shapes[name])
        for name, value in zip(shapes, values, strict=True)
      }
      for name, value in observation.unfold(answered, peer.takes, num_frames).items():
        value.set_shape([batch_size, *value.shape[1:]])
        predictions[name] = value
      info = {"available": available, "step": step, "published_at": published_at}
      for value in info.values():
        value.set_shape([batch_size])
      infos[peer.name] = info
      ready_at.append(ready)
    return {**batch, PEERS: predictions, PEERS_INFO: infos, _READY_AT: tf.stack(ready_at)}

  def _shape(self, peer, output, num_frames):
    """Shape of an output in the batches, without the axis of what was asked about."""
    size = output.fixed_size or self._size
    if size is None:
      raise ValueError(
        f"PredictionStage needs a size for outputs of peer {peer.name!r} that have none of their own."
      )
    frames = [1 if output.per_sample else num_frames] if peer.takes == "sequence" else []
    return (*frames, *size, output.channels)

  def _at_size(self, value, output, shape):
    if output.fixed_size is None:
      value.set_shape([None, None, None, output.channels])
      value = tf.cond(
        tf.reduce_all(tf.shape(value)[1:3] == tf.constant(self._size)),
        lambda: value,
        lambda: resizing.prediction(value, self._size, output),
      )
    return tf.ensure_shape(value, [None, *shape])

  def _fetch(self, peer, count, shapes, fields, *folded):
    """Asks one peer about one batch, `count` answers a sample; runs in a thread of the pipeline."""
    num_asked = len(folded[0])
    batch_size = num_asked // count
    try:
      answer = self._policies[peer.name].answer(
        peer, dict(zip(fields, folded, strict=True)), self.records[peer.name], self._closed
      )
    except peer_lib.PeerClosed:
      answer = None  # nobody gets this batch: a closed stage ends its dataset
    except peer_lib.PeerError as error:
      self.failure = self.failure or error
      raise
    if answer is None:
      values = [np.zeros([num_asked, *shape], np.float32) for shape in shapes.values()]
      step, published_at = np.zeros(batch_size, np.int64), np.zeros(batch_size, np.float64)
    else:
      values = [answer.predictions[name] for name in shapes]
      # A server may answer one request from two versions: a sample is as old as its oldest frame.
      step = answer.step.reshape(batch_size, count).min(axis=1)
      published_at = answer.published_at.reshape(batch_size, count).min(axis=1)
    available = np.full(batch_size, answer is not None, np.float32)
    return (*values, available, step, published_at, np.float64(time.time()))

  def _account(self, asked_at, batch):
    """Charges the loop's wait to the peers that were late; false ends the dataset. Graph code."""
    goes_on = tf.numpy_function(self._note_waits, [asked_at, batch[_READY_AT]], tf.bool)
    return tf.ensure_shape(goes_on, [])

  def _note_waits(self, asked_at, ready_at):
    for peer, ready in zip(self._peers, ready_at, strict=True):
      self.records[peer.name].waited(max(0.0, float(ready - asked_at)))
    return not self._closed.is_set()


def _strip(asked_at, batch):
  """The batch as the loop gets it."""
  del asked_at
  return {name: value for name, value in batch.items() if name != _READY_AT}
