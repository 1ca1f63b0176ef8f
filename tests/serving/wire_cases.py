"""Requests that fail, with the codes and messages of TensorFlow Serving 2.15.1.

Sources: tensorflow/serving, servables/tensorflow/predict_util.cc, model_servers/server_core.cc,
servables/tensorflow/get_model_metadata_impl.cc.
"""

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from tests.serving import exports

_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
_NOT_FOUND = grpc.StatusCode.NOT_FOUND


def _with_output_filter(*aliases):
  request = exports.request(x=np.float32([[2]]))
  request.output_filter.extend(aliases)
  return request


def _with_spec(**spec):
  request = exports.request(x=np.float32([[2]]))
  request.model_spec.name = spec.get("name", "default")
  if "version" in spec:
    request.model_spec.version.value = spec["version"]
  if "label" in spec:
    request.model_spec.version_label = spec["label"]
  return request


# name, request, code, message
PREDICT_FAILURES = (
  (
    "unknown_signature",
    exports.request("nope", x=np.float32(1)),
    _PRECONDITION,
    'Serving signature key "nope" not found.',
  ),
  (
    "long_message",
    exports.request("n" * 2000, x=np.float32(1)),
    _PRECONDITION,
    f'Serving signature key "{"n" * 1001}...TRUNCATED',
  ),
  (
    "no_input",
    exports.request(),
    _INVALID,
    "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. "
    "Missing but required: {x}.",
  ),
  (
    "extra_inputs",
    exports.request(x=np.float32(1), z=np.float32(1), b=np.float32(1)),
    _INVALID,
    "input size does not match signature: 3!=1 len({b,x,z}) != len({x}). Sent extra: {b,z}. "
    "Missing but required: {}.",
  ),
  (
    "wrong_type",
    exports.request(x=np.int32([[1]])),
    _INVALID,
    "Expects arg[0] to be float but int32 is provided",
  ),
  (
    "unknown_output",
    _with_output_filter("q"),
    _INVALID,
    "output tensor alias not found in signature: q Outputs expected to be in the set {y}.",
  ),
  (
    "repeated_output",
    _with_output_filter("y", "y"),
    _INVALID,
    "duplicate output tensor alias: y",
  ),
  ("no_spec", predict_pb2.PredictRequest(), _INVALID, "Missing ModelSpec"),
  ("no_name", _with_spec(name=""), _INVALID, "ModelSpec has no name specified."),
  (
    "unknown_model",
    _with_spec(name="nope"),
    _NOT_FOUND,
    "Servable not found for request: Latest(nope)",
  ),
  (
    "unknown_version",
    _with_spec(version=7),
    _NOT_FOUND,
    "Servable not found for request: Specific(default, 7)",
  ),
  (
    "unknown_label",
    _with_spec(label="stable"),
    _INVALID,
    "Unrecognized servable version label: stable",
  ),
)

# name, metadata fields, model, code, message
METADATA_FAILURES = (
  (
    "no_field",
    [],
    "default",
    _INVALID,
    "GetModelMetadataRequest must specify at least one metadata_field",
  ),
  ("other_field", ["x"], "default", _INVALID, "Metadata field x is not supported"),
  (
    "unknown_model",
    ["signature_def"],
    "nope",
    _NOT_FOUND,
    "Servable not found for request: Latest(nope)",
  ),
  ("no_name", ["signature_def"], "", _INVALID, "ModelSpec has no name specified."),
)
