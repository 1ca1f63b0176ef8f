"""REST with JPEG: how many images a second one model server answers, and where the time goes.

  ./bazelw run //tools/benchmarks:rest_jpeg

One JPEG of 320 x 96 pixels a request, base64 in JSON as `serving_jpeg` takes it, to a small depth network;
the answer is 30,720 floats as JSON, or the same as 8-bit integers. Prints a table, and as its last line one
JSON object. The ways to ask take turns, so that a machine that speeds up or slows down meanwhile does so
for all.
"""

# bazel: deps=:rest_load :predict_client

import base64
import itertools
import json
import os
import re
import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving import json_document, json_output, json_tensor
from tools.benchmarks import predict_client, rest_load, served

_SIZE = (96, 320)
_TURNS_SECONDS = 9.0
_MOST_TURNS = 60
_CLIENTS = 4
_URL = "/v1/models/depth"


class _Depth(tf.Module):
  """A small convolutional network from encoded images to depth."""

  def __init__(self):
    super().__init__()
    channels = (3, 16, 32, 32, 1)
    self._kernels = [
      tf.Variable(tf.random.normal([3, 3, given, made], stddev=(2 / (9 * given)) ** 0.5))
      for given, made in itertools.pairwise(channels)
    ]

  def _run(self, image_bytes):
    images = tf.map_fn(
      lambda data: tf.io.decode_jpeg(data, 3), image_bytes, fn_output_signature=tf.uint8
    )
    x = tf.cast(tf.ensure_shape(images, [None, *_SIZE, 3]), tf.float32) / 255.0
    for kernel in self._kernels[:-1]:
      x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME"))
    x = tf.nn.softplus(tf.nn.conv2d(x, self._kernels[-1], 1, "SAME"))
    return tf.image.resize(x, _SIZE)

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
  def floats(self, image_bytes):
    """The serving signature."""
    return {"depth": self._run(image_bytes)}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
  def integers(self, image_bytes):
    """The same in 256 steps."""
    return {"depth": tf.cast(tf.clip_by_value(self._run(image_bytes) * 64.0, 0, 255), tf.uint8)}


def _jpeg() -> bytes:
  """A picture with the detail of a photograph: smooth, with some noise."""
  rng = np.random.default_rng(0)
  smooth = tf.image.resize(rng.random([12, 40, 3]) * 255.0, _SIZE, "bicubic")
  pixels = np.clip(smooth + rng.normal(size=[*_SIZE, 3]) * 6, 0, 255).astype(np.uint8)
  return tf.io.encode_jpeg(pixels, quality=90).numpy()


def _body(jpeg: bytes, signature: str) -> bytes:
  row = {"b64": base64.b64encode(jpeg).decode()}
  return json.dumps({"signature_name": signature, "instances": [row]}).encode()


def _grpc_request(jpeg: bytes) -> bytes:
  request = predict_pb2.PredictRequest()
  request.model_spec.name = "depth"
  request.model_spec.signature_name = "floats"
  request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([jpeg]))
  return request.SerializeToString()


def _rate(server: served.Server, body_file: str, clients: int) -> tuple[float, float]:
  """Answers per second to that many client processes, and the server's milliseconds of CPU for each."""
  arguments = [f"--port={server.rest_port}", f"--path={_URL}:predict", f"--body={body_file}"]
  before = sum(server.process.cpu_times()[:2])
  rate, calls = served.run_clients("rest_load", arguments, clients)
  return rate, (sum(server.process.cpu_times()[:2]) - before) / calls * 1e3


def _runtime_ms(port: int) -> float:
  """Mean time of the model's runs for REST requests, from the server's metrics."""
  text = rest_load.Client(port, "/monitoring/prometheus/metrics", None)().decode()
  name = ":tensorflow:serving:runtime_latency_"
  values = {}
  for kind in ("sum", "count"):
    found = re.search(rf'^{name}{kind}\{{[^}}]*API="predict"[^}}]*\}} (\S+)$', text, re.MULTILINE)
    values[kind] = float(found.group(1))
  return values["sum"] / values["count"] / 1e3


