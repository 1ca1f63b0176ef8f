"""A peer that is a SavedModel on disk: ablations with peers that do not learn, and a stand-in for a dead server."""

import os
import threading
import time
from collections.abc import Mapping

import tensorflow as tf

from tf_taskology.peers import exporting, peer, publishing
from tf_taskology.tasks import task as task_lib


class FrozenPeer(peer.Peer):
  """Runs a published SavedModel in this process. Thread-safe.

  Args:
    name: the peer module's name.
    outputs: what it answers, by name.
    version_dir: one version, for ever; or
    export_dir: <export root>/<module>: the newest version there, looked up at each request; or
    path: either of the two; of versions, the one that is the newest at the first request.
    takes: see `Peer.takes`.

  Raises:
    ValueError: not exactly one of the folders is given.
  """

  def __init__(
    self,
    name: str,
    outputs: Mapping[str, task_lib.Output],
    version_dir: str | None = None,
    export_dir: str | None = None,
    path: str | None = None,
    takes: str = "frame",
  ):
    if [version_dir, export_dir, path].count(None) != 2:
      raise ValueError(
        "FrozenPeer needs exactly one of `version_dir`, `export_dir` and `path`. "
        f"Received: version_dir={version_dir!r}, export_dir={export_dir!r}, path={path!r}."
      )
    self.name = name
    self.outputs = dict(outputs)
    self.takes = takes
    self.target = version_dir or export_dir or path
    if path is not None and os.path.exists(os.path.join(path, exporting.GRAPH_FILE)):
      version_dir = path
    self._version_dir = version_dir
    self._keeps = path is not None
    self._lock = threading.Lock()
    self._loaded_dir = None
    self._model = None
    self._closed = False

  def predict(self, inputs):
    started = time.monotonic()
    signature, version_dir = self._signature()
    result = signature(**{field: tf.constant(value) for field, value in inputs.items()})
    predictions = {name: result[name].numpy() for name in self.outputs}
    step = result[exporting.STEP].numpy()
    version = os.path.basename(os.path.normpath(version_dir))
    return peer.Answer(
      predictions=peer.check_predictions(self, predictions, len(next(iter(inputs.values())))),
      step=step,
      published_at=result[exporting.PUBLISHED_AT].numpy(),
      version=int(version) if version.isdigit() else int(step[0]),
      seconds=time.monotonic() - started,
    )

  def check(self):
    signature, _ = self._signature()
    missing = sorted(set(self.outputs) - set(signature.structured_outputs))
    if missing:
      raise peer.WrongSignature(
        f"Peer {self.name!r} at {self.target} lacks the outputs {missing}. "
        f"It has: {sorted(signature.structured_outputs)}."
      )

  def close(self):
    with self._lock:
      self._closed = True
      self._model = self._loaded_dir = None

  def _signature(self):
    """The signature of the version to use, and its folder."""
    with self._lock:
      if self._closed:
        raise peer.PeerClosed(f"Peer {self.name!r} was closed: training ends.")
      wanted = self._version_dir or self._newest()
      if self._keeps:
        self._version_dir = wanted
      if wanted != self._loaded_dir:
        try:
          self._model = tf.saved_model.load(wanted)
        except (OSError, ValueError, tf.errors.OpError) as error:
          # The version may have been removed between the look and the load: the next look finds a newer one.
          raise peer.PeerNotPublished(
            f"Peer {self.name!r}: {wanted} cannot be loaded as a SavedModel: {error}"
          ) from error
        self._loaded_dir = wanted
      if exporting.PEER_SIGNATURE not in self._model.signatures:
        raise peer.WrongSignature(
          f"Peer {self.name!r} at {wanted} has no signature {exporting.PEER_SIGNATURE!r}. "
          f"It has: {sorted(self._model.signatures)}."
        )
      return self._model.signatures[exporting.PEER_SIGNATURE], wanted

  def _newest(self):
    versions = publishing.versions(self.target)
    if not versions:
      raise peer.PeerNotPublished(f"Peer {self.name!r} has no published version in {self.target}.")
    return os.path.join(self.target, str(versions[-1]))
