import json
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from tensorflow_serving.apis import predict_pb2

from serving import errors, json_document, json_tensor, json_values, wire_format

_DTYPES = {name: number for number, name in json_values.TYPE_NAMES.items()}
_USED = ("float", "double", "int32", "uint8", "int64", "uint64", "string", "bool", "half")
# What may stand in a list, right and wrong.
_VALUES = (
  *(0, 1, -1, 255, 256, 2**24, 2**31, 2**53, 2**63, 2**64, -(2**63)),
  *(1.0, 0.5, -1e10, 1e39, 1e300, True, False, None, "", "a", "ü", {"b64": "eA=="}, {"b64": 1}, {}),
)


def _inputs(text: str | bytes | dict, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
  """The tensors of a document, by way of the bytes of a PredictRequest."""
  if isinstance(text, dict):
    text = json.dumps(text)
  document = json_document.parse(text if isinstance(text, bytes) else text.encode())
  numbers = {name: _DTYPES[dtype] for name, dtype in dtypes.items()}
  pieces = json_tensor.inputs(document, numbers)
  request = predict_pb2.PredictRequest.FromString(json_tensor.predict_request(b"\x0a\x01m", pieces))
  assert request.model_spec.name == "m"
  return {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}


def _outcome(document: dict, dtypes: dict[str, str]):
  """Tensors as lists with their types, or the error."""
  try:
    arrays = _inputs(document, dtypes)
  except errors.StatusError as error:
    return str(error)
  return {name: (array.dtype, array.shape, array.tolist()) for name, array in arrays.items()}


def _random_value(rng: np.random.Generator, values: list, depth: int):
  """A value or list of lists, mostly regular."""
  if not depth:
    return values[rng.integers(len(values))]
  size = rng.integers(1, 4) if rng.random() < 0.9 else 0
  made = [_random_value(rng, values, depth - 1) for _ in range(size)]
  if made and rng.random() < 0.7:
    made = [made[0]] * size if rng.random() < 0.5 else [_like(rng, made[0], values) for _ in made]
  return made


def _like(rng: np.random.Generator, value, values: list):
  if type(value) is list:
    return [_like(rng, item, values) for item in value]
  return values[rng.integers(len(values))]


class JsonTensorTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(*_USED)
  def test_quick_and_thorough_ways_agree(self, dtype):
    rng = np.random.default_rng(list(_USED).index(dtype))
    seen = set()
    for _ in range(400):
      values = [_VALUES[i] for i in rng.integers(0, len(_VALUES), rng.integers(1, 4))]
      value = _random_value(rng, values, rng.integers(0, 4))
      names = ["x"] if rng.random() < 0.7 else ["x", "z"]
      if rng.random() < 0.5:
        document = {"inputs": value if rng.random() < 0.5 else dict.fromkeys(names, value)}
      elif type(value) is list and value and rng.random() < 0.5:
        document = {"instances": [dict.fromkeys(names, row) for row in value]}
      else:
        document = {"instances": value}
      dtypes = dict.fromkeys(names, dtype)
      quick = _outcome(document, dtypes)
      with mock.patch.object(json_tensor, "_quick", lambda *unused: None):
        thorough = _outcome(document, dtypes)
      self.assertEqual(quick, thorough, document)
      seen.add(type(quick))
    self.assertIn(str, seen)

  @parameterized.parameters(
    ("float", 1e-6), ("double", 0), ("int32", 0), ("uint8", 0), ("int64", 0)
  )
  def test_arrays_arrive(self, dtype, tolerance):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 200, [3, 4, 5]) if "int" in dtype else rng.normal(size=[3, 4, 5])
    for document in ({"instances": array.tolist()}, {"inputs": {"x": array.tolist()}}):
      got = _inputs(document, {"x": dtype})["x"]
      self.assertEqual(got.dtype, tf.as_dtype(dtype).as_numpy_dtype)
      np.testing.assert_allclose(got, array, rtol=tolerance)

  def test_reads_not_a_number_and_infinity(self):
    got = _inputs(b'{"inputs": [NaN, Infinity, -Infinity, 1e5]}', {"x": "float"})["x"]
    np.testing.assert_array_equal(got, [np.nan, np.inf, -np.inf, 1e5])

  @parameterized.parameters("aGVsbG8=", "aGVsbG8", "aGVs\\nbG8=", "aGVsbG8 = ")
  def test_base64(self, text):
    body = f'{{"instances": [{{"b64": "{text}"}}]}}'
    self.assertEqual(list(_inputs(body, {"x": "string"})["x"]), [b"hello"])

  def test_strings_keep_bytes_that_are_not_utf8(self):
    got = _inputs(b'{"inputs": ["\xff\x80a\\u00e4\\ud83d\\ude00"]}', {"x": "string"})["x"]
    self.assertEqual(got[0], b"\xff\x80a" + "ä😀".encode())

  def test_half_a_surrogate_pair_is_refused(self):
    with self.assertRaisesRegex(
      errors.StatusError, "surrogate pair in string is invalid. at offset: 13"
    ):
      _inputs(b'{"inputs": ["\\ud83d"]}', {"x": "string"})

  @parameterized.named_parameters(
    ("lists", b"[" * 100_000),
    ("objects", b'{"a":' * 100_000),
    ("whole", b'{"inputs": ' + b"[" * 950 + b"1" + b"]" * 950 + b"}"),
    ("null", b'{"inputs": ' + b"[" * 950 + b"null" + b"]" * 950 + b"}"),
    ("ragged", b'{"inputs": [' + b"[1]," * 100 + b"[" * 900 + b"]" * 900 + b"]}"),
  )
  def test_deep_nesting_is_an_error_or_a_tensor(self, body):
    try:
      shape = json_tensor.inputs(json_document.parse(body), {"x": 1})
    except errors.StatusError as error:
      self.assertEqual(error.code, "INVALID_ARGUMENT")
    else:
      self.assertLen(shape, 1)

  @parameterized.named_parameters(
    ("digits", b'{"inputs": ["' + b"1" * 300_000 + b'", 1e999]}'),
    ("points", b'{"inputs": [' + b"1." * 100_000 + b"]}"),
    ("brackets", b'{"inputs": [' + b"[" * 900 + b"1" * 100_000),
    ("late_error", b'{"inputs": [' + b"1," * 200_000 + b"x]}"),
    ("late_type", b'{"inputs": ["",' + b'"",' * 200_000 + b"1]}"),
    ("spaces", b'{"inputs": [{"b64":"' + b" " * 300_000 + b'!"}]}'),
    ("surrogates", b'{"inputs": "' + b"\\ud83d\\ude00" * 30_000 + b'\\ud83d"}'),
  )
  def test_hostile_text_takes_little_time(self, body):
    begin = time.thread_time()
    with self.assertRaises(errors.StatusError):
      json_tensor.inputs(json_document.parse(body), {"x": 7})
    self.assertLess(time.thread_time() - begin, 1.5)

  def test_long_values_are_cut_in_messages(self):
    with self.assertRaises(errors.StatusError) as caught:
      _inputs({"other": "x" * 10**6}, {"x": "float"})
    self.assertEqual(caught.exception.message, "Missing 'inputs' or 'instances' key")
    with self.assertRaises(errors.StatusError) as caught:
      _inputs({"inputs": ["x" * 10**6]}, {"x": "float"})
    self.assertLess(len(caught.exception.message), 1200)
    self.assertEndsWith(caught.exception.message, "... Type: String is not of expected type: float")

  def test_request_is_what_protobuf_would_write(self):
    document = json_document.parse(b'{"inputs": {"x": [[1, 2, 3]], "s": ["a", ""]}}')
    pieces = json_tensor.inputs(document, {"x": 1, "s": 7})
    request = predict_pb2.PredictRequest.FromString(json_tensor.predict_request(b"", pieces))
    expected = predict_pb2.PredictRequest()
    expected.model_spec.SetInParent()
    expected.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([[1, 2, 3]])))
    expected.inputs["s"].CopyFrom(tf.make_tensor_proto([b"a", b""]))
    self.assertEqual(request, expected)
    self.assertLen(list(wire_format.fields(request.SerializeToString())), 3)


if __name__ == "__main__":
  tf.test.main()
