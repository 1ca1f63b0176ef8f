"""Two sessions of a model: one for a lone request, one for several at a time."""

import os
import shutil
import tempfile
import threading
import time
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import predict_pb2

from serving import concurrent_model, errors, loading, predict, saved_model
from tests.serving import exports

_RUNS_BEFORE = 2


class _Network(tf.Module):
  """Filters, looks something up, and calls a function: what trained networks do."""

  def __init__(self):
    super().__init__()
    self.kernel = tf.Variable(tf.random.stateless_normal([3, 3, 3, 4], (0, 1)))
    names = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0])
    self.factors = tf.lookup.StaticHashTable(names, 0.0)

  @tf.function(
    input_signature=[
      tf.TensorSpec([None, 8, 8, 3], tf.float32, "image"),
      tf.TensorSpec([None], tf.string, "name"),
    ]
  )
  def serve(self, image, name):
    features = tf.nn.conv2d(image, self.kernel, 1, "SAME")
    scaled = tf.cond(tf.reduce_all(name == "none"), lambda: features, lambda: features * 2.0)
    return {"y": scaled * tf.reshape(self.factors.lookup(name), [-1, 1, 1, 1])}


class _Counter(tf.Module):
  def __init__(self):
    super().__init__()
    self.count = tf.Variable(0.0)

  @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "x")])
  def serve(self, x):
    return {"y": self.count.assign_add(x)}


class _Dice(tf.Module):
  @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "x")])
  def serve(self, x):
    return {"y": x + tf.random.uniform([])}


class ConcurrentModelTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "1")
    self.enterContext(mock.patch.object(concurrent_model, "_cpus", lambda: 2))
    self.concurrency = concurrent_model.Concurrency(1, runs_before=_RUNS_BEFORE)

  def _load(self, module, **options):
    tf.saved_model.save(module, self.path, module.serve)
    loader = loading.Loader(concurrency=self.concurrency, **options)
    model = loader.load(self.path)
    self.addCleanup(model.close)
    return model

  def _ask(self, model, **inputs):
    request = exports.request(**inputs).SerializeToString()
    answer = predict.run(model, 1, predict.parse(request), predict.Options())
    return tf.make_ndarray(predict_pb2.PredictResponse.FromString(answer).outputs["y"])

  def _ask_beside_another(self, model, **inputs):
    self.concurrency.begin()
    try:
      return self._ask(model, **inputs)
    finally:
      self.concurrency.end()

  def _after_loading(self, model):
    end = time.monotonic() + 60
    while threads := [one for one in threading.enumerate() if one.name == "second-session"]:
      self.assertLess(time.monotonic(), end, "still loading")
      threads[0].join(1)
    return model.has_second_session

  def test_requests_beside_others_get_the_second_session_and_the_same_answers(self):
    module = _Network()
    model = self._load(module)
    images = np.random.default_rng(0).random([2, 8, 8, 3], np.float32)
    inputs = {"image": images, "name": np.array([b"a", b"b"], object)}
    expected = module.serve(images, tf.constant([b"a", b"b"]))["y"].numpy()
    for _ in range(_RUNS_BEFORE + 1):
      np.testing.assert_allclose(self._ask(model, **inputs), expected, rtol=1e-5)
    self.assertFalse(self._after_loading(model), "a lone client does not need it")
    for _ in range(_RUNS_BEFORE):
      self.assertFalse(model.has_second_session)
      np.testing.assert_allclose(self._ask_beside_another(model, **inputs), expected, rtol=1e-5)
    self.assertTrue(self._after_loading(model))
    compute, sessions = saved_model.SavedModel.compute, []

    def noted(session, *arguments):
      sessions.append(session)
      return compute(session, *arguments)

    with mock.patch.object(saved_model.SavedModel, "compute", noted):
      alone = self._ask(model, **inputs)
      beside = self._ask_beside_another(model, **inputs)
      self._ask(model, **inputs)
    np.testing.assert_allclose(alone, expected, rtol=1e-5)
    np.testing.assert_allclose(beside, expected, rtol=1e-5)
    self.assertIs(sessions[0], sessions[2])
    self.assertIsNot(sessions[0], sessions[1])

  def test_many_at_a_time(self):
    module = _Network()
    model = self._load(module)
    random = np.random.default_rng(0)
    wrong = []

    def ask():
      for _ in range(20):
        images = random.random([1, 8, 8, 3], np.float32)
        expected = 2 * tf.nn.conv2d(images, module.kernel, 1, "SAME").numpy()
        answer = self._ask(model, image=images, name=np.array([b"a"], object))
        if not np.allclose(answer, expected, rtol=1e-4, atol=1e-5):
          wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    self.assertEmpty(wrong)
    self.assertFalse(self.concurrency.begin(), "all have ended")

  @parameterized.parameters((_Counter, "AssignAddVariableOp"), (_Dice, "RandomUniform"))
  def test_a_model_that_keeps_state_has_one_session(self, module, operation):
    model = self._load(module(), warmup_iterations=0)
    answers = []
    with self.assertLogs("serving", "INFO") as logs:
      for _ in range(_RUNS_BEFORE + 3):
        answers.append(float(self._ask_beside_another(model, x=np.float32(1))))
        self.assertFalse(self._after_loading(model))
    self.assertIn(f"no second session: FAILED_PRECONDITION: It has {operation}", logs.output[0])
    if module is _Counter:
      self.assertEqual(answers, [1, 2, 3, 4, 5])

  def test_files_that_have_changed_are_not_mixed_with_those_that_serve(self):
    module = _Network()
    model = self._load(module)
    inputs = {"image": np.ones([1, 8, 8, 3], np.float32), "name": np.array([b"a"], object)}
    before = self._ask(model, **inputs)
    module.kernel.assign(0 * module.kernel)
    shutil.rmtree(self.path)
    tf.saved_model.save(module, self.path, module.serve)
    for _ in range(_RUNS_BEFORE + 1):
      np.testing.assert_array_equal(self._ask_beside_another(model, **inputs), before)
      self.assertFalse(self._after_loading(model))

  def test_a_version_whose_folder_is_gone_serves_on(self):
    model = self._load(_Network())
    inputs = {"image": np.ones([1, 8, 8, 3], np.float32), "name": np.array([b"a"], object)}
    before = self._ask(model, **inputs)
    shutil.rmtree(self.path)
    for _ in range(_RUNS_BEFORE + 1):
      np.testing.assert_array_equal(self._ask_beside_another(model, **inputs), before)
      self.assertFalse(self._after_loading(model))

  def test_a_large_model_has_one_session(self):
    self.concurrency.max_bytes = 1000
    self.assertIsInstance(self._load(_Network()), saved_model.SavedModel)

  def _loading_model(self):
    """A model whose second session is being loaded, both sessions, and what lets it be loaded."""
    first, second, going_on = mock.MagicMock(), mock.MagicMock(), threading.Event()

    def load():
      going_on.wait(30)
      return second

    model = concurrent_model.ConcurrentModel(first, load, self.concurrency, "m")
    self.concurrency.begin()
    for _ in range(_RUNS_BEFORE):
      model.compute([], [], None)
    return model, first, second, going_on

  def test_closes_both(self):
    model, first, second, going_on = self._loading_model()
    going_on.set()
    self.assertTrue(self._after_loading(model))
    model.close()
    first.close.assert_called_once()
    second.close.assert_called_once()

  def test_closes_at_once_and_later_what_is_still_being_loaded(self):
    model, first, second, going_on = self._loading_model()
    model.close()
    first.close.assert_called_once()
    second.close.assert_not_called()
    going_on.set()
    self.assertFalse(self._after_loading(model))
    second.close.assert_called_once()

  def test_an_error_ends_the_run_for_the_count_too(self):
    first = mock.MagicMock()
    first.compute.side_effect = errors.StatusError("INTERNAL", "no")
    model = concurrent_model.ConcurrentModel(first, mock.MagicMock(), self.concurrency, "m")
    with self.assertRaises(errors.StatusError):
      model.run([], [], None, bytes)
    self.assertFalse(self.concurrency.begin())


