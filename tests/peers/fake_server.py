"""A model server for tests that does as it is told, and a peer without any server."""

import concurrent.futures
import contextlib
import threading
import time

import grpc
import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
  get_model_metadata_pb2,
  predict_pb2,
  prediction_service_pb2_grpc,
)

from tf_taskology.peers import decoding, peer
from tf_taskology.tasks import task as task_lib

DEPTH = {"depth": task_lib.Output(channels=1, unit="metres along the optical axis", missing=0.0)}


class FakeServer(prediction_service_pb2_grpc.PredictionServiceServicer):
  """Answers depth = mean of each image, everywhere, at 2x3 pixels.

  Attributes:
    failures: status codes to answer with first, one per request.
    delay: request number -> seconds.
    version: of the answers.
    arrays: image [n, h, w, 3] -> {tensor name: array}; replace it for other models.
    signature: SignatureDef inputs and outputs, {name: (dtype, shape)}.
    requests: the requests received.
  """

  def __init__(self):
    self.failures = []
    self.details = "told to fail"
    self.delay = lambda number: 0.0
    self.version = 7
    self.published_at = 1000.0
    self.as_proto = decoding.to_proto
    self.arrays = self._depth
    self.input_name = "image"
    self.signature_name = "peer"
    self.inputs = {"image": (types_pb2.DT_UINT8, [-1, -1, -1, 3])}
    self.outputs = {
      "depth": (types_pb2.DT_HALF, [-1, 2, 3, 1]),
      "step": (types_pb2.DT_INT64, [-1]),
      "published_at": (types_pb2.DT_DOUBLE, [-1]),
    }
    self.requests = []
    self._lock = threading.Lock()

  def Predict(self, request, context):
    with self._lock:
      number = len(self.requests)
      self.requests.append(request)
      failure = self.failures.pop(0) if self.failures else None
    time.sleep(self.delay(number))
    if failure is not None:
      context.abort(failure, self.details)
    image = decoding.to_array(request.inputs[self.input_name])
    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = self.version
    for name, array in self.arrays(image).items():
      response.outputs[name].CopyFrom(self.as_proto(array))
    return response

  def GetModelMetadata(self, request, context):
    with self._lock:
      self.requests.append(request)
      failure = self.failures.pop(0) if self.failures else None
    if failure is not None:
      context.abort(failure, self.details)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def[self.signature_name]
    for field, tensors in ((signature.inputs, self.inputs), (signature.outputs, self.outputs)):
      for name, (dtype, shape) in tensors.items():
        field[name].dtype = dtype
        for size in shape:
          field[name].tensor_shape.dim.add(size=size)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    return response

  def _depth(self, image):
    means = image.reshape(len(image), -1).mean(axis=1)
    return {
      "depth": np.tile(means[:, None, None, None], [1, 2, 3, 1]).astype(np.float16),
      "step": np.full(len(image), self.version, np.int64),
      "published_at": np.full(len(image), self.published_at, np.float64),
    }


@contextlib.contextmanager
def serving(servicer, port=0, credentials=None):
  """Starts the servicer; gives its address."""
  server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
  prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
  address = f"127.0.0.1:{port}"
  if credentials is None:
    port = server.add_insecure_port(address)
  else:
    port = server.add_secure_port(address, credentials)
  server.start()
  try:
    yield f"127.0.0.1:{port}"
  finally:
    server.stop(None).wait()


class FakePeer(peer.Peer):
  """Answers depth = mean of each image, at `size`; `script` holds what to do first, per request.

  Args:
    script: PeerErrors to raise, or numbers: publish times of the answers.
    delay: request number -> seconds; or it may block by itself, and give None.
  """

  def __init__(self, name="depth", script=(), delay=lambda number: 0.0, size=(2, 3), outputs=None):
    self.name = name
    self.outputs = outputs or DEPTH
    self.target = "nowhere"
    self.script = list(script)
    self.published_at = time.time()
    self.num_requests = self.num_answers = self.num_running = self.max_running = 0
    self.closed = False
    self._delay = delay
    self._size = size
    self._lock = threading.Lock()

  def predict(self, inputs):
    with self._lock:
      number = self.num_requests
      self.num_requests += 1
      self.num_running += 1
      self.max_running = max(self.max_running, self.num_running)
      event = self.script.pop(0) if self.script else self.published_at
    time.sleep(self._delay(number) or 0.0)
    with self._lock:
      self.num_running -= 1
      self.num_answers += 1
    if isinstance(event, Exception):
      raise event
    image = inputs["image"]
    means = image.reshape(len(image), -1).mean(axis=1).astype(np.float32)
    return peer.Answer(
      predictions={
        name: np.tile(means[:, None, None, None], [1, *self._size, output.channels])
        for name, output in self.outputs.items()
      },
      step=np.arange(len(image)) + 100,
      published_at=np.full(len(image), float(event)),
      version=3,
      num_bytes=10,
      seconds=0.5,
    )

  def check(self):
    pass

  def close(self):
    self.closed = True
