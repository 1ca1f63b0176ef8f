"""One model's life with a loader that the test holds the strings of."""

import os
import tempfile
import threading
import time

from absl.testing import absltest

from serving import (
  configs,
  errors,
  load_failures,
  load_slots,
  metrics,
  served_model,
  version_source,
  version_status,
)

_Outcome = served_model.Outcome


class _Model:
  """Stands for a loaded SavedModel."""

  def __init__(self):
    self.is_closed = False

  def close(self):
    self.is_closed = True


class ServedModelTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.base_path = self.enterContext(tempfile.TemporaryDirectory())
    self.metrics = metrics.Metrics()
    self.may_load = threading.Event()
    self.may_load.set()
    self.errors = {}  # name of a version's folder: what its load raises
    self.loading = []
    self.most_loading = 0

  def _load(self, path):
    self.loading.append(path)
    self.most_loading = max(self.most_loading, len(self.loading))
    self.may_load.wait()
    self.loading.remove(path)
    if (error := self.errors.get(os.path.basename(path))) is not None:
      raise error
    return _Model()

  def _model(self, name="m", slots=0, **following):
    model = served_model.ServedModel(
      name,
      self._load,
      load_failures.Following(**{"poll_seconds": 0.02, **following}),
      load_slots.LoadSlots(slots) if isinstance(slots, int) else slots,
      self.metrics,
    )
    self.addCleanup(model.stop, 10)
    self.addCleanup(self.may_load.set)
    return model

  def _config(self, labels=None, base_path=None, **policy):
    return configs.ModelConfig(
      "m",
      base_path or self.base_path,
      version_source.VersionPolicy(**policy),
      labels or {},
    )

  def _publish(self, *versions):
    for version in versions:
      folder = os.path.join(self.base_path, str(version))
      os.makedirs(folder)
      with open(os.path.join(folder, "saved_model.pb"), "w"):
        pass

  def _wait(self, condition):
    end = time.monotonic() + 30
    while not condition():
      self.assertLess(time.monotonic(), end)
      time.sleep(0.005)

  def _states(self, model):
    return {status.version: status.state for status in model.statuses()}

  def test_states_of_a_load(self):
    self._publish(1, 2)
    self.may_load.clear()
    model = self._model(slots=1)
    model.configure(self._config(num_latest=None))
    self._wait(lambda: self.loading)
    expected = {2: version_status.LOADING, 1: version_status.START}
    self.assertEqual(self._states(model), expected)
    self.assertEqual(model.outcome, _Outcome.UNKNOWN)
    self.may_load.set()
    self._wait(lambda: model.outcome == _Outcome.SERVING)
    self.assertEqual(self._states(model), dict.fromkeys((2, 1), version_status.AVAILABLE))
    self.assertEqual(self.metrics.value("/tensorflow/serving/last_loaded_version"), 1)

  def test_only_so_many_models_load_at_a_time(self):
    self._publish(1)
    slots = load_slots.LoadSlots(2)
    self.may_load.clear()
    models = [self._model(str(number), slots) for number in range(4)]
    for model in models:
      model.configure(self._config())
    self._wait(lambda: len(self.loading) == 2)
    time.sleep(0.05)
    self.may_load.set()
    for model in models:
      self._wait(lambda model=model: model.outcome == _Outcome.SERVING)
    self.assertEqual(self.most_loading, 2)

  def test_failure_is_named_counted_retried_and_forgotten(self):
    self._publish(1)
    self.errors["1"] = errors.StatusError("DATA_LOSS", "torn")
    model = self._model(max_retries=0)
    model.configure(self._config())
    self._wait(lambda: model.outcome == _Outcome.FAILED)
    (status,) = model.statuses()
    self.assertEqual((status.state, status.error.message), (version_status.END, "torn"))
    self.assertEqual(self.metrics.value("/tensorflow/serving/failed_load_attempts"), 1)
    del self.errors["1"]
    os.utime(os.path.join(self.base_path, "1", "saved_model.pb"), (1, 1))
    self._wait(lambda: model.outcome == _Outcome.SERVING)
    self.assertEqual(self.metrics.value("/tensorflow/serving/failed_load_attempts"), 0)
    self.assertIsNone(model.statuses()[0].error)

  def test_loader_that_breaks_does_not_end_the_following(self):
    self._publish(1)
    self.errors["1"] = KeyError("x")
    model = self._model()
    model.configure(self._config())
    self._wait(lambda: model.outcome == _Outcome.RETRYING)
    self.assertIn("KeyError", model.statuses()[0].error.message)
    self._publish(2)
    self._wait(lambda: 2 in model.available)

  def test_specific_versions_to_come_do_not_unload_what_serves(self):
    self._publish(1)
    model = self._model()
    model.configure(self._config())
    self._wait(lambda: 1 in model.available)
    model.configure(self._config(num_latest=None, specific=frozenset([2])))
    self._wait(lambda: model.outcome == _Outcome.SERVING)
    self.assertIn(1, model.available)
    self._publish(2)
    self._wait(lambda: 2 in model.available and 1 not in model.available)

  def test_withdrawn_model_ends_once_it_is_not_used_and_may_come_back(self):
    self._publish(1)
    model = self._model()
    model.configure(self._config({"stable": 1}))
    self._wait(lambda: 1 in model.available)
    used = model.available.acquire(None)
    model.withdraw()
    self._wait(lambda: self._states(model) == {1: version_status.UNLOADING})
    self.assertFalse(used.model.is_closed)
    self.assertIsNone(model.available.labelled("stable"))
    model.configure(self._config())
    self._wait(lambda: self._states(model) == {1: version_status.AVAILABLE})
    used.release()
    self.assertEqual(self._states(model), {1: version_status.AVAILABLE})
    model.withdraw()
    self._wait(lambda: self._states(model) == {1: version_status.END})

  def test_moved_label_points_to_its_old_version_until_the_new_one_is_there(self):
    self._publish(1)
    model = self._model()
    model.configure(self._config({"stable": 1}, num_latest=None))
    self._wait(lambda: model.available.labelled("stable") == 1)
    model.configure(self._config({"stable": 2}, num_latest=None))
    self._wait(lambda: model.outcome == _Outcome.SERVING)
    self.assertEqual(model.available.labelled("stable"), 1)
    self._publish(2)
    self._wait(lambda: model.available.labelled("stable") == 2)

  def test_base_path_without_versions_says_why(self):
    cases = {
      "1": "it is a version itself; give its parent as base path",
      "model": "it is a SavedModel itself; move it into ",
    }
    for name, reason in cases.items():
      self._publish(name)
      self.assertIn(reason, version_source.why_empty(os.path.join(self.base_path, name)))
    os.rename(os.path.join(self.base_path, "1"), os.path.join(self.base_path, "v1"))
    self.assertIn("there are: model, v1", version_source.why_empty(self.base_path))
    self.assertIn("does not exist", version_source.why_empty("/nowhere/at/all"))


if __name__ == "__main__":
  absltest.main()
