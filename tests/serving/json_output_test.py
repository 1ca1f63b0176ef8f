import base64
import json

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from tensorflow_serving.apis import classification_pb2, predict_pb2, regression_pb2

from serving import errors, json_output

_SHAPES = (
  [1],
  [3],
  [2, 3],
  [2, 1],
  [1, 1, 1],
  [2, 3, 1, 1],
  [4, 1, 2],
  [2, 0],
  [0],
  [0, 3],
  [2, 0, 1],
)


def _response(**arrays) -> predict_pb2.PredictResponse:
  """A response as the server itself makes it: numbers as tensor_content."""
  response = predict_pb2.PredictResponse()
  for name, array in arrays.items():
    array = np.asarray(array)
    proto = response.outputs[name]
    proto.CopyFrom(tf.make_tensor_proto(array))
    if array.dtype.kind not in "OS":
      proto = tf.make_tensor_proto(array.ravel()[:0], array.dtype, [0])
      proto.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
      proto.tensor_content = array.tobytes()
      response.outputs[name].CopyFrom(proto)
  return response


class JsonOutputTest(parameterized.TestCase):
  @parameterized.product(
    shape=_SHAPES,
    dtype=("float32", "float64", "int8", "uint8", "int64", "uint64", "bool"),
  )
  def test_arrays_come_back_as_lists(self, shape, dtype):
    array = (np.arange(np.prod(shape)) % 5).reshape(shape).astype(dtype)
    for in_rows, key in ((True, "predictions"), (False, "outputs")):
      body = json_output.predictions(_response(y=array), in_rows)
      self.assertEqual(json.loads(body), {key: array.tolist()})
      body = json_output.predictions(_response(y=array, z=array), in_rows)
      columns = {"y": array.tolist(), "z": array.tolist()}
      rows = [{"y": row, "z": row} for row in array.tolist()]
      self.assertEqual(json.loads(body), {key: rows if in_rows else columns})

  @parameterized.parameters(("int64", 2**63 - 1), ("uint64", 2**64 - 1), ("int8", -128))
  def test_extremes(self, dtype, value):
    body = json_output.predictions(_response(y=np.array([value], dtype)), True)
    self.assertEqual(json.loads(body), {"predictions": [value]})

  @parameterized.parameters((np.float32(0.1), "0.1"), (np.int32(7), "7"), (np.bool_(True), "true"))
  def test_scalars_in_columns(self, value, text):
    body = json_output.predictions(_response(y=value), False)
    self.assertEqual(body.decode(), f'{{\n    "outputs": {text}\n}}')

  def test_strings_and_bytes(self):
    text = np.array([[b'a "quoted" \n', "ü😀".encode()], [b"", b"\x00\x1f"]], object)
    got = json.loads(json_output.predictions(_response(text=text, image_bytes=text), False))[
      "outputs"
    ]
    self.assertEqual(got["text"], [['a "quoted" \n', "ü😀"], ["", "\x00\x1f"]])
    decoded = [[base64.b64decode(value["b64"]) for value in row] for row in got["image_bytes"]]
    self.assertEqual(decoded, text.tolist())

  def test_layout(self):
    response = _response(a=np.float32([[1, 2], [3, 4]]), b=np.int32([5, 6]))
    expected = """{
    "predictions": [
        {
            "a": [1.0, 2.0],
            "b": 5
        },
        {
            "a": [3.0, 4.0],
            "b": 6
        }
    ]
}"""
    self.assertEqual(json_output.predictions(response, True).decode(), expected)
    expected = """{
    "outputs": {
        "a": [[1.0, 2.0], [3.0, 4.0]],
        "b": [5, 6]
    }
}"""
    self.assertEqual(json_output.predictions(response, False).decode(), expected)

  @parameterized.parameters("float16", "complex64", "complex128")
  def test_types_that_json_lacks(self, dtype):
    with self.assertRaises(errors.StatusError) as caught:
      json_output.predictions(_response(y=np.zeros([1], dtype)), True)
    name = {"float16": "half"}.get(dtype, dtype)
    self.assertEqual(
      caught.exception.message, f"Failed to write JSON value for tensor type: {name}"
    )
    self.assertEqual(caught.exception.code, "UNIMPLEMENTED")

  def test_examples(self):
    response = classification_pb2.ClassificationResponse()
    for score in (0.25, 1.0):
      result = response.result.classifications.add()
      result.classes.add(label='a"', score=score)
      result.classes.add(label="", score=0)
    expected = (
      '{\n    "results": [[["a\\"", 0.25], ["", 0.0]], [["a\\"", 1.0], ["", 0.0]]\n    ]\n}'
    )
    self.assertEqual(json_output.classifications(response).decode(), expected)
    response = regression_pb2.RegressionResponse()
    for value in (0.1, 3.0):
      response.result.regressions.add(value=value)
    self.assertEqual(json_output.regressions(response), b'{\n    "results": [0.1, 3.0]\n}')

  def test_empty_answers_are_errors(self):
    for make in (
      lambda: json_output.predictions(predict_pb2.PredictResponse(), True),
      lambda: json_output.classifications(classification_pb2.ClassificationResponse()),
      lambda: json_output.regressions(regression_pb2.RegressionResponse()),
    ):
      with self.assertRaisesRegex(errors.StatusError, "INVALID_ARGUMENT: Cannot convert empty"):
        make()

  def test_errors_are_json_whatever_they_quote(self):
    body = json_output.error('a "b"\n\udcff\ud83d ü')
    self.assertEqual(json.loads(body), {"error": 'a "b"\n?? ü'})
    self.assertStartsWith(body.decode(), '{\n    "error": "')


if __name__ == "__main__":
  tf.test.main()
