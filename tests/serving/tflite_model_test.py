# bazel: size=medium

import os
import tempfile

import flatbuffers
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow_serving.apis import predict_pb2

from serving import errors, predict, tflite_model
from tests.serving import exports


class _HalfPlusTwo(tf.Module):
  @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
  def half_plus_two(self, x):
    return {"y": tf.matmul(x, tf.eye(2) * 0.5) + 2.0}


class _Bytes(str):
  """A string that flexbuffers writes as these bytes, as TensorFlow's C++ code does."""

  def encode(self, *unused):
    return self.content


def _with_signature_def(content, signature):
  """The model with a SignatureDef in its metadata, as TensorFlow Serving's tools store it."""
  model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(content), 0))
  text = _Bytes()
  text.content = signature.SerializeToString()
  stored = flexbuffers.Builder()
  with stored.Map():
    stored.Key("mine")
    stored.String(text)
  buffer = schema.BufferT()
  buffer.data = list(stored.Finish())
  metadata = schema.MetadataT()
  metadata.name = "signature_defs_metadata"
  metadata.buffer = len(model.buffers)
  model.buffers.append(buffer)
  model.metadata = [*(model.metadata or []), metadata]
  builder = flatbuffers.Builder(1024)
  builder.Finish(model.Pack(builder), b"TFL3")
  return bytes(builder.Output())


class TfliteModelTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    module = _HalfPlusTwo()
    concrete = module.half_plus_two.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    cls.content = converter.convert()

  def _model(self, content=None):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    with open(os.path.join(folder, tflite_model.FILE), "wb") as file:
      file.write(content or self.content)
    return tflite_model.TfliteModel(folder, 1)

  def _answer(self, model, request):
    options = predict.Options()
    data = predict.run(model, 3, predict.parse(request.SerializeToString()), options)
    return predict_pb2.PredictResponse.FromString(data)

  @parameterized.parameters([[1, 2]], [[5, 2]], [[1, 2]])
  def test_answers_any_batch(self, shape):
    model = self._model()
    response = self._answer(model, exports.request(x=np.full(shape, 3, np.float32)))
    (name,) = response.outputs
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs[name]), np.full(shape, 3.5))

  def test_goes_on_after_inputs_that_do_not_fit(self):
    model = self._model()
    bad = {
      "Expects arg[0] to be float but int32 is provided": np.int32([[1, 2]]),
      "TensorFlow Lite: ": np.zeros([3, 5], np.float32),
    }
    for message, value in bad.items():
      with self.assertRaises(errors.StatusError) as caught:
        self._answer(model, exports.request(x=value))
      self.assertEqual(caught.exception.code, "INVALID_ARGUMENT")
      self.assertStartsWith(caught.exception.message, message)
    self._answer(model, exports.request(x=np.float32([[1, 2]])))

  def test_signature_of_the_metadata_gives_the_aliases(self):
    plain = self._model()
    (declared,) = plain.signature_defs.values()
    signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    signature.inputs["a"].CopyFrom(*declared.inputs.values())
    signature.outputs["b"].CopyFrom(*declared.outputs.values())
    model = self._model(_with_signature_def(self.content, signature))
    self.assertEqual(list(model.signature_defs), ["mine"])
    response = self._answer(model, exports.request("mine", a=np.float32([[1, 2]])))
    self.assertEqual(list(response.outputs["b"].float_val), [2.5, 3.0])

  def test_other_files_are_refused(self):
    with self.assertRaisesRegex(errors.StatusError, "INVALID_ARGUMENT: .*model.tflite: "):
      self._model(b"nonsense" * 10)


if __name__ == "__main__":
  tf.test.main()
