"""How much slower a network is when the model server runs it than when this process does.

  ./bazelw run //tools/benchmarks:model_server

Prints a table, and as its last line one JSON object. The two sides take turns, so that a machine that
speeds up or slows down meanwhile does so for both. Answers are decoded to numpy as trainers do it.
Besides depth, the same network answers with 19 classes in the forms that a peer may send them in:
what they cost is mostly a matter of bytes.
"""

# bazel: deps=:predict_client

import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tf_taskology.peers import decoding
from tools.benchmarks import predict_client, served

_SHAPE = (8, 96, 320, 3)
_OUTPUT = "answer"
_MOST_TURNS = 30
_TURNS_SECONDS = 20.0  # no turn begins after that
_LOCAL_SECONDS = 3.0
_RATE_TURNS = 7
_CLIENTS = 4
_CLASSES = 19
_KINDS = ("logits", "logits_half", "logits_own_resolution", "labels")


class _Network(tf.Module):
  """A convolutional encoder and decoder with heads for depth and classes; 30 to 40 ms on 2 cores."""

  _ENCODER = (56, 112, 224, 224)  # channels; each halves the resolution
  _DECODER = (224, 112, 56)  # the last one answers at half the image's resolution

  def __init__(self):
    super().__init__()
    channels = [3, *self._ENCODER, *self._DECODER]
    self._kernels = [self._kernel(given, made) for given, made in itertools.pairwise(channels)]
    self._depth = self._kernel(channels[-1], 1)
    self._classes = self._kernel(channels[-1], _CLASSES)

  def _kernel(self, given: int, made: int) -> tf.Variable:
    return tf.Variable(tf.random.normal([3, 3, given, made], stddev=(2 / (9 * given)) ** 0.5))

  def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
    """Name to function: uint8 [N, H, W, 3] -> depth float32 [N, H, W, 1], or a kind of classes."""
    resized = lambda x: tf.image.resize(x, _SHAPE[1:3])
    half = lambda x: tf.cast(x, tf.float16)
    heads = {
      "serving_default": lambda x: tf.nn.softplus(resized(_conv(x, self._depth))),
      "logits": lambda x: resized(_conv(x, self._classes)),
      "logits_half": lambda x: half(resized(_conv(x, self._classes))),
      "logits_own_resolution": lambda x: half(_conv(x, self._classes)),
      "labels": lambda x: tf.cast(tf.argmax(resized(_conv(x, self._classes)), -1), tf.uint8),
    }
    spec = [tf.TensorSpec([None, *_SHAPE[1:]], tf.uint8, name="image")]

    def made(head):
      return tf.function(lambda image: {_OUTPUT: head(self._trunk(image))}, input_signature=spec)

    return {name: made(head) for name, head in heads.items()}

  def _trunk(self, image):
    x = tf.cast(image, tf.float32) / 255.0
    levels = len(self._ENCODER)
    for kernel in self._kernels[:levels]:
      x = tf.nn.relu(_conv(x, kernel, 2))
    for kernel in self._kernels[levels:]:
      x = tf.image.resize(tf.nn.relu(_conv(x, kernel)), tf.shape(x)[1:3] * 2)
    return x


def _conv(x, kernel, stride=1):
  return tf.nn.conv2d(x, kernel, stride, "SAME")


def _request(images: np.ndarray, signature: str = "") -> bytes:
  request = predict_pb2.PredictRequest()
  request.model_spec.name = "depth"
  request.model_spec.signature_name = signature
  request.inputs["image"].CopyFrom(decoding.to_proto(images))
  return request.SerializeToString()


def _decoded(answer: bytes) -> np.ndarray:
  response = predict_pb2.PredictResponse.FromString(answer)
  return decoding.to_array(response.outputs[_OUTPUT])


def _local_rate(call: Callable, threads: int) -> float:
  """Calls per second in this process from that many threads."""
  counts = [0] * threads
  end = time.monotonic() + _LOCAL_SECONDS

  def work(index: int) -> None:
    while time.monotonic() < end:
      call()
      counts[index] += 1

  workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
  begin = time.monotonic()
  for worker in workers:
    worker.start()
  for worker in workers:
    worker.join()
  return sum(counts) / (time.monotonic() - begin)


