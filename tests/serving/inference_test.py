"""What is counted, and under which names."""

import contextlib

from absl.testing import absltest
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

from serving import errors, inference, metrics


class _Models:
  """A manager with one model of which no version is available."""

  def is_configured(self, name):
    return name == "known"

  @contextlib.contextmanager
  def use(self, spec):
    raise errors.StatusError("NOT_FOUND", "no version")
    yield

  def statuses(self, spec):
    return []


def _request(kind, name):
  made = kind()
  made.model_spec.name = name
  return made.SerializeToString()


class InferenceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.metrics = metrics.Metrics()
    self.inference = inference.Inference(_Models(), self.metrics)

  def _lines(self):
    return [
      line.removeprefix(":tensorflow:serving:")
      for line in self.metrics.text().splitlines()
      if "request_count{" in line or "request_latency_count{" in line
    ]

  def test_unknown_names_are_counted_together(self):
    for name in ("known", "a", "b"):
      with self.assertRaises(errors.StatusError):
        self.inference.predict(_request(predict_pb2.PredictRequest, name), inference.Call())
    self.assertEqual(
      self._lines(),
      [
        'request_count{model_name="known",status="NOT_FOUND"} 1',
        'request_count{model_name="",status="NOT_FOUND"} 2',
      ],
    )

  def test_status_requests_and_rest_are_not_counted_here(self):
    data = _request(get_model_status_pb2.GetModelStatusRequest, "known")
    for entrypoint in ("GRPC", "REST"):
      self.inference.get_model_status(data, inference.Call(entrypoint=entrypoint))
    with self.assertRaises(errors.StatusError):
      self.inference.predict(
        _request(predict_pb2.PredictRequest, "known"), inference.Call(entrypoint="REST")
      )
    self.assertEmpty(self._lines())

  def test_nonsense_is_an_error_of_its_own(self):
    for method in (self.inference.classify, self.inference.multi_inference):
      with self.assertRaisesRegex(errors.StatusError, "INTERNAL: Cannot parse the "):
        method(b"\xff" * 20, inference.Call())

  def test_reload_without_a_reloader_is_refused(self):
    with self.assertRaisesRegex(errors.StatusError, "PERMISSION_DENIED"):
      self.inference.reload(b"", inference.Call())


if __name__ == "__main__":
  absltest.main()