def _steps(body: bytes, answer: predict_pb2.PredictResponse) -> dict[str, Callable]:
  """What the server does to a request beside running the model, in this process."""

  def read() -> bytes:
    document = json_document.parse(body)
    return json_tensor.predict_request(b"", json_tensor.inputs(document, {"image_bytes": 7}))

  return {"read_json": read, "write_json": lambda: json_output.predictions(answer, True)}


def _measure(folder: str) -> dict:
  base_path = os.path.join(folder, "depth")
  network = _Depth()
  signatures = {"floats": network.floats, "integers": network.integers}
  tf.saved_model.save(network, os.path.join(base_path, "1"), signatures)
  jpeg = _jpeg()
  bodies = {name: _body(jpeg, name) for name in signatures}
  files = {name: os.path.join(folder, name) for name in signatures}
  for name, path in files.items():
    with open(path, "wb") as file:
      file.write(bodies[name])
  monitoring = os.path.join(folder, "monitoring")
  with open(monitoring, "w") as file:
    file.write("prometheus_config { enable: true }")
  flag = f"--monitoring_config_file={monitoring}"
  with served.server(folder, base_path, flag) as server:
    port = server.rest_port
    clients = {
      name: rest_load.Client(port, f"{_URL}:predict", body) for name, body in bodies.items()
    }
    grpc = predict_client.Client(server.address, _grpc_request(jpeg))
    answer = predict_pb2.PredictResponse.FromString(grpc())
    local = network.floats(tf.constant([jpeg]))["depth"].numpy()
    got = np.array(json.loads(clients["floats"]())["predictions"], np.float32)
    np.testing.assert_allclose(got, local, rtol=1e-4, atol=1e-4)
    sides = {
      "rest_floats": clients["floats"],
      "rest_integers": clients["integers"],
      "grpc_floats": grpc,
      "http_alone": rest_load.Client(port, "/healthz", None),
      "in_process": lambda: network.floats(tf.constant([jpeg]))["depth"].numpy(),
    }
    sides |= _steps(bodies["floats"], answer)
    times = served.milliseconds_in_turns(sides, _TURNS_SECONDS, _MOST_TURNS)
    times["model_run"] = [_runtime_ms(port)]
    rates = {
      f"{name}_{count}_clients": _rate(server, files[name], count)
      for name, count in (("floats", 1), ("floats", _CLIENTS), ("integers", _CLIENTS))
    }
    sizes = {name: len(client()) for name, client in clients.items()}
  return _report(times, rates, len(bodies["floats"]), sizes)


def _report(times: dict, rates: dict, request_bytes: int, sizes: dict[str, int]) -> dict:
  report = {
    "benchmark": "rest_jpeg",
    "value": round(rates[f"floats_{_CLIENTS}_clients"][0], 1),
    "unit": "requests/s",
    "meaning": f"{_CLIENTS} clients, each request one JPEG of 320 x 96 in base64 and JSON, each answer "
    "30,720 floats in JSON; higher is better. http_alone, read_json, model_run and write_json are the "
    "parts of rest_floats",
  }
  for name, values in times.items():
    report[f"{name}_p50_ms"] = round(statistics.median(values), 2)
  report["rest_floats_p99_ms"] = round(float(np.percentile(times["rest_floats"], 99)), 2)
  for name, (rate, cpu) in rates.items():
    report[f"per_second_{name}"] = round(rate, 1)
    report[f"server_cpu_ms_{name}"] = round(cpu, 2)
  report["request_bytes"] = request_bytes
  report |= {f"answer_bytes_{name}": size for name, size in sizes.items()}
  return report | {"cpus": os.cpu_count()}


if __name__ == "__main__":
  served.print_report(_measure)
