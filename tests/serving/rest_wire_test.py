"""What REST says: values, statuses and messages, as TensorFlow Serving has them.

Runs against the embedded server, or against another one:

  SERVER_BINARY=/usr/bin/tensorflow_model_server ./bazelw test //tests/serving:rest_wire_test \
    --test_env=SERVER_BINARY
"""

# bazel: size=medium

import base64
import gzip
import json
import math
import os
import tempfile

import grpc
import numpy as np
import tensorflow as tf
from absl import flags
from absl.testing import parameterized

from tests.serving import rest_cases, rest_client, rest_exports, rest_predict_cases

_SERVER_BINARY = flags.DEFINE_string(
  "server_binary",
  os.environ.get("SERVER_BINARY"),
  "Program to test; the embedded server if not given.",
)
_URL = "/v1/models/default"
_INTEGERS = [name for name in rest_exports.ECHOED if "int" in name]


class RestWireTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    rest_exports.export(os.path.join(folder, "00000123"))
    monitoring = os.path.join(folder, "monitoring")
    with open(monitoring, "w") as file:
      file.write('prometheus_config { enable: true path: "/metrics" }')
    cls.server = cls.enterClassContext(
      rest_client.Server(
        f"--model_base_path={folder}",
        "--model_name=default",
        f"--monitoring_config_file={monitoring}",
        "--rest_api_enable_cors_support=true",
        binary=_SERVER_BINARY.value,
      )
    ).wait_until_ready()

  def _predict(self, document, signature="", **options):
    if signature:
      document = {"signature_name": signature} | document
    return self.server.call("POST", f"{_URL}:predict", document, **options)

  def _assert_fails(self, reply, status, message):
    self.assertEqual((reply.error, reply.status), (message, status))
    self.assertEqual(reply.headers["content-type"], "application/json")
    self.assertEqual(reply.json, {"error": message})
    self.assertStartsWith(reply.body, b'{\n    "error": "')

  def test_rows_of_one_input(self):
    reply = self._predict({"instances": [1.0, 2.5, 0.1]})
    self.assertEqual(reply.status, 200, reply.body)
    self.assertEqual(reply.headers["content-type"], "application/json")
    self.assertEqual(reply.body, b'{\n    "predictions": [1.0, 2.5, 0.1\n    ]\n}')

  def test_rows_of_objects_and_of_base64(self):
    rows = [{"x": [1, 2]}, {"x": [3, 4]}]
    self.assertEqual(self._predict({"instances": rows}).json, {"predictions": [[1, 2], [3, 4]]})
    rows = ["a", {"b64": base64.b64encode(b"b\x00").decode()}]
    reply = self._predict({"instances": rows}, "echo_string")
    self.assertEqual(reply.json, {"predictions": ["a", "b\x00"]})

  @parameterized.parameters([1.5], [[1.5, 2]], [[[1], [2]]], [[]], [[[], []]])
  def test_columns_of_one_input(self, value):
    self.assertEqual(self._predict({"inputs": value}).json, {"outputs": value})
    self.assertEqual(self._predict({"inputs": {"x": value}}).json, {"outputs": value})

  def test_several_inputs_and_outputs(self):
    rows = [{"text": "a", "pair": [1, 2]}, {"pair": [3.5, 4], "text": "ü"}]
    self.assertEqual(
      self._predict({"instances": rows}, "named").json["predictions"],
      [
        {"raw_bytes": {"b64": "YSE="}, "sum": 3.0, "text": "a"},
        {"raw_bytes": {"b64": "w7wh"}, "sum": 7.5, "text": "ü"},
      ],
    )
    columns = {"text": ["a"], "pair": [[1, 2]], "ignored": 5}
    self.assertEqual(
      self._predict({"inputs": columns}, "named").json["outputs"],
      {"raw_bytes": [{"b64": "YSE="}], "sum": [3.0], "text": ["a"]},
    )

  @parameterized.parameters(*_INTEGERS)
  def test_integers(self, name):
    limits = np.iinfo(name)
    values = [[0, 1], [limits.min, limits.max]]
    reply = self._predict({"inputs": values}, f"echo_{name}")
    self.assertEqual(reply.json["outputs"], values)

  def test_booleans(self):
    values = [[True, False], [False, True]]
    self.assertEqual(self._predict({"inputs": values}, "echo_bool").json["outputs"], values)
    self.assertEqual(self._predict({"instances": values}, "echo_bool").json["predictions"], values)

  def test_floats_come_back_as_they_were(self):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, 3000, np.uint32).view(np.float32)
    values = values[np.isfinite(values)].tolist()
    self.assertEqual(self._predict({"inputs": values}).json["outputs"], [*map(_as_float, values)])
    doubles = rng.integers(0, 2**64, 1000, np.uint64).view(np.float64)
    doubles = doubles[np.isfinite(doubles)].tolist()
    self.assertEqual(self._predict({"inputs": doubles}, "echo_double").json["outputs"], doubles)

  @parameterized.parameters(
    (0.1, "0.1"),
    (1, "1.0"),
    (123456, "123456.0"),
    (1e6, "1e+06"),
    (16777215, "16777215.0"),
    (0.333333343267440796, "0.333333343"),
    (3e-5, "3e-05"),
    (-0.0, "-0.0"),
  )
  def test_float_texts(self, value, text):
    self.assertEqual(
      self._predict({"instances": [value]}).body.split(b"[")[1].split()[0], text.encode()
    )

  def test_not_a_number_and_infinity_both_ways(self):
    reply = self._predict('{"instances": [NaN, Infinity, -Infinity, 1]}')
    self.assertEqual(reply.body, b'{\n    "predictions": [NaN, Infinity, -Infinity, 1.0\n    ]\n}')

  def test_strings_of_any_bytes(self):
    text = '{"signature_name": "echo_string", "instances": ["\\u00fc \\ud83d\\ude00 \\" \\n", "ü"]}'
    reply = self._predict(text)
    self.assertEqual(reply.json["predictions"], ['ü 😀 " \n', "ü"])
    raw = b'{"signature_name": "echo_string", "instances": ["\xff\xfe"]}'
    self.assertIn(b'["\xff\xfe"', self._predict(raw).body)

  def test_classify_and_regress(self):
    examples = {"examples": [{"x": 1.0}, {"x": [2.5]}, {}]}
    reply = self.server.call("POST", f"{_URL}:classify", {"signature_name": "classify"} | examples)
    pairs = [[["a", 1.0], ["b", 2.0]], [["a", 2.5], ["b", 5.0]], [["a", 0.5], ["b", 1.0]]]
    self.assertEqual(reply.json, {"results": pairs})
    reply = self.server.call("POST", f"{_URL}:regress", {"signature_name": "regress"} | examples)
    self.assertEqual(reply.json, {"results": [2.0, 5.0, 1.0]})

  def test_examples_share_their_context(self):
    document = {"signature_name": "regress", "context": {"x": 4.0}, "examples": [{}, {}]}
    reply = self.server.call("POST", f"{_URL}:regress", document)
    self.assertEqual(reply.json, {"results": [8.0, 8.0]})

  @parameterized.named_parameters(*rest_cases.EXAMPLE_FAILURES)
  def test_examples_fail(self, document, message):
    reply = self.server.call("POST", f"{_URL}:classify", document)
    self._assert_fails(reply, 400, message)

  @parameterized.named_parameters(*rest_predict_cases.PREDICT_FAILURES)
  def test_predict_fails(self, signature, document, status, message):
    self._assert_fails(self._predict(document, signature), status, message)

  @parameterized.named_parameters(*rest_cases.PARSE_FAILURES)
  def test_parse_fails(self, body, message):
    self._assert_fails(self._predict(body), 400, message)

  @parameterized.named_parameters(*rest_cases.URL_FAILURES)
  def test_url_fails(self, method, path, status, message):
    body = {"instances": [1]} if method == "POST" else None
    self._assert_fails(self.server.call(method, path, body), status, message)

  def test_too_big_a_number_is_no_json(self):
    for number in ("1e999", "-1e999", "1" * 400, "1" * 5000):
      reply = self._predict(f'{{"inputs": [{number}]}}')
      self.assertStartsWith(reply.error, "JSON Parse error: Number too big to be stored in double.")
      self.assertEqual(reply.status, 400)

  @parameterized.parameters(
    f"{_URL}/versions/123",
    "/V1/Models/default/VERSIONS/00123",
    "/v1/models/d%65fault/versions/123",
  )
  def test_urls_of_a_version(self, path):
    reply = self.server.call("POST", f"{path}:predict", {"instances": [1.0]})
    self.assertEqual(reply.json, {"predictions": [1.0]})
    self.assertEqual(self.server.call("GET", path).status, 200)
    self.assertEqual(self.server.call("GET", f"{path}/metadata").status, 200)

  def test_status(self):
    status = {"version": "123", "state": "AVAILABLE"}
    status["status"] = {"error_code": "OK", "error_message": ""}
    expected = {"model_version_status": [status]}
    for path in (_URL, f"{_URL}/versions/123", f"{_URL}?x=y"):
      self.assertEqual(self.server.call("GET", path).json, expected)

  def test_metadata(self):
    reply = self.server.call("GET", f"{_URL}/metadata")
    spec = {"name": "default", "signature_name": "", "version": "123"}
    self.assertEqual(reply.json["model_spec"], spec)
    signatures = reply.json["metadata"]["signature_def"]["signature_def"]
    x = signatures["serving_default"]["inputs"]["x"]
    self.assertEqual(x["dtype"], "DT_FLOAT")
    self.assertEqual(x["tensor_shape"], {"dim": [], "unknown_rank": True})
    self.assertEqual(signatures["named"]["method_name"], "tensorflow/serving/predict")
    self.assertContainsSubset(["classify", "named", "serving_default"], signatures)

  def test_other_paths_are_not_found(self):
    for path in ("/", "/v2/models/default", "/v1"):
      reply = self.server.call("GET", path)
      self.assertEqual((reply.status, reply.headers["content-type"]), (404, "text/html"))
      self.assertIn(b"<TITLE>404 Not Found</TITLE>", reply.body)

  def test_compressed_request(self):
    body = gzip.compress(json.dumps({"instances": [1.5]}).encode())
    reply = self._predict(body, headers={"Content-Encoding": "gzip"})
    self.assertEqual(reply.json, {"predictions": [1.5]})

  def test_preflight(self):
    reply = self.server.call("OPTIONS", f"{_URL}:predict", headers={"Origin": "http://a.example"})
    self.assertEqual(reply.status, 200)
    self.assertEqual(reply.headers["access-control-allow-origin"], "*")
    self.assertEqual(reply.headers["access-control-allow-methods"], "POST, GET")
    self.assertEqual(reply.headers["access-control-allow-headers"], "Content-Type")
    reply = self.server.call("OPTIONS", f"{_URL}:predict")
    self.assertEqual(reply.status, 400)

  def test_answers_allow_other_origins(self):
    reply = self._predict({"instances": [1.5]})
    self.assertEqual(reply.headers["access-control-allow-origin"], "*")

  def test_metrics(self):
    before = self._count("OK"), self._count("INVALID_ARGUMENT")
    self._predict({"instances": [1.5]})
    self._predict({"instances": ["x"]})
    self._predict("no JSON")
    self.assertEqual(self._count("OK"), before[0] + 1)
    self.assertEqual(self._count("INVALID_ARGUMENT"), before[1] + 2)
    reply = self.server.call("GET", "/metrics")
    self.assertStartsWith(reply.headers["content-type"], "text/plain")
    self.assertIn(b"# TYPE :tensorflow:serving:request_count counter\n", reply.body)
    latency = b':tensorflow:serving:request_latency_bucket{model_name="default",API="predict",'
    self.assertIn(latency + b'entrypoint="REST",le="10"} ', reply.body)
    # The graph's own time is named as over gRPC.
    runtime = b':tensorflow:serving:runtime_latency_count{model_name="default",API="Predict",'
    self.assertIn(runtime + b'runtime="TF1"} ', reply.body)

  def _count(self, status):
    """Requests to the model that ended with a status."""
    name = f':tensorflow:serving:request_count{{model_name="default",status="{status}"}} '
    lines = self.server.call("GET", "/metrics").body.decode().splitlines()
    return sum(int(line.removeprefix(name)) for line in lines if line.startswith(name))

  def test_grpc_is_served_beside(self):
    self.assertEqual(self.server.states(), {123: 30})
    with self.assertRaises(grpc.RpcError):
      self.server.channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")(b"")


def _as_float(value: float) -> float:
  """The number that a float's nine digits stand for."""
  text = f"{value:.6g}"
  if np.float32(text) != np.float32(value):
    text = f"{value:.9g}"
  return math.copysign(float(text), value)


if __name__ == "__main__":
  tf.test.main()