def _measure(folder: str) -> dict:
  base_path = os.path.join(folder, "depth")
  network = _Network()
  network.functions = network.signatures()
  tf.saved_model.save(network, os.path.join(base_path, "1"), network.functions)
  images = np.random.default_rng(0).integers(0, 256, _SHAPE, np.uint8)
  request = _request(images)
  request_file = os.path.join(folder, "request")
  with open(request_file, "wb") as file:
    file.write(request)

  def local() -> np.ndarray:
    return network.functions["serving_default"](tf.constant(images))[_OUTPUT].numpy()

  with served.server(folder, base_path) as server:
    address = server.address
    content = predict_client.Client(address, request)
    fields = predict_client.Client(address, request, as_content=False)
    kinds = {kind: predict_client.Client(address, _request(images, kind)) for kind in _KINDS}
    np.testing.assert_allclose(_decoded(content()), local(), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(_decoded(content()), _decoded(fields()))
    sides = {
      "in_process": local,
      "served": lambda: _decoded(content()),
      "served_float_val": lambda: _decoded(fields()),
    }
    for kind, client in kinds.items():
      sides[kind] = lambda client=client: _decoded(client())
    times = served.milliseconds_in_turns(sides, _TURNS_SECONDS, _MOST_TURNS)
    rates = {
      f"{clients}_clients": _rates(local, address, request_file, clients)
      for clients in (1, _CLIENTS)
    }
    sizes = {"request": len(request), "served": len(content())}
    sizes |= {kind: len(client()) for kind, client in kinds.items()}
  return _report(times, rates, sizes)


def _rates(
  local: Callable, address: str, request_file: str, clients: int
) -> list[tuple[float, float]]:
  """Calls per second in this process and of clients, as many in both, in turns."""
  arguments = [f"--address={address}", f"--request={request_file}"]
  turns = [
    (_local_rate(local, clients), served.run_clients("predict_client", arguments, clients)[0])
    for _ in range(_RATE_TURNS + 1)
  ]
  return turns[1:]  # in the first, the server's memory grows to what so many clients need


def _report(times: dict, rates: dict, sizes: dict) -> dict:
  p50 = {name: statistics.median(values) for name, values in times.items()}
  report = {
    "benchmark": "model_server",
    "value": round(p50["served"] / p50["in_process"], 3),
    "unit": "ratio",
    "meaning": "p50 of Predict (uint8 [8,96,320,3] -> float32 [8,96,320,1], tensor_content, decoded "
    "to numpy) over p50 of the same tf.function in this process; lower is better",
    "target": "<= 1.10 where in_process_p50_ms is 30 or more",
    "p10_ratio": round(_p10(times["served"]) / _p10(times["in_process"]), 3),
    "call_cost_ms": round(p50["served"] - p50["in_process"], 2),
    "call_cost_p10_ms": round(_p10(times["served"]) - _p10(times["in_process"]), 2),
    "float_val_ratio": round(p50["served_float_val"] / p50["in_process"], 3),
  }
  for name, values in times.items():
    report[f"{name}_p50_ms"] = round(p50[name], 2)
    report[f"{name}_p99_ms"] = round(float(np.percentile(values, 99)), 2)
  for name, turns in rates.items():
    ratios = [served_rate / local_rate for local_rate, served_rate in turns]
    report[f"served_per_second_{name}"] = round(statistics.median(rate for _, rate in turns), 1)
    report[f"throughput_ratio_{name}"] = round(statistics.median(ratios), 3)
    report[f"throughput_ratio_{name}_range"] = [round(min(ratios), 3), round(max(ratios), 3)]
  report |= {f"{name}_bytes": size for name, size in sizes.items()}
  report["cpus"] = os.cpu_count()
  return report


def _p10(values: list[float]) -> float:
  """The tenth percentile: what a call takes while other programs leave the machine alone."""
  return float(np.percentile(values, 10))


if __name__ == "__main__":
  served.print_report(_measure)
