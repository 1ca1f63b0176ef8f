import os
import tempfile
import threading
import time

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from tensorflow_serving.apis import predict_pb2

from serving import batching_config, errors, loading, metrics, predict
from tests.serving import exports


class _Rows(tf.Module):
  """Signatures that tell how large the batch was that they ran in."""

  @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
  def sums(self, x):
    """float [n, k] -> sums [n] and batch sizes [n]; slow enough for others to come meanwhile."""
    tf.debugging.assert_greater(tf.shape(x)[1], 1, message="too few columns")
    tf.debugging.assert_all_finite(x, "not finite")
    matrix = tf.linalg.diag(tf.ones([256]))
    for _ in tf.range(120):
      matrix = matrix @ matrix
    rows = tf.fill(tf.shape(x)[:1], tf.shape(x)[0])
    return {"sum": tf.reduce_sum(x, 1) * matrix[0, 0], "rows": rows}

  @tf.function(
    input_signature=[tf.TensorSpec([None], tf.string, "a"), tf.TensorSpec([None], tf.int64, "n")]
  )
  def strings(self, a, n):
    """string [n], int64 [n] -> joined [n]; some sizes for batches."""
    matrix = tf.linalg.diag(tf.ones([256]))
    for _ in tf.range(120):
      matrix = matrix @ matrix
    tail = tf.strings.as_string(n + tf.cast(matrix[0, 0], tf.int64) - 1)
    rows = tf.fill(tf.shape(a)[:1], tf.shape(a)[0])
    return {"joined": tf.strings.join([a, tail]), "rows": rows}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
  def total(self, x):
    """float [n] -> a scalar and one row."""
    return {"scalar": tf.reduce_sum(x), "row": tf.reduce_sum(x, keepdims=True)}


class BatchingTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.path = os.path.join(cls.enterClassContext(tempfile.TemporaryDirectory()), "1")
    model = _Rows()
    signatures = {"sums": model.sums, "strings": model.strings, "total": model.total}
    tf.saved_model.save(model, cls.path, signatures)

  def _model(self, **parameters):
    parameters = {"num_batch_threads": 1, **parameters}
    self.metrics = metrics.Metrics()
    batching = batching_config.Batching(batching_config.Parameters(**parameters))
    model = loading.Loader(batching=batching, metrics=self.metrics).load(self.path)
    self.addCleanup(model.close)
    return model

  def _together(self, model, *requests, timeouts=None):
    """Answers, or errors, of requests of which all but the first are waiting while that runs."""
    answers = [None] * len(requests)
    timeouts = timeouts or [None] * len(requests)

    def ask(number):
      data = requests[number].SerializeToString()
      options = predict.Options(timeout_ms=timeouts[number])
      try:
        answer = predict.run(model, 1, predict.parse(data), options)
        response = predict_pb2.PredictResponse.FromString(answer)
        answers[number] = {a: tf.make_ndarray(t) for a, t in response.outputs.items()}
      except errors.StatusError as error:
        answers[number] = error

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(requests))]
    for thread in threads:
      thread.start()
      time.sleep(0.005)
    for thread in threads:
      thread.join(60)
    return answers

  def _request(self, rows, columns=3, value=1.0):
    x = np.full([rows, columns], value, np.float32) + np.arange(rows)[:, None]
    return exports.request("sums", x=np.float32(x))

  def _assert_sums(self, answer, rows, columns=3, value=1.0):
    expected = columns * (value + np.arange(rows))
    np.testing.assert_allclose(answer["sum"], expected)

  def test_requests_run_together_and_get_their_own_rows(self):
    model = self._model()
    first, *others = self._together(
      model, *[self._request(rows, value=10.0 * rows) for rows in (1, 1, 2, 3)]
    )
    self._assert_sums(first, 1, value=10.0)
    for rows, answer in zip((1, 2, 3), others, strict=True):
      self._assert_sums(answer, rows, value=10.0 * rows)
      np.testing.assert_array_equal(answer["rows"], np.full(rows, 6))
    self.assertEqual(
      self.metrics.value("/tensorflow/serving/batching_session/wrapped_run_count"), 3
    )  # the warm-up's included
    # Every request counts by itself, with its own rows.
    text = self.metrics.text()
    self.assertIn(":batching_session:input_batch_size_count{} 5\n", text)
    self.assertIn(":batching_session:input_batch_size_sum{} 8\n", text)
    self.assertIn(":batching_session:processed_batch_size_sum{} 8\n", text)

  def test_padding_to_an_allowed_size(self):
    model = self._model(max_batch_size=8, allowed_batch_sizes=(2, 8))
    answers = self._together(model, *[self._request(rows) for rows in (1, 1, 2)])
    for rows, size, answer in zip((1, 1, 2), (2, 8, 8), answers, strict=True):
      self._assert_sums(answer, rows)
      np.testing.assert_array_equal(answer["rows"], np.full(rows, size))

  def test_strings(self):
    model = self._model(max_batch_size=8, allowed_batch_sizes=(1, 8))
    texts = [[b""], [b"short", b"x" * 40], [b"\x00\xff" * 30]]
    requests = [
      exports.request("strings", a=np.array(text, object), n=np.arange(len(text))) for text in texts
    ]
    answers = self._together(model, *requests)
    for text, answer in zip(texts, answers, strict=True):
      expected = [one + str(number).encode() for number, one in enumerate(text)]
      self.assertEqual(answer["joined"].tolist(), expected)
    self.assertEqual(answers[1]["rows"].tolist(), [8, 8])

  def test_large_requests_are_split(self):
    model = self._model(
      max_batch_size=20, max_execution_batch_size=4, enable_large_batch_splitting=True
    )
    answers = self._together(model, self._request(10), self._request(3, value=5.0))
    self._assert_sums(answers[0], 10)
    self._assert_sums(answers[1], 3, value=5.0)
    self.assertLessEqual(answers[0]["rows"].max(), 4)

  def test_variable_lengths_are_padded_with_the_first_element(self):
    model = self._model(pad_variable_length_inputs=True)
    answers = self._together(
      model, self._request(1), self._request(1, 2), self._request(2, 4, value=2.0)
    )
    self._assert_sums(answers[1], 1, columns=4)
    self._assert_sums(answers[2], 2, columns=4, value=2.0)

  def test_different_lengths_fail(self):
    answers = self._together(
      self._model(), self._request(1), self._request(1, 2), self._request(1, 4)
    )
    self._assert_sums(answers[0], 1)
    for error in answers[1:]:
      self.assertEqual(error.code, "FAILED_PRECONDITION")
      self.assertRegex(
        error.message,
        "^Tensors with name '.*' from different tasks have different shapes and padding is turned off",
      )

  def test_request_that_the_model_refuses_fails_alone(self):
    answers = self._together(
      self._model(), self._request(1), self._request(1), self._request(1, value=np.nan)
    )
    self._assert_sums(answers[0], 1)
    self._assert_sums(answers[1], 1)
    self.assertEqual(answers[2].code, "INVALID_ARGUMENT")
    self.assertIn("not finite", answers[2].message)

  def test_too_late(self):
    model = self._model(batch_timeout_micros=200_000)
    answers = self._together(model, self._request(1), self._request(1), timeouts=[None, 5])
    self.assertEqual(answers[1].code, "RESOURCE_EXHAUSTED")
    self.assertEqual(answers[1].message, "Run() timeout exceeded while waiting in batching queue")

  @parameterized.named_parameters(
    (
      "no_dimension",
      exports.request("sums", x=np.float32(1)),
      "Batching Run() input tensors must have at least one dimension",
    ),
    (
      "different_rows",
      exports.request("strings", a=np.array([b"a"], object), n=np.arange(2)),
      "Batching Run() input tensors must have equal 0th-dimension size",
    ),
    (
      "too_large",
      exports.request("sums", x=np.ones([6, 3], np.float32)),
      "Task size 6 is larger than maximum input batch size 5",
    ),
    (
      "wrong_type",
      exports.request("sums", x=np.ones([1, 3], np.int32)),
      "Expects arg[0] to be float but int32 is provided",
    ),
  )
  def test_refused(self, request, message):
    (error,) = self._together(self._model(max_batch_size=5), request)
    self.assertEqual((error.code, error.message), ("INVALID_ARGUMENT", message))

  @parameterized.parameters(
    ([1.0, 2.0], "Batched output tensor has 0 dimensions"),
  )
  def test_output_that_is_no_batch(self, x, message):
    (error,) = self._together(self._model(), exports.request("total", x=np.float32(x)))
    self.assertEqual((error.code, error.message), ("FAILED_PRECONDITION", message))

  def test_no_rows_and_output_filters_go_to_the_model(self):
    model = self._model()
    request = exports.request("total", x=np.float32([1, 2]))
    request.output_filter.append("row")
    answers = self._together(model, exports.request("sums", x=np.ones([0, 3], np.float32)), request)
    self.assertEqual(answers[0]["sum"].shape, (0,))
    self.assertEqual(answers[1]["row"].tolist(), [3.0])

  def test_parameters_of_the_version(self):
    loader = loading.Loader(
      batching=batching_config.Batching(batching_config.Parameters(), per_model=True)
    )
    file = os.path.join(self.path, "batching_params.pbtxt")
    model = loader.load(self.path)  # has no parameters: not batched
    self._assert_sums(self._together(model, self._request(6))[0], 6)
    model.close()
    with open(file, "w") as out:
      out.write("max_batch_size { value: 5 }")
    self.addCleanup(os.remove, file)
    model = loader.load(self.path)
    (error,) = self._together(model, self._request(6))
    model.close()
    self.assertEqual(error.message, "Task size 6 is larger than maximum input batch size 5")


