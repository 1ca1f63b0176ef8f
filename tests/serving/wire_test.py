"""What goes over the wire: values, codes and messages, as TensorFlow Serving has them.

Runs against the embedded server, or against another one:

  SERVER_BINARY=/usr/bin/tensorflow_model_server ./bazelw test //tests/serving:wire_test \
    --test_env=SERVER_BINARY

Codes and messages: tensorflow/serving 2.15.1, servables/tensorflow/predict_util.cc,
model_servers/server_core.cc, get_model_status_impl.cc, servables/tensorflow/get_model_metadata_impl.cc.
"""

# bazel: size=medium

import os
import tempfile

import grpc
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from tensorflow_serving.apis import (
  get_model_metadata_pb2,
  get_model_status_pb2,
  session_service_pb2,
)

from tests.serving import exports, server_binary, server_process, wire_cases

_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_NOT_FOUND = grpc.StatusCode.NOT_FOUND


def _bad_proto():
  request = exports.request(x=np.float32([[2]]))
  request.inputs["x"].tensor_content = b"abc"
  return request


class WireTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    exports.export(os.path.join(folder, "00000123"))
    cls.server = cls.enterClassContext(
      server_process.Server(
        f"--model_base_path={folder}", "--model_name=default", binary=server_binary.FLAG.value
      )
    ).wait_until_ready()

  def _assert_fails(self, call, request, code, message):
    with self.assertRaises(grpc.RpcError) as caught:
      call(request)
    self.assertEqual(caught.exception.code(), code)
    self.assertEqual(caught.exception.details(), message)

  def test_predict_answers_in_the_field_of_the_type(self):
    response = self.server.predict(exports.request(x=np.float32([[2], [4]])))
    self.assertEqual(list(response.outputs["y"].float_val), [3.0, 4.0])
    self.assertEqual([dim.size for dim in response.outputs["y"].tensor_shape.dim], [2, 1])
    self.assertEqual(response.outputs["y"].dtype, tf.float32.as_datatype_enum)
    self.assertEmpty(response.outputs["y"].tensor_content)

  def test_response_names_model_version_and_signature(self):
    spec = self.server.predict(exports.request(x=np.float32([[2]]))).model_spec
    self.assertEqual(
      (spec.name, spec.version.value, spec.signature_name), ("default", 123, "serving_default")
    )

  @parameterized.parameters([[]], [[1]], [[3]], [[2, 1]], [[0, 1]], [[2, 2, 1]])
  def test_predict_leaves_shapes_to_the_model(self, shape):
    response = self.server.predict(exports.request(x=np.ones(shape, np.float32)))
    np.testing.assert_array_equal(
      tf.make_ndarray(response.outputs["y"]), np.full(shape, 2.5, np.float32)
    )

  @parameterized.parameters("float_val", "tensor_content", "broadcast")
  def test_predict_reads_every_form_of_an_input(self, form):
    request = exports.request(x=np.float32([[2], [2]]))
    proto = request.inputs["x"]
    proto.ClearField("tensor_content")
    proto.ClearField("float_val")
    if form == "tensor_content":
      proto.tensor_content = np.float32([2, 2]).tobytes()
    else:
      proto.float_val.extend([2.0, 2.0] if form == "float_val" else [2.0])
    self.assertEqual(list(self.server.predict(request).outputs["y"].float_val), [3.0, 3.0])

  def test_predict_runs_images(self):
    images = np.random.default_rng(0).integers(0, 256, [2, 8, 8, 3], np.uint8)
    response = self.server.predict(exports.request("image", image=images))
    sums = np.pad(images.sum(-1, dtype=np.int64), [(0, 0), (1, 1), (1, 1)])
    expected = sum(sums[:, y : y + 8, x : x + 8] for y in range(3) for x in range(3))
    np.testing.assert_array_equal(
      tf.make_ndarray(response.outputs["sums"])[..., 0], expected.astype(np.float32)
    )
    np.testing.assert_array_equal(
      tf.make_ndarray(response.outputs["halves"])[..., 0], (expected / 16).astype(np.float16)
    )

  def test_predict_sends_every_data_type(self):
    x = np.float32([0, 1, -1, 127, -128, 100, -3])
    response = self.server.predict(exports.request("types", x=x))
    for name, proto in response.outputs.items():
      got = tf.make_ndarray(proto)
      with self.subTest(name):
        self.assertEqual(proto.dtype, tf.as_dtype(name).as_datatype_enum)
        if name == "string":
          self.assertEqual(list(got), [f"{value:.1f}".encode() for value in x])
        elif name.startswith("uint"):
          np.testing.assert_array_equal(got.astype(np.float64), np.abs(x))
        elif name == "bool":
          np.testing.assert_array_equal(got, x > 0)
        elif name == "complex64":
          np.testing.assert_array_equal(got, x - 1j * x)
        else:
          np.testing.assert_array_equal(got.astype(np.float64), x)

  def test_predict_passes_strings(self):
    a = np.array([b"", b"short", b"\xff" * 30], object)
    b = np.array([b"", b"er than twenty-four bytes", b"\x00"], object)
    response = self.server.predict(exports.request("join", a=a, b=b))
    self.assertEqual(list(response.outputs["joined"].string_val), list(a + b))
    self.assertEqual(list(response.outputs["length"].int_val), [0, 30, 31])

  def test_predict_computes_only_the_outputs_asked_for(self):
    request = exports.request("image", image=np.zeros([1, 8, 8, 3], np.uint8))
    request.output_filter.append("sums")
    self.assertEqual(list(self.server.predict(request).outputs), ["sums"])

  @parameterized.named_parameters(*wire_cases.PREDICT_FAILURES)
  def test_predict_fails(self, request, code, message):
    self._assert_fails(self.server.predict, request, code, message)

  def test_predict_names_the_input_that_is_missing(self):
    with self.assertRaises(grpc.RpcError) as caught:
      self.server.predict(exports.request(z=np.float32(1)))
    self.assertEqual(caught.exception.code(), _INVALID)
    self.assertStartsWith(
      caught.exception.details(),
      "Signature input alias: x(feed name: serving_default_x:0) not found in request",
    )

  def test_predict_names_the_input_that_does_not_parse(self):
    self._assert_fails(self.server.predict, _bad_proto(), _INVALID, "tensor parsing error: x")

  def test_predict_reports_what_an_operation_complains_of(self):
    request = exports.request("image", image=np.zeros([1, 8, 8, 2], np.uint8))
    with self.assertRaises(grpc.RpcError) as caught:
      self.server.predict(request)
    self.assertEqual(caught.exception.code(), _INVALID)
    self.assertStartsWith(
      caught.exception.details(), "input depth must be evenly divisible by filter depth: 2 vs 3"
    )

  def test_metadata_has_all_signatures(self):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "default"
    response = self.server.metadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    self.assertTrue(response.metadata["signature_def"].Unpack(signatures))
    self.assertContainsSubset(
      ["serving_default", "image", "join", "__saved_model_init_op"], signatures.signature_def
    )
    y = signatures.signature_def["serving_default"].outputs["y"]
    self.assertEqual((y.dtype, [dim.size for dim in y.tensor_shape.dim]), (1, [-1, 1]))
    self.assertEqual(
      (response.model_spec.name, response.model_spec.version.value), ("default", 123)
    )
    self.assertEmpty(response.model_spec.signature_name)

  @parameterized.named_parameters(*wire_cases.METADATA_FAILURES)
  def test_metadata_fails(self, fields, name, code, message):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = name
    self._assert_fails(self.server.metadata, request, code, message)

  def test_status_lists_the_version(self):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "default"
    (status,) = self.server.status(request).model_version_status
    self.assertEqual((status.version, status.state), (123, server_process.AVAILABLE))
    self.assertTrue(status.HasField("status"))
    self.assertEqual(status.status.error_code, 0)

  def test_status_ignores_a_label(self):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "default"
    request.model_spec.version_label = "stable"
    self.assertLen(self.server.status(request).model_version_status, 1)

  def test_status_fails_for_unknown_model_and_version(self):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "nope"
    self._assert_fails(
      self.server.status, request, _NOT_FOUND, "Could not find any versions of model nope"
    )
    request.model_spec.name = "default"
    request.model_spec.version.value = 7
    self._assert_fails(
      self.server.status, request, _NOT_FOUND, "Could not find version 7 of model default"
    )
    request.Clear()
    self._assert_fails(self.server.status, request, _INVALID, "Missing ModelSpec")

  def test_session_service_is_not_there(self):
    call = self.server.channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")
    with self.assertRaises(grpc.RpcError) as caught:
      call(
        session_service_pb2.SessionRunRequest().SerializeToString(),
        timeout=server_process.CALL_SECONDS,
      )
    self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


if __name__ == "__main__":
  tf.test.main()
