"""Classify, Regress and MultiInference over the wire; a companion of wire_test.

Codes and messages: tensorflow/serving 2.15.1, servables/tensorflow/classifier.cc, regressor.cc,
multi_inference.cc, util.cc.
"""

# bazel: size=medium

import os
import tempfile

import grpc
import tensorflow as tf
from absl.testing import parameterized
from tensorflow_serving.apis import (
  classification_pb2,
  inference_pb2,
  input_pb2,
  regression_pb2,
)

from tests.serving import asking, example_exports, server_binary, server_process

_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_NOT_FOUND = grpc.StatusCode.NOT_FOUND
_UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED

_TWO = example_exports.examples(2.0, 4.0)
_CLASSIFY, _REGRESS = example_exports.CLASSIFY, example_exports.REGRESS

# signature, message
_CLASSIFY_FAILURES = (
  ("nope", "No signature was found with the name: nope"),
  ("two_inputs", "Expected one input Tensor."),
  ("three_outputs", "Expected one or two output Tensors, found 3"),
  ("other_input", "No classification inputs found in SignatureDef: "),
  ("other_outputs", "Expected classification signature outputs to contain at least one of"),
  ("flat_scores", "Expected Tensor shape: [batch_size num_classes] but got [2]"),
  ("double_scores", "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
  ("too_many_scores", "Expected scores output batch size of 2. Got: 4"),
  ("uneven", "Tensors class and score should match in dim_size(1). Got 2 vs. 1"),
)
_REGRESS_FAILURES = (
  ("nope", "No signature was found with the name: nope"),
  ("two_inputs", "Expected one input Tensor."),
  ("classify", "Expected one output Tensor."),
  ("other_input", "No regression inputs found in SignatureDef: "),
  ("scores_only", "No regression outputs found in SignatureDef: "),
  (
    "wide",
    "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]",
  ),
  ("too_many", "Input batch size did not match output batch size: 2 vs. 4"),
  ("double", "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
)
# name, request, code, message
_MULTI_FAILURES = (
  (
    "no_task",
    inference_pb2.MultiInferenceRequest(input=_TWO),
    _INVALID,
    "ModelSpec has no name specified.",
  ),
  (
    "second_without_name",
    example_exports.multi(
      _TWO, ("column", _REGRESS), ("classify", _CLASSIFY), models=("default", "")
    ),
    _INVALID,
    "Found ModelSpec with an empty model name.",
  ),
  (
    "two_models",
    example_exports.multi(
      _TWO, ("column", _REGRESS), ("classify", _CLASSIFY), models=("default", "other")
    ),
    _INVALID,
    "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
  ),
  (
    "twice",
    example_exports.multi(_TWO, ("", _REGRESS), ("serving_default", _REGRESS)),
    _INVALID,
    "Duplicate evaluation of signature: serving_default",
  ),
  (
    "unknown_signature",
    example_exports.multi(_TWO, ("nope", _REGRESS)),
    _INVALID,
    "Requested signature not found in model graph: nope",
  ),
  (
    "predict",
    example_exports.multi(_TWO, ("", "tensorflow/serving/predict")),
    _UNIMPLEMENTED,
    "Unsupported signature method_name: tensorflow/serving/predict",
  ),
  (
    "no_example",
    example_exports.multi(input_pb2.Input(), ("", _REGRESS)),
    _INVALID,
    "Input is empty.",
  ),
  (
    "unknown_model",
    example_exports.multi(_TWO, ("", _REGRESS), models=("nope",)),
    _NOT_FOUND,
    "Servable not found for request: Latest(nope)",
  ),
)


class WireExamplesTest(asking.FailureCases, parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    example_exports.export(os.path.join(folder, "5"))
    cls.server = cls.enterClassContext(
      server_process.Server(f"--model_base_path={folder}", binary=server_binary.FLAG.value)
    ).wait_until_ready()

  def _assert_spec(self, spec, signature):
    self.assertEqual(
      (spec.name, spec.version.value, spec.signature_name), ("default", 5, signature)
    )

  def test_classify_gives_labels_and_scores(self):
    response = self.server.classify(example_exports.classification("classify", _TWO))
    got = [
      [(made.label, made.score) for made in classification.classes]
      for classification in response.result.classifications
    ]
    self.assertEqual(got, [[("up", 1.0), ("down", -1.0)], [("up", 2.0), ("down", -2.0)]])
    self._assert_spec(response.model_spec, "classify")

  @parameterized.parameters(
    ("scores_only", [("", 1.0), ("", -1.0)]), ("classes_only", [("up", 0.0), ("down", 0.0)])
  )
  def test_classify_without_labels_or_scores(self, signature, expected):
    request = example_exports.classification(signature, example_exports.examples(2.0))
    (classification,) = self.server.classify(request).result.classifications
    self.assertEqual([(made.label, made.score) for made in classification.classes], expected)

  @parameterized.parameters("", "column")
  def test_regress_gives_values(self, signature):
    response = self.server.regress(example_exports.regression(signature, _TWO))
    self.assertEqual([made.value for made in response.result.regressions], [1.0, 2.0])
    self._assert_spec(response.model_spec, signature or "serving_default")

  def test_context_is_part_of_every_example(self):
    given = example_exports.examples(2.0, 4.0, bias=10.0)
    response = self.server.regress(example_exports.regression("", given))
    self.assertEqual([made.value for made in response.result.regressions], [11.0, 12.0])

  def test_multi_inference_answers_in_the_tasks_order(self):
    request = example_exports.multi(_TWO, ("classify", _CLASSIFY), ("", _REGRESS))
    first, second = self.server.multi_inference(request).results
    self.assertEqual(first.classification_result.classifications[1].classes[0].label, "up")
    self.assertEqual([made.value for made in second.regression_result.regressions], [1.0, 2.0])
    self._assert_spec(first.model_spec, "classify")
    self._assert_spec(second.model_spec, "serving_default")

  @parameterized.parameters(*_CLASSIFY_FAILURES)
  def test_classify_fails(self, signature, message):
    request = example_exports.classification(signature, _TWO)
    self.assert_fails(_INVALID, message, self.server.classify, request)

  @parameterized.parameters(*_REGRESS_FAILURES)
  def test_regress_fails(self, signature, message):
    request = example_exports.regression(signature, _TWO)
    self.assert_fails(_INVALID, message, self.server.regress, request)

  @parameterized.named_parameters(*_MULTI_FAILURES)
  def test_multi_inference_fails(self, request, code, message):
    self.assert_fails(code, message, self.server.multi_inference, request)

  @parameterized.parameters(
    ("classify", classification_pb2.ClassificationRequest, example_exports.classification),
    ("regress", regression_pb2.RegressionRequest, example_exports.regression),
  )
  def test_lookup_and_input_fail_alike(self, method, kind, request):
    call = getattr(self.server, method)
    self.assert_fails(_INVALID, "Missing ModelSpec", call, kind(input=_TWO))
    self.assert_fails(_INVALID, "ModelSpec has no name specified.", call, request("", _TWO, ""))
    self.assert_fails(
      _NOT_FOUND, "Servable not found for request: Latest(nope)", call, request("", _TWO, "nope")
    )
    signature = "column" if method == "regress" else "classify"
    for given in (input_pb2.Input(), example_exports.examples()):
      self.assert_fails(_INVALID, "Input is empty.", call, request(signature, given))

  def test_examples_that_do_not_fit_are_reported(self):
    given = input_pb2.Input()
    given.example_list.examples.add().features.feature["z"].float_list.value.append(1.0)
    with self.assertRaises(grpc.RpcError) as caught:
      self.server.regress(example_exports.regression("", given))
    self.assertEqual(caught.exception.code(), _INVALID)
    self.assertIn("Feature: x", caught.exception.details())


if __name__ == "__main__":
  tf.test.main()