class BatchingConfigTest(parameterized.TestCase):
  def _file(self, text):
    path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "batching.config")
    with open(path, "w") as file:
      file.write(text)
    return path

  def test_reads_all_fields(self):
    path = self._file("""
      max_batch_size { value: 128 } batch_timeout_micros { value: 7 }
      max_enqueued_batches { value: 1000000 } num_batch_threads { value: 8 }
      thread_pool_name { value: "pool" } enable_large_batch_splitting { value: true }
      max_execution_batch_size { value: 64 } allowed_batch_sizes: 2 allowed_batch_sizes: 64
      pad_variable_length_inputs: true
    """)
    batching = batching_config.read_batching(enabled=True, path=path, per_model=False)
    self.assertEqual(
      batching.parameters,
      batching_config.Parameters(128, 7, 1000000, 8, "pool", True, 64, (2, 64), True),
    )
    self.assertEqual([batching.parameters.padded(size) for size in (1, 2, 3)], [2, 2, 64])

  def test_defaults(self):
    self.assertIsNone(batching_config.read_batching(enabled=False, path="", per_model=True))
    parameters = batching_config.read_batching(enabled=True, path="", per_model=False).parameters
    self.assertEqual((parameters.max_batch_size, parameters.max_enqueued_batches), (1000, 10))
    self.assertEqual(parameters.batch_timeout_micros, 0)

  @parameterized.parameters(
    (
      "allowed_batch_sizes: 4",
      "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 1000",
    ),
    (
      "max_batch_size { value: 4 } allowed_batch_sizes: [4, 2]",
      "allowed_batch_sizes entries must be positive and monotonically increasing",
    ),
    ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
    ("nonsense: 1", "Invalid protobuf file: '"),
  )
  def test_refuses(self, text, message):
    with self.assertRaisesRegex(errors.StatusError, f"INVALID_ARGUMENT: {message}"):
      batching_config.read_batching(enabled=True, path=self._file(text), per_model=False)

  def test_file_without_batching(self):
    with self.assertRaisesRegex(errors.StatusError, "batching_parameters_file is set without"):
      batching_config.read_batching(enabled=False, path="/any", per_model=False)


if __name__ == "__main__":
  tf.test.main()
