"""SavedModels as TF1, TF2 and Keras write them."""

import os
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from tensorflow_serving.apis import predict_pb2

from serving import convolutions, errors, loading, predict
from tests.serving import exports

_V1 = tf.compat.v1


class SavedModelsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.enterContext(tempfile.TemporaryDirectory())
    self.path = os.path.join(self.folder, "1")

  def _predict(self, signature="", tags=("serve",), **inputs):
    model = loading.Loader(tags=tags).load(self.path)
    request = exports.request(signature, **inputs).SerializeToString()
    answer = predict.run(model, 1, predict.parse(request), predict.Options())
    model.close()
    outputs = predict_pb2.PredictResponse.FromString(answer).outputs
    return {alias: tf.make_ndarray(proto) for alias, proto in outputs.items()}

  def test_tf1_with_variable_asset_and_initialised_table(self):
    vocabulary = os.path.join(self.folder, "words.txt")
    with open(vocabulary, "w") as file:
      file.write("zero\none\ntwo\n")
    with tf.Graph().as_default(), _V1.Session() as session:
      asset = tf.constant(vocabulary)
      words = tf.lookup.TextFileInitializer(
        asset, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
      )  # fmt: skip
      table = tf.lookup.StaticHashTable(words, -1)
      factor = _V1.get_variable("factor", initializer=10.0, use_resource=False)
      word = _V1.placeholder(tf.string, [None])
      number = tf.cast(table.lookup(word), tf.float32) * factor
      session.run([_V1.global_variables_initializer(), _V1.tables_initializer()])
      builder = _V1.saved_model.Builder(self.path)
      signature = _V1.saved_model.predict_signature_def({"word": word}, {"number": number})
      builder.add_meta_graph_and_variables(
        session,
        ["serve", "tuned"],
        {"serving_default": signature},
        assets_collection=_V1.get_collection(_V1.GraphKeys.ASSET_FILEPATHS),
        main_op=_V1.tables_initializer(),
      )
      builder.save()
    os.remove(vocabulary)
    words = np.array([b"two", b"one", b"six"], object)
    answer = self._predict(tags=("serve", "tuned"), word=words)
    np.testing.assert_array_equal(answer["number"], np.float32([20, 10, -10]))
    with self.assertRaisesRegex(errors.StatusError, "NOT_FOUND: Could not find meta graph def"):
      self._predict(word=words)

  def test_keras(self):
    inputs = tf.keras.Input([8, 8, 3], name="image")
    x = tf.keras.layers.BatchNormalization()(tf.keras.layers.Conv2D(4, 3)(inputs))
    outputs = tf.keras.layers.Dense(2, name="scores")(tf.keras.layers.GlobalMaxPool2D()(x))
    model = tf.keras.Model(inputs, outputs)
    model.save(self.path, save_format="tf")
    images = np.random.default_rng(0).random([3, 8, 8, 3], np.float32)
    answer = self._predict(image=images)
    np.testing.assert_allclose(answer["scores"], model(images).numpy(), rtol=1e-4, atol=1e-5)

  def test_signal_without_its_batch_does_not_end_the_process(self):
    module = tf.Module()
    module.kernel = tf.Variable(tf.ones([3, 1, 2]))
    smooth = tf.function(lambda x: tf.nn.conv1d(x[..., None], module.kernel, 1, "SAME"))
    signals = [tf.TensorSpec([None, None], tf.float32, "signal")]
    module.smooth = tf.function(lambda signal: {"y": smooth(signal)}, signals)
    module.half = tf.function(lambda x: {"y": x / 2}, [tf.TensorSpec([None, 1], tf.float32, "x")])
    signatures = {"serving_default": module.smooth, "half": module.half}
    tf.saved_model.save(module, self.path, signatures)
    answer = self._predict(signal=np.ones([1, 3], np.float32))
    np.testing.assert_array_equal(answer["y"], [[[2, 2], [3, 3], [2, 2]]])
    with self.assertRaisesRegex(errors.StatusError, r"must be 2-dimensional: \[3\]"):
      self._predict(signal=np.ones([3], np.float32))
    # A signature that does not convolve takes what the graph takes.
    np.testing.assert_array_equal(self._predict("half", x=np.float32([4]))["y"], [2])

  def test_text_without_its_batch_does_not_end_the_process(self):
    module = tf.Module()
    kernel = tf.ones([3, 8, 1])

    def run(words):
      numbers = tf.strings.to_hash_bucket_fast(words, 8)
      return {"y": tf.nn.conv1d(tf.one_hot(numbers, 8), kernel, 1, "SAME")}

    for name, shape in (("serving_default", [None, None]), ("open", None)):
      setattr(module, name, tf.function(run, [tf.TensorSpec(shape, tf.string, "words")]))
    signatures = {"serving_default": module.serving_default, "open": module.open}
    tf.saved_model.save(module, self.path, signatures)
    words = np.array([[b"a", b"b", b"c"]], object)
    with self.assertLogs("serving", "WARNING") as logged:
      for signature in signatures:
        np.testing.assert_array_equal(
          self._predict(signature, words=words)["y"][..., 0], [[2, 3, 2]]
        )
      with self.assertRaisesRegex(errors.StatusError, r"must be 2-dimensional: \[3\]"):
        self._predict(words=words[0])
    self.assertIn("signature open leaves the rank of words open", logged.output[0])
    self.assertIn("not caught", logged.output[0])

  def test_open_rank_of_images(self):
    """Fewer dimensions than a convolution takes would end the process."""
    module = tf.Module()
    kernel = tf.ones([3, 3, 3, 1])

    def run(image, negative):
      y = tf.nn.conv2d(image, kernel, 1, "SAME")
      return {"y": tf.where(negative, -y, y)}

    specs = [tf.TensorSpec(None, tf.float32, "image"), tf.TensorSpec(None, tf.bool, "negative")]
    module.run = tf.function(run, specs)
    module.half = tf.function(lambda x: {"y": x / 2}, [tf.TensorSpec(None, tf.float32, "x")])
    tf.saved_model.save(module, self.path, {"serving_default": module.run, "half": module.half})
    with self.assertLogs("serving", "WARNING") as logged:
      answer = self._predict(image=np.ones([1, 8, 8, 3], np.float32), negative=np.array(True))
    np.testing.assert_array_equal(answer["y"][0, 3, 3], [-27])
    self.assertLen(logged.output, 1)
    self.assertIn("signature serving_default leaves the rank of image open", logged.output[0])
    for shape in ([], [8], [8, 8], [8, 8, 3]):
      with self.assertRaisesRegex(errors.StatusError, "image must be at least 4-dimensional"):
        self._predict(image=np.ones(shape, np.float32), negative=np.array(True))
    self.assertEqual(self._predict("half", x=np.float32(4))["y"], 2)

  def test_open_rank_of_bytes_that_are_made_into_pictures(self):
    module = tf.Module()
    kernel = tf.ones([1, 1, 3, 1])

    def run(png):
      image = tf.cast(tf.io.decode_png(png, channels=3)[tf.newaxis], tf.float32)
      return {"y": tf.nn.conv2d(image, kernel, 1, "SAME")[..., 0]}

    module.run = tf.function(run, [tf.TensorSpec(None, tf.string, "png")])
    tf.saved_model.save(module, self.path, {"serving_default": module.run})
    png = tf.io.encode_png(np.full([2, 2, 3], 5, np.uint8)).numpy()
    with self.assertNoLogs("serving", "WARNING"):
      np.testing.assert_array_equal(self._predict(png=np.array(png, object))["y"], [[[15] * 2] * 2])
      for wrong in (np.array([png], object), np.array([[png]], object)):
        with self.assertRaisesRegex(errors.StatusError, "INVALID_ARGUMENT"):
          self._predict(png=wrong)

  def test_open_rank_of_volumes(self):
    module = tf.Module()
    kernel = tf.ones([3, 3, 3, 1, 1])
    spec = [tf.TensorSpec(None, tf.float32, "x")]
    module.run = tf.function(lambda x: {"y": tf.nn.conv3d(x, kernel, [1] * 5, "SAME")}, spec)
    tf.saved_model.save(module, self.path, {"serving_default": module.run})
    with self.assertLogs("serving", "WARNING"):
      answer = self._predict(x=np.ones([1, 3, 3, 3, 1], np.float32))
      with self.assertRaisesRegex(errors.StatusError, "x must be at least 5-dimensional"):
        self._predict(x=np.ones([3, 3, 3, 1], np.float32))
    self.assertEqual(answer["y"][0, 1, 1, 1, 0], 27)

  def test_convolutions_of_graphs_too_large_to_look_at(self):
    graph = tf.Graph()
    with graph.as_default():
      image = _V1.placeholder(tf.float32, [None, 8, 8, 3])
      convolved = tf.nn.conv2d(image, tf.ones([3, 3, 3, 1]), 1, "SAME")
      outputs = {"convolved": convolved, "flat": tf.reshape(image, [-1])}
      signatures = {
        name: _V1.saved_model.predict_signature_def({"image": image}, {"y": output})
        for name, output in outputs.items()
      }
    serialized = graph.as_graph_def().SerializeToString()
    # Without the exporter's notes, ranks count as open.
    self.assertEqual(convolutions.ranks(serialized, signatures), {"convolved": (4, 4)})
    noted = graph.as_graph_def(add_shapes=True).SerializeToString()
    self.assertEqual(convolutions.ranks(noted, signatures), {"convolved": (4, 0)})
    with mock.patch.object(convolutions, "_MOST_GRAPH_BYTES", 10):
      found = convolutions.ranks(memoryview(serialized), signatures)
    self.assertEqual(found, {"convolved": (4, 4), "flat": (4, 4)})
    with mock.patch.dict(os.environ, TF_ENABLE_ONEDNN_OPTS="0"):
      self.assertEqual(convolutions.ranks(serialized, signatures), {})

  def test_keras_export_archive(self):
    model = tf.keras.Sequential([tf.keras.Input([3]), tf.keras.layers.Dense(2)])
    model.export(self.path)
    x = np.float32([[1, 2, 3]])
    (answer,) = self._predict(
      **{next(iter(tf.saved_model.load(self.path).signatures["serving_default"].structured_input_signature[1])): x}
    ).values()  # fmt: skip
    np.testing.assert_allclose(answer, model(x).numpy(), rtol=1e-5)

  def test_tf2_with_control_flow_and_default_state(self):
    module = tf.Module()
    module.steps = tf.Variable(3)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, "n")])
    def powers(n):
      result = tf.ones_like(n)
      for _ in tf.range(module.steps):
        result = tf.where(result > 100, result, result * n)
      return {"powers": result}

    tf.saved_model.save(module, self.path, {"serving_default": powers})
    answer = self._predict(n=np.int32([2, 5, 200]))
    np.testing.assert_array_equal(answer["powers"], [8, 125, 200])


if __name__ == "__main__":
  tf.test.main()
