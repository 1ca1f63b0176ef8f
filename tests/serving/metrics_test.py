import re
import threading

from absl.testing import absltest, parameterized

from serving import metrics

_LINE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*\{(?:[a-zA-Z_]+="(?:[^"\\\n]|\\.)*",?)*\} [0-9.e+-]+')


def _values(text: str, name: str) -> dict[str, float]:
  """Labels to value of one metric's lines."""
  found = {}
  for line in text.splitlines():
    if line.startswith(name + "{"):
      labels, _, value = line[len(name) :].rpartition(" ")
      found[labels] = float(value)
  return found


class MetricsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.metrics = metrics.Metrics()

  def test_counts_requests_by_model_and_status(self):
    for status in ("OK", "OK", "NOT_FOUND"):
      self.metrics.answered("depth", "Predict", "GRPC", status, 0.001)
    name = ":tensorflow:serving:request_count"
    self.assertIn(f"# TYPE {name} counter\n", self.metrics.text())
    self.assertEqual(
      _values(self.metrics.text(), name),
      {
        '{model_name="depth",status="OK"}': 2,
        '{model_name="depth",status="NOT_FOUND"}': 1,
      },
    )

  def test_latency_is_of_successes_in_microseconds(self):
    self.metrics.answered("depth", "predict", "REST", "OK", 0.003)
    self.metrics.answered("depth", "predict", "REST", "INTERNAL", 5.0)
    text = self.metrics.text()
    name = ":tensorflow:serving:request_latency"
    labels = 'model_name="depth",API="predict",entrypoint="REST"'
    self.assertIn(f"# TYPE {name} histogram\n", text)
    self.assertEqual(_values(text, f"{name}_sum"), {f"{{{labels}}}": 3000})
    self.assertEqual(_values(text, f"{name}_count"), {f"{{{labels}}}": 1})
    buckets = _values(text, f"{name}_bucket")
    self.assertLen(buckets, 34)  # 10 * 1.8^0 to 1.8^32, and infinity
    self.assertEqual(
      [key.split('le="')[1][:-2] for key in buckets][:6],
      ["10", "18", "32.4", "58.32", "104.976", "188.957"],
    )
    self.assertEqual(buckets[f'{{{labels},le="1983.59"}}'], 0)
    self.assertEqual(buckets[f'{{{labels},le="3570.47"}}'], 1)
    self.assertEqual(buckets[f'{{{labels},le="+Inf"}}'], 1)

  def test_every_line_is_prometheus(self):
    self.metrics.answered('a"b\\c\nd', "Predict", "GRPC", "OK", 1)
    self.metrics.ran("a", "Predict", "TF1", 0.5)
    self.metrics.examples("a", 3)
    self.metrics.warmed_up("/models/a/1", "OK", 2.0)
    self.metrics.batching(3, 1)
    self.metrics.batched("pool", 4, 1, [0.001, 0.002, 0.003])
    self.metrics.loaded("a", 1, 0.5)
    self.metrics.load_failed("a", 2)
    text = self.metrics.text()
    self.assertTrue(text.endswith("\n"))
    for line in text.splitlines():
      if not line.startswith("# TYPE :tensorflow:serving:"):
        self.assertRegex(line, f"^{_LINE.pattern}$")
    self.assertIn('model_name="a\\"b\\\\c\\nd"', text)

  def test_batches(self):
    self.metrics.batched("pool", 4, 1, [0.001, 0.002, 0.003])
    value = self.metrics.value
    prefix = "/tensorflow/serving/batching_session/"
    self.assertEqual(value(prefix + "wrapped_run_count"), 1)
    self.assertEqual(value(prefix + "queuing_latency"), 3)
    text = self.metrics.text()
    name = ":tensorflow:serving:batching_session:padding_size_sum"
    self.assertEqual(_values(text, name), {'{execution_batch_size="4"}': 1})

  def test_failing_versions_are_named_until_they_load_or_go(self):
    name = ":tensorflow:serving:failed_load_attempts"
    for _ in range(3):
      self.metrics.load_failed("depth", 7)
    self.metrics.load_failed("depth", 8)
    self.assertEqual(
      _values(self.metrics.text(), name),
      {'{model_name="depth",version="7"}': 3, '{model_name="depth",version="8"}': 1},
    )
    self.metrics.loaded("depth", 7, 1.0)
    self.metrics.gone("depth", 8)
    self.assertEmpty(_values(self.metrics.text(), name))
    self.assertEqual(self.metrics.value(":tensorflow:serving:last_loaded_version"), 7)

  @parameterized.parameters(
    "/tensorflow/serving/request_count", ":tensorflow:serving:request_count"
  )
  def test_value_is_the_sum_over_labels(self, name):
    self.metrics.answered("a", "Predict", "GRPC", "OK", 1)
    self.metrics.answered("b", "Predict", "GRPC", "INTERNAL", 1)
    self.assertEqual(self.metrics.value(name), 2)
    self.assertEqual(self.metrics.value(name + "_"), 0)

  def test_labels_are_bounded(self):
    for number in range(5000):
      self.metrics.answered(f"model{number}", "Predict", "GRPC", "OK", 1)
    self.assertLess(len(self.metrics.text()), 5_000_000)
    self.assertEqual(self.metrics.value("/tensorflow/serving/request_count"), 5000)
    self.assertIn('{model_name="(other)",status="(other)"} 4000', self.metrics.text())

  def test_threads_lose_nothing(self):
    def work():
      for _ in range(500):
        self.metrics.answered("a", "Predict", "GRPC", "OK", 0.001)
        self.metrics.text()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    self.assertEqual(self.metrics.value("/tensorflow/serving/request_latency"), 2000)


if __name__ == "__main__":
  absltest.main()