class ConcurrencyTest(absltest.TestCase):
  def test_as_many_runs_as_cores_get_a_core_each(self):
    with mock.patch.object(concurrent_model, "_cpus", lambda: 3):
      concurrency = concurrent_model.Concurrency(1)
    self.assertEqual([concurrency.begin() for _ in range(4)], [False, False, True, True])
    concurrency.end()
    concurrency.end()
    self.assertTrue(concurrency.begin())
    concurrency.end()
    concurrency.end()
    self.assertFalse(concurrency.begin())


class PrepareTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.enterContext(mock.patch.dict(os.environ))
    os.environ.pop("TF_OVERRIDE_GLOBAL_THREADPOOL", None)
    self.enterContext(mock.patch.object(concurrent_model, "_cpus", lambda: 4))
    self.enterContext(mock.patch.object(concurrent_model.glob, "glob", lambda _: []))

  def test_the_second_session_has_one_thread_within_operations_and_threads_of_its_own(self):
    given = config_pb2.ConfigProto(allow_soft_placement=True)
    concurrency = concurrent_model.prepare(256, given)
    config = config_pb2.ConfigProto.FromString(concurrency.session_config)
    self.assertEqual(config.intra_op_parallelism_threads, 1)
    self.assertEqual([pool.num_threads for pool in config.session_inter_op_thread_pool], [4])
    self.assertTrue(config.allow_soft_placement)
    self.assertEqual(concurrency.max_bytes, 256 * 2**20)
    self.assertEqual(os.environ["TF_OVERRIDE_GLOBAL_THREADPOOL"], "1")

  def test_none_where_it_is_of_no_use_or_threads_were_chosen(self):
    plain = config_pb2.ConfigProto()
    self.assertIsNone(concurrent_model.prepare(0, plain))
    for field in ("intra_op_parallelism_threads", "inter_op_parallelism_threads"):
      self.assertIsNone(concurrent_model.prepare(256, config_pb2.ConfigProto(**{field: 1})))
    for cpus in (1, 17):
      with mock.patch.object(concurrent_model, "_cpus", lambda cpus=cpus: cpus):
        self.assertIsNone(concurrent_model.prepare(256, plain))
    with mock.patch.object(concurrent_model.glob, "glob", lambda _: ["/dev/nvidia0"]):
      self.assertIsNone(concurrent_model.prepare(256, plain))
    with mock.patch.dict(os.environ, TF_NUM_INTRAOP_THREADS="2"):
      self.assertIsNone(concurrent_model.prepare(256, plain))
    self.assertNotIn("TF_OVERRIDE_GLOBAL_THREADPOOL", os.environ)
    with mock.patch.dict(os.environ, TF_OVERRIDE_GLOBAL_THREADPOOL="0"):
      self.assertIsNone(concurrent_model.prepare(256, plain))


if __name__ == "__main__":
  absltest.main()
