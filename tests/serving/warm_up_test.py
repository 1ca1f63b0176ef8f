import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from tensorflow_serving.apis import prediction_log_pb2

from serving import errors, loading, metrics, tensor_writing
from tests.serving import example_exports, exports


class _Counting(tf.Module):
  """Keeps count of its runs."""

  def __init__(self):
    super().__init__()
    self._runs = tf.Variable(0)

  @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
  def known(self, x):
    """float [n, 2] -> [n]; counts."""
    self._runs.assign_add(tf.shape(x)[0])
    return {"y": tf.reduce_sum(x, 1)}

  @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
  def unknown(self, x):
    """float [n, k]; counts much."""
    self._runs.assign_add(1000)
    return {"y": x}

  @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
  def fails_on_zeros(self, x):
    """float [n, 2]; wants it to be positive."""
    tf.debugging.assert_positive(x)
    return {"y": x}

  @tf.function(input_signature=[])
  def runs(self):
    """How often `known` was run."""
    return {"runs": self._runs.read_value()}


class WarmUpTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "1")
    self.metrics = metrics.Metrics()

  def _export(self):
    model = _Counting()
    signatures = {"known": model.known, "unknown": model.unknown, "runs": model.runs}
    tf.saved_model.save(model, self.path, {**signatures, "fails": model.fails_on_zeros})

  def _write(self, *records):
    os.makedirs(os.path.join(self.path, "assets.extra"))
    with tf.io.TFRecordWriter(os.path.join(self.path, exports.WARMUP_FILE)) as writer:
      for record in records:
        writer.write(record if isinstance(record, bytes) else record.SerializeToString())

  def _load(self, **options):
    model = loading.Loader(metrics=self.metrics, **options).load(self.path)
    self.addCleanup(model.close)
    return model

  def _runs(self, model):
    return model.run(
      [],
      [model.signature("runs").outputs["runs"]],
      None,
      lambda tensors: int.from_bytes(
        tensor_writing.serialize(tensors[0], as_content=True)[-1], "little"
      ),
    )

  def _predict(self, rows=1):
    log = prediction_log_pb2.PredictionLog()
    x = np.ones([rows, 2], np.float32)
    log.predict_log.request.CopyFrom(exports.request("known", model="any", x=x))
    return log

  def test_records(self):
    self._export()
    self._write(self._predict(), self._predict(2))
    self.assertEqual(self._runs(self._load(warmup_iterations=3)), 9)
    self.assertIn(
      f':tensorflow:serving:model_warmup_latency_count{{model_path="{self.path}",status="OK"}} 1',
      self.metrics.text(),
    )

  def test_without_records_known_shapes_are_run_on_zeros(self):
    self._export()
    self.assertEqual(self._runs(self._load()), 1)
    self.assertEqual(self._runs(self._load(warm_up_without_records=False)), 0)
    self.assertEqual(self._runs(self._load(warmup_iterations=0)), 0)
    self.assertEqual(self.metrics.value("/tensorflow/serving/model_warmup_latency"), 0)

  def test_records_of_every_method(self):
    example_exports.export(self.path)
    given = example_exports.examples(1.0, 2.0)
    logs = [prediction_log_pb2.PredictionLog() for _ in range(3)]
    logs[0].classify_log.request.CopyFrom(example_exports.classification("classify", given))
    logs[1].regress_log.request.CopyFrom(example_exports.regression("", given))
    logs[2].multi_inference_log.request.CopyFrom(
      example_exports.multi(given, ("classify", example_exports.CLASSIFY))
    )
    self._write(*logs)
    self._load()
    self.assertEqual(self.metrics.value("/tensorflow/serving/model_warmup_latency"), 1)

  def test_record_that_says_nothing(self):
    self._export()
    self._write(prediction_log_pb2.PredictionLog())
    self.assertEqual(self._runs(self._load()), 0)

  def test_failures(self):
    session_run = prediction_log_pb2.PredictionLog()
    session_run.session_run_log.request.SetInParent()
    unknown = self._predict()
    unknown.predict_log.request.model_spec.signature_name = "nope"
    classify = prediction_log_pb2.PredictionLog()
    classify.classify_log.request.model_spec.signature_name = "nope"
    for record, code, message in (
      (session_run, "UNIMPLEMENTED", "Unsupported log_type for warmup: 5"),
      (unknown, "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
      (classify, "INVALID_ARGUMENT", "No signature was found with the name: nope"),
      (b"\xff\xff", "INVALID_ARGUMENT", "Failed to parse warmup record: "),
    ):
      with self.subTest(message):
        self.path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "1")
        self._export()
        self._write(record)
        with self.assertRaises(errors.StatusError) as caught:
          self._load()
        self.assertEqual(caught.exception.code, code)
        self.assertStartsWith(caught.exception.message, message)
        self.assertIn(f'status="{code}"', self.metrics.text())

  def test_too_many_records(self):
    self._export()
    self._write(*[prediction_log_pb2.PredictionLog()] * 1001)
    with self.assertRaisesRegex(
      errors.StatusError, r"INVALID_ARGUMENT: Number of warmup records exceeds the maximum \(1000\)"
    ):
      self._load()


if __name__ == "__main__":
  tf.test.main()
