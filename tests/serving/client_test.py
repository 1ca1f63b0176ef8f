"""Tests of serving/client/ against the embedded server, and that it stays light."""

# bazel: size=medium

import contextlib
import os
import subprocess
import sys
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from serving.client import connection, errors, messages, model_client
from tests.serving import exports, server_process

_LIGHT = """
import sys
from serving.client import model_client
client = model_client.Client("127.0.0.1:1")
packages = {name.split(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(sorted(name for name in packages if not name.startswith("_")))
"""


class ClientTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    exports.export(os.path.join(folder, "00000123"))
    cls.server = cls.enterClassContext(
      server_process.Server(f"--model_base_path={folder}", "--model_name=default")
    ).wait_until_ready()
    cls.client = cls.enterClassContext(model_client.Client(cls.server.address))

  @parameterized.parameters(True, False)
  def test_predict(self, as_content):
    answer = self.client.predict("default", {"x": [[2.0], [4.0]]}, as_content=as_content)
    np.testing.assert_array_equal(answer["y"], np.float32([[3], [4]]))
    self.assertEqual((answer.model, answer.version, answer.versions), ("default", 123, (123,)))
    self.assertEqual((answer.signature, list(answer)), ("serving_default", ["y"]))
    self.assertGreater(answer.seconds, 0)

  @parameterized.parameters(True, False)
  def test_all_types(self, as_content):
    values = np.float32([0.5, -1.5, 3])
    answer = self.client.predict(
      "default", {"x": values}, signature="types", as_content=as_content
    ).outputs
    for name, value in answer.items():
      if name in ("float16", "float32", "float64", "bfloat16"):
        np.testing.assert_array_equal(value, values)
        self.assertEqual(value.dtype, "float32" if name == "bfloat16" else name)
      elif name.startswith(("int", "uint")):
        np.testing.assert_array_equal(
          value, np.abs(values).astype(name) if name[0] == "u" else values.astype(name)
        )
        self.assertEqual(value.dtype, name)
    self.assertEqual(answer["bool"].tolist(), [True, False, True])
    self.assertEqual(answer["string"].tolist(), [b"0.5", b"-1.5", b"3.0"])
    np.testing.assert_array_equal(answer["complex64"], values - 1j * values)
    self.assertLen(answer, 15)

  def test_servers_that_answer_in_fields_are_understood(self):
    with contextlib.ExitStack() as stack:
      stack.enter_context(absltest.mock.patch.object(connection, "_METADATA", ()))
      answer = self.client.predict("default", {"x": np.float32([0.5, -3])}, signature="types")
    for name in ("float16", "float32", "float64", "bfloat16"):
      np.testing.assert_array_equal(answer[name], [0.5, -3])
    self.assertEqual(answer["int64"].tolist(), [0, -3])

  def test_strings_and_wanted_outputs(self):
    answer = self.client.predict(
      "default", {"a": ["é", b"\x00"], "b": ["x", "y"]}, signature="join", outputs=["joined"]
    )
    self.assertEqual(answer["joined"].tolist(), ["éx".encode(), b"\x00y"])
    self.assertEqual(list(answer), ["joined"])

  def test_large_batches_are_split(self):
    values = np.arange(1003, dtype=np.float32)[:, np.newaxis]
    calls = []
    with absltest.mock.patch.object(
      connection.Connection, "call", autospec=True, side_effect=connection.Connection.call
    ) as call:
      answer = self.client.predict("default", {"x": values}, max_batch_size=100, parallel_calls=3)
      calls = call.call_args_list
    self.assertLen(calls, 11)
    np.testing.assert_array_equal(answer["y"], values * 0.5 + 2)
    whole = self.client.predict("default", {"x": values}, max_batch_size=1003)
    np.testing.assert_array_equal(whole["y"], answer["y"])
    none = self.client.predict("default", {"x": values[:0]}, max_batch_size=10)
    self.assertEqual(none["y"].shape, (0, 1))

  def test_answers_larger_than_grpcs_default(self):
    images = np.random.default_rng(0).integers(0, 255, [30000, 8, 8, 3], np.uint8)
    answer = self.client.predict("default", {"image": images}, signature="image", outputs=["sums"])
    self.assertGreater(answer["sums"].nbytes, 2**22)
    np.testing.assert_allclose(answer["sums"][7, 3, 3, 0], images[7, 2:5, 2:5].sum())

  def test_what_cannot_be_split(self):
    with self.assertRaisesRegex(ValueError, r"all have the same one. Shapes: {'a': \(1,\), 'b':"):
      self.client.predict(
        "default", {"a": ["x"], "b": ["x", "y"]}, signature="join", max_batch_size=1
      )
    with self.assertRaisesRegex(ValueError, "max_batch_size must be at least 1. Received: 0"):
      self.client.predict("default", {"x": [[1.0]]}, max_batch_size=0)

  def test_metadata(self):
    metadata = self.client.metadata("default")
    self.assertEqual((metadata.spec.name, metadata.spec.version), ("default", 123))
    self.assertContainsSubset(["serving_default", "image", "types"], metadata.signatures)
    image = metadata.signatures["image"]
    self.assertEqual(image.inputs, {"image": messages.TensorInfo("uint8", (-1, 8, 8, 3))})
    self.assertEqual(image.outputs["halves"], messages.TensorInfo("float16", (-1, 8, 8, 1)))
    self.assertEqual(image.method_name, "tensorflow/serving/predict")
    self.assertEqual(metadata.signatures["slow"].inputs["steps"].shape, ())
    self.assertEqual(metadata.signatures["join"].inputs["a"].dtype, "string")

  def test_status(self):
    (status,) = self.client.status("default")
    self.assertEqual(status, messages.VersionStatus(123, "AVAILABLE", "OK", ""))
    self.assertEqual(self.client.wait_until_available("default"), 123)

  @parameterized.named_parameters(
    ("model", "nope", {}, errors.NotFound, "NOT_FOUND", "Servable not found.*Latest.nope"),
    ("version", "default", {"version": 7}, errors.NotFound, "NOT_FOUND", "Specific.default, 7"),
    ("label", "default", {"label": "a"}, errors.InvalidRequest, "INVALID_ARGUMENT", "label: a"),
    (
      "signature", "default", {"signature": "s"},
      errors.InvalidRequest, "FAILED_PRECONDITION", 'Serving signature key "s" not found',
    ),
    (
      "output", "default", {"outputs": ["q"]},
      errors.InvalidRequest, "INVALID_ARGUMENT", "output tensor alias not found in signature: q",
    ),
  )  # fmt: skip
  def test_refusals(self, model, fields, kind, code, message):
    with self.assertRaisesRegex(kind, f"model '{model}' at 127.0.0.1:.*: {code}: .*") as caught:
      self.client.predict(model, {"x": [[1.0]]}, **fields)
    self.assertEqual(caught.exception.code, code)
    self.assertRegex(caught.exception.message, message)

  def test_wrong_dtype(self):
    with self.assertRaisesRegex(errors.InvalidRequest, "to be float but double is provided"):
      self.client.predict("default", {"x": np.float64([[1]])})

  def test_deadline(self):
    with self.assertRaises(errors.DeadlineExceeded) as caught:
      self.client.predict("default", {"steps": 10**9}, signature="slow", deadline_secs=0.2)
    self.assertEqual(caught.exception.code, "DEADLINE_EXCEEDED")

  def test_version_and_label_together(self):
    with self.assertRaisesRegex(ValueError, "version or a label, not both"):
      self.client.predict("default", {"x": [[1.0]]}, version=1, label="a")

  def test_import_is_light(self):
    found = subprocess.run(
      [sys.executable, "-c", _LIGHT],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
      capture_output=True,
      text=True,
      check=True,
    ).stdout
    modules = eval(found)
    self.assertContainsSubset(["grpc", "numpy", "serving"], modules)
    for name in ("tensorflow", "tensorflow_serving", "google", "keras", "absl", "tf_taskology"):
      self.assertNotIn(name, modules)


if __name__ == "__main__":
  absltest.main()
