"""A model behind model servers: TensorFlow Serving's gRPC protocol."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from tf_taskology.peers import decoding, peer, transport
from tf_taskology.prediction import model


class ServedModel(model.Model):
  """Asks model servers, in turn if there are several.

  Args:
    name: the module's name, which is its model's on the servers.
    targets: addresses of replicas, "host:port".
    tls: None for a plain connection.
    retries: deadline, rounds and pauses.

  Raises:
    peer.PeerError: nobody answers, or the servers have no such model.
  """

  def __init__(
    self,
    name: str,
    targets: Sequence[str],
    tls: transport.Tls | None = None,
    retries: transport.Retries | None = None,
  ):
    self.title = f"Module {name!r} at {','.join(targets)}"
    self._name = name
    self._replicas = transport.Replicas(name, targets, tls, retries)
    try:
      self.signatures = self._read_signatures()
    except BaseException:
      self._replicas.close()
      raise

  def predict(self, signature, batch):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = self._name
    request.model_spec.signature_name = signature.name
    for name, value in signature.feeds(batch).items():
      encoded = signature.takes == model.ENCODED
      proto = tf.make_tensor_proto(list(value), tf.string) if encoded else decoding.to_proto(value)
      request.inputs[name].CopyFrom(proto)
    response = self._replicas.call("Predict", request)
    try:
      outputs = {name: decoding.to_array(value) for name, value in response.outputs.items()}
    except ValueError as error:
      raise peer.WrongDtype(f"{self.title}: {error}") from error
    return model.Answer(outputs, response.model_spec.version.value)

  def close(self):
    self._replicas.close()

  def _read_signatures(self):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = self._name
    try:
      response = self._replicas.call("GetModelMetadata", request)
    except peer.PeerNotPublished as error:
      raise peer.PeerNotPublished(
        f"{error} Is {self._name!r} the name under which it is served, and has its trainer published?"
      ) from error
    found = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(found)
    return {
      name: model.Signature(name, _tensors(signature.inputs), _tensors(signature.outputs))
      for name, signature in found.signature_def.items()
      if signature.inputs  # `__saved_model_init_op` has none
    }


def _tensors(infos):
  return {
    name: model.Tensor(
      tf.as_dtype(info.dtype).name,
      None if info.tensor_shape.unknown_rank else tuple(d.size for d in info.tensor_shape.dim),
    )
    for name, info in infos.items()
  }
