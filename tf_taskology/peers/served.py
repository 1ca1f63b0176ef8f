"""A peer behind a model server: TensorFlow Serving's gRPC protocol."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from tf_taskology.peers import decoding, exporting, mapping as mapping_lib, peer, transport
from tf_taskology.tasks import task as task_lib

_FLOATS = (
  types_pb2.DT_FLOAT,
  types_pb2.DT_HALF,
  types_pb2.DT_BFLOAT16,
  types_pb2.DT_DOUBLE,
)
_STAMPS = {exporting.STEP: types_pb2.DT_INT64, exporting.PUBLISHED_AT: types_pb2.DT_DOUBLE}
_CHECK_PAUSE_SECS = 0.2


class ServedPeer(peer.Peer):
  """Asks model servers, in turn if there are several. Thread-safe.

  Args:
    name: the peer module's name.
    targets: addresses of replicas, "host:port".
    outputs: what it answers, by name; see `peer.outputs_of`.
    takes: see `Peer.takes`.
    mapping: None for a module that this system published and that looks at images; else how to ask it.
    tls: None for a plain connection.
    retries: deadline, rounds and pauses.
    connect_limit_secs: how long `check` waits for a model server to listen.
    publish_limit_secs: how long `check` waits for the peer's first version.
    time_fn: seconds since the epoch.

  Raises:
    WrongSignature: the mapping lacks an output.
  """

  def __init__(
    self,
    name: str,
    targets: Sequence[str],
    outputs: Mapping[str, task_lib.Output],
    takes: str = "frame",
    mapping: mapping_lib.Mapping | None = None,
    tls: transport.Tls | None = None,
    retries: transport.Retries | None = None,
    connect_limit_secs: float = 60.0,
    publish_limit_secs: float = 600.0,
    time_fn: Callable[[], float] = time.time,
  ):
    self.name = name
    self.outputs = dict(outputs)
    self.takes = takes
    self.target = ",".join(targets)
    self._mapping = mapping or mapping_lib.OwnMapping(self.outputs)
    mapping_lib.check_covers(name, self.outputs, self._mapping)
    self._replicas = transport.Replicas(name, targets, tls, retries)
    self._connect_limit_secs = connect_limit_secs
    self._publish_limit_secs = publish_limit_secs
    self._time = time_fn
    self._first_seen = {}

  def predict(self, inputs):
    started = time.monotonic()
    request = predict_pb2.PredictRequest()
    self._name_model(request.model_spec)
    for name, array in self._mapping.request(inputs).items():
      request.inputs[name].CopyFrom(decoding.to_proto(array))
    num_asked = len(next(iter(inputs.values())))
    request.output_filter.extend(self._mapping.tensors())
    response = self._replicas.call("Predict", request)
    try:
      arrays = {name: decoding.to_array(response.outputs[name]) for name in self._mapping.tensors()}
    except ValueError as error:
      raise peer.WrongDtype(f"Peer {self.name!r} at {self.target}: {error}") from error
    version = response.model_spec.version.value
    step, published_at = self._stamps(arrays, version, num_asked)
    return peer.Answer(
      predictions=peer.check_predictions(self, self._mapping.decode(arrays), num_asked),
      step=step,
      published_at=published_at,
      version=version,
      num_bytes=request.ByteSize() + response.ByteSize(),
      seconds=time.monotonic() - started,
    )

  def check(self):
    self._check_signature(self._metadata())

  def close(self):
    self._replicas.close()

  def _name_model(self, spec):
    spec.name = self._mapping.model_name or self.name
    spec.signature_name = self._mapping.signature

  def _stamps(self, arrays, version, num_asked):
    """Step and publish time; of a model that does not know them, its version and when it was first seen."""
    if self._mapping.stamped:
      return arrays[exporting.STEP], arrays[exporting.PUBLISHED_AT]
    first_seen = self._first_seen.setdefault(version, self._time())
    return np.full(num_asked, version, np.int64), np.full(num_asked, first_seen, np.float64)

  def _metadata(self):
    """The model's signatures; waits for the server to listen and for the first version."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = self._mapping.model_name or self.name
    started = told = time.monotonic()
    while True:
      try:
        response = self._replicas.call("GetModelMetadata", request)
        break
      except peer.PeerError as error:
        published = isinstance(error, peer.PeerNotPublished)
        limit = self._publish_limit_secs if published else self._connect_limit_secs
        waited = time.monotonic() - started
        if not error.temporary:
          raise
        if waited > limit:
          field = "publish_limit_secs" if published else "connect_limit_secs"
          raise type(error)(f"{error} Waited {waited:.0f} s ({field}).") from error
        if time.monotonic() - told > 10:
          told = time.monotonic()
          logging.info("Still waiting for peer %s since %.0f s: %s", self.name, waited, error)
      self._replicas.wait(_CHECK_PAUSE_SECS)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return signatures.signature_def

  def _check_signature(self, signatures):
    where = f"Peer {self.name!r} at {self.target}"
    name = self._mapping.signature
    if name not in signatures:
      raise peer.WrongSignature(f"{where} has no signature {name!r}. It has: {sorted(signatures)}.")
    signature = signatures[name]
    expected = self._mapping.inputs
    if sorted(signature.inputs) != sorted(expected):
      raise peer.WrongSignature(
        f"{where}: signature {name!r} takes {sorted(signature.inputs)}; expected {sorted(expected)}."
      )
    for field, dtype in expected.items():
      _check_dtype(
        f"{where}: input {field!r}",
        signature.inputs[field].dtype,
        [tf.as_dtype(dtype).as_datatype_enum],
      )
    missing = sorted(set(self._mapping.tensors()) - set(signature.outputs))
    if missing:
      raise peer.WrongSignature(
        f"{where}: signature {name!r} lacks the outputs {missing}. It has: {sorted(signature.outputs)}."
      )
    for tensor in self._mapping.tensors():
      expected = [_STAMPS[tensor]] if self._mapping.stamped and tensor in _STAMPS else _FLOATS
      _check_dtype(f"{where}: output {tensor!r}", signature.outputs[tensor].dtype, expected)
    if self._mapping.stamped:
      self._check_shapes(where, signature)

  def _check_shapes(self, where, signature):
    for name, output in self.outputs.items():
      shape = signature.outputs[name].tensor_shape
      sizes = [dim.size for dim in shape.dim]
      expected = [-1, *peer.answer_shape(self.takes, output)]
      if not shape.unknown_rank and not peer.fits(sizes, expected):
        raise peer.WrongShape(
          f"{where}: output {name!r} has shape {sizes}; expected [{', '.join(map(str, expected))}] "
          f"({output.unit})."
        )


def _check_dtype(what, dtype, expected):
  if dtype not in expected:
    names = " or ".join(tf.as_dtype(e).name for e in expected)
    raise peer.WrongDtype(f"{what} is {tf.as_dtype(dtype).name}; expected {names}.")
