"""How much slower a depth network is when the model server runs it than when this process does.

  ./bazelw run //tools/benchmarks:model_server

Prints a table, and as its last line one JSON object. The two sides take turns, so that a machine that
speeds up or slows down meanwhile does so for both. Answers are decoded to numpy as trainers do it.
"""

# bazel: deps=//serving:model_server :predict_client

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tf_taskology.peers import decoding
from tools.benchmarks import predict_client

_SHAPE = (8, 96, 320, 3)
_MOST_TURNS = 30
_TURNS_SECONDS = 14.0  # no turn begins after that
_CALLS_A_TURN = 4  # the first of which is not counted: caches hold the other side's data
_THROUGHPUT_SECONDS = 3.0
_START_SECONDS = 2.0  # for client processes to be ready
_CLIENTS = 4


class _Depth(tf.Module):
  """A convolutional encoder and decoder: uint8 [N, H, W, 3] -> depth float32 [N, H, W, 1]."""

  _ENCODER = (32, 64, 128, 128)  # channels; each halves the resolution
  _DECODER = (128, 64, 32)

  def __init__(self):
    super().__init__()
    channels = [3, *self._ENCODER, *self._DECODER]
    self._kernels = [self._kernel(given, made) for given, made in itertools.pairwise(channels)]
    self._last = self._kernel(channels[-1], 1)

  def _kernel(self, given: int, made: int) -> tf.Variable:
    return tf.Variable(tf.random.normal([3, 3, given, made], stddev=(2 / (9 * given)) ** 0.5))

  @tf.function(input_signature=[tf.TensorSpec([None, *_SHAPE[1:]], tf.uint8, name="image")])
  def predict(self, image):
    """The serving signature."""
    x = tf.cast(image, tf.float32) / 255.0
    levels = len(self._ENCODER)
    for kernel in self._kernels[:levels]:
      x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME"))
    for kernel in self._kernels[levels:]:
      x = tf.image.resize(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")), tf.shape(x)[1:3] * 2)
    x = tf.image.resize(tf.nn.conv2d(x, self._last, 1, "SAME"), _SHAPE[1:3])
    return {"depth": tf.nn.softplus(x)}


@contextlib.contextmanager
def _server(folder: str, base_path: str) -> Iterator[str]:
  """A model server process for a `with` block; gives its address."""
  port_file = os.path.join(folder, "port")
  command = [sys.executable, "-m", "serving.model_server", "--port=auto"]
  command += [f"--port_file={port_file}", "--model_name=depth", f"--model_base_path={base_path}"]
  process = subprocess.Popen(command, env=_environment())
  try:
    while not os.path.exists(port_file):
      if process.poll() is not None:
        raise RuntimeError(f"The model server ended with status {process.returncode}.")
      time.sleep(0.02)
    with open(port_file) as file:
      yield f"127.0.0.1:{file.read().strip()}"
  finally:
    process.terminate()
    process.wait()


def _environment() -> dict[str, str]:
  return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _request(images: np.ndarray) -> bytes:
  request = predict_pb2.PredictRequest()
  request.model_spec.name = "depth"
  request.inputs["image"].CopyFrom(decoding.to_proto(images))
  return request.SerializeToString()


def _decoded(answer: bytes) -> np.ndarray:
  response = predict_pb2.PredictResponse.FromString(answer)
  return decoding.to_array(response.outputs["depth"])


def _milliseconds_in_turns(sides: dict[str, Callable]) -> dict[str, list[float]]:
  """Times the calls of each side; the sides take turns."""
  times = {name: [] for name in sides}
  end = time.monotonic() + _TURNS_SECONDS
  for turn in range(_MOST_TURNS + 1):
    if turn > 1 and time.monotonic() > end:
      break
    for name, call in sides.items():
      for number in range(_CALLS_A_TURN):
        begin = time.perf_counter()
        call()
        if turn and number:
          times[name].append((time.perf_counter() - begin) * 1e3)
  return times


def _served_rate(address: str, request_file: str, clients: int) -> float:
  """Answers per second to that many client processes."""
  command = [sys.executable, "-m", "tools.benchmarks.predict_client", f"--address={address}"]
  command += [f"--request={request_file}", f"--start_at={time.time() + _START_SECONDS}"]
  command += [f"--seconds={_THROUGHPUT_SECONDS}"]
  processes = [
    subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, text=True)
    for _ in range(clients)
  ]
  results = [json.loads(process.communicate()[0]) for process in processes]
  return sum(result["calls"] / result["seconds"] for result in results)


def _local_rate(call: Callable, threads: int) -> float:
  """Calls per second in this process from that many threads."""
  counts = [0] * threads
  end = time.monotonic() + _THROUGHPUT_SECONDS

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
  network = _Depth()
  tf.saved_model.save(network, os.path.join(base_path, "1"), {"serving_default": network.predict})
  images = np.random.default_rng(0).integers(0, 256, _SHAPE, np.uint8)
  request = _request(images)
  request_file = os.path.join(folder, "request")
  with open(request_file, "wb") as file:
    file.write(request)

  def local() -> np.ndarray:
    return network.predict(tf.constant(images))["depth"].numpy()

  with _server(folder, base_path) as address:
    content = predict_client.Client(address, request)
    fields = predict_client.Client(address, request, as_content=False)
    np.testing.assert_allclose(_decoded(content()), local(), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(_decoded(content()), _decoded(fields()))
    times = _milliseconds_in_turns(
      {
        "in_process": local,
        "served": lambda: _decoded(content()),
        "served_float_val": lambda: _decoded(fields()),
      }
    )
    rates = {}
    for clients in (1, _CLIENTS):
      rates[clients] = (_local_rate(local, clients), _served_rate(address, request_file, clients))
    return _report(times, rates, len(request), len(content()))


def _report(times: dict, rates: dict, request_bytes: int, answer_bytes: int) -> dict:
  p50 = {name: statistics.median(values) for name, values in times.items()}
  report = {
    "benchmark": "model_server",
    "value": round(p50["served"] / p50["in_process"], 3),
    "unit": "ratio",
    "meaning": "p50 of Predict (uint8 [8,96,320,3] -> float32 [8,96,320,1], tensor_content, decoded "
    "to numpy) over p50 of the same tf.function in this process; lower is better",
    "target": "<= 1.25",
    "p10_ratio": round(_p10(times["served"]) / _p10(times["in_process"]), 3),
    "float_val_ratio": round(p50["served_float_val"] / p50["in_process"], 3),
  }
  for name, values in times.items():
    report[f"{name}_p50_ms"] = round(p50[name], 2)
    report[f"{name}_p99_ms"] = round(float(np.percentile(values, 99)), 2)
  for clients, (local, served) in rates.items():
    report[f"served_per_second_{clients}_clients"] = round(served, 1)
    report[f"throughput_ratio_{clients}_clients"] = round(served / local, 3)
  report |= {"request_bytes": request_bytes, "answer_bytes": answer_bytes, "cpus": os.cpu_count()}
  return report


def _p10(values: list[float]) -> float:
  """The tenth percentile: what a call takes while other programs leave the machine alone."""
  return float(np.percentile(values, 10))


def main() -> None:
  with tempfile.TemporaryDirectory() as folder:
    report = _measure(folder)
  for name, value in report.items():
    print(f"{name:30} {value}", file=sys.stderr)
  print(json.dumps(report))


if __name__ == "__main__":
  main()
