import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene
from tf_taskology.consistency import depth_normals
from tf_taskology.geometry import surface_normals


def scene(height=12, width=16, stride=2, dtype=np.float32):
  """Inputs, and true depth and normals, of frames that show planes."""
  inputs, truth = analytic_scene.two_views(height, width, stride, dtype=dtype)
  return (
    {name: tf.constant(value) for name, value in inputs.items()},
    {name: tf.constant(value) for name, value in truth.items()},
  )


def turned(normals, degrees):
  """Normals turned about an axis at right angles to them."""
  axis = np.cross(normals, [0.3, 0.9, 0.1])
  axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
  turn = np.radians(degrees)
  return tf.constant(np.cos(turn) * normals + np.sin(turn) * axis, normals.dtype)


def value_and_gradients(loss, predictions, inputs, labels=None):
  with tf.GradientTape() as tape:
    tape.watch(predictions)
    value = loss(predictions, inputs, labels)["cosine"]
  return value, tape.gradient(value, predictions)


class DepthNormalsTest(tf.test.TestCase, parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.inputs, self.truth = scene()
    normals, _ = surface_normals.depth_to_normals(
      self.truth["depth"], self.inputs["intrinsics"] * np.array([[0.5], [0.5], [1]], np.float32)
    )
    self.agreeing = {"depth": self.truth["depth"], "normals": normals}

  @parameterized.parameters(1, 2, 4)
  def test_true_depth_and_normals_agree_at_any_stride_away_from_edges(self, stride):
    inputs, truth = scene(48, 64, stride)
    loss = depth_normals.DepthNormals(edge_threshold=0.005)
    self.assertLess(loss(truth, inputs)["cosine"], 1e-4)
    self.assertLess(loss({**truth, "depth": truth["depth"] * 3}, inputs)["cosine"], 1e-4)

  def test_value_is_one_minus_cosine(self):
    predictions = {**self.agreeing, "normals": turned(self.agreeing["normals"], 30)}
    value = depth_normals.DepthNormals()(predictions, self.inputs)["cosine"]
    self.assertAllClose(value, 1 - np.cos(np.radians(30)), atol=1e-5)

  def test_missing_pixels_do_not_count_and_get_no_gradient(self):
    normals = turned(self.agreeing["normals"], 20).numpy()
    normals[:, :, 3, 5] = 0
    depth = self.agreeing["depth"].numpy()
    depth[:, :, 8, 9] = 0
    loss = depth_normals.DepthNormals(agreement_temperature=0.1)
    predictions = {"depth": tf.constant(depth), "normals": tf.constant(normals)}
    value, gradients = value_and_gradients(loss, predictions, self.inputs)
    self.assertGreater(value, 0)
    for gradient, (y, x) in ((gradients["normals"], (3, 5)), (gradients["depth"], (8, 9))):
      self.assertTrue(np.all(np.isfinite(gradient)))
      self.assertAllEqual(gradient[:, :, y, x], tf.zeros_like(gradient[:, :, y, x]))
    self.assertAllEqual(gradients["normals"][0, 0, 8, 9], [0, 0, 0])

    nothing = {"depth": tf.zeros_like(depth), "normals": tf.constant(normals)}
    value, gradients = value_and_gradients(loss, nothing, self.inputs)
    self.assertEqual(value, 0)
    self.assertAllEqual(gradients["depth"], tf.zeros_like(depth))

  def test_only_the_named_frames_are_read(self):
    broken = self.agreeing["normals"].numpy()
    broken[:, 0] *= -1
    predictions = {**self.agreeing, "normals": tf.constant(broken)}
    first = depth_normals.DepthNormals()
    second = depth_normals.DepthNormals(frames=(1,))
    both = depth_normals.DepthNormals(frames=(0, 1))
    self.assertAllClose(first(predictions, self.inputs)["cosine"], 2.0, atol=1e-5)
    self.assertAllClose(second(predictions, self.inputs)["cosine"], 0.0, atol=1e-5)
    self.assertAllClose(both(predictions, self.inputs)["cosine"], 1.0, atol=1e-5)
    self.assertEqual(both.needs, {"depth": (0, 1), "normals": (0, 1)})

  def test_agreement_weighs_the_plain_gradient_of_every_pixel(self):
    normals = self.agreeing["normals"].numpy()
    normals[:, :, :, :8] = turned(normals[:, :, :, :8], 10)
    normals[:, :, :, 8:] = turned(normals[:, :, :, 8:], 60)
    predictions = {**self.agreeing, "normals": tf.constant(normals)}
    _, plain = value_and_gradients(depth_normals.DepthNormals(), predictions, self.inputs)
    weighted = depth_normals.DepthNormals(agreement_temperature=0.2)
    value, gradients = value_and_gradients(weighted, predictions, self.inputs)
    weights = np.exp(-(1 - np.cos(np.radians([10, 60]))) / 0.2)
    expected = plain["normals"].numpy()
    expected[:, :, :, :8] *= weights[0]
    expected[:, :, :, 8:] *= weights[1]
    self.assertAllClose(gradients["normals"], expected, rtol=1e-3, atol=1e-8)
    self.assertAllClose(value, np.mean(0.2 * (1 - weights)), rtol=1e-3)

    normalised = depth_normals.DepthNormals(agreement_temperature=0.2, agreement_normalised=True)
    _, gradients = value_and_gradients(normalised, predictions, self.inputs)
    self.assertAllClose(gradients["normals"], expected / np.mean(weights), rtol=1e-3, atol=1e-8)

  def test_labels_stand_in_place_of_predictions_and_are_trusted(self):
    loss = depth_normals.DepthNormals(agreement_temperature=0.1)
    wrong = turned(self.agreeing["normals"], 80)
    labels = {"normals": wrong}
    predictions = {"depth": self.agreeing["depth"]}
    value, gradients = value_and_gradients(loss, predictions, self.inputs, labels)
    plain = depth_normals.DepthNormals()
    _, expected = value_and_gradients(plain, {**predictions, **labels}, self.inputs)
    self.assertAllClose(value, 1 - np.cos(np.radians(80)), atol=1e-5)
    self.assertAllClose(gradients["depth"], expected["depth"], atol=1e-7)
    # Labels of outputs that the loss does not read change nothing.
    other = loss({**predictions, **labels}, self.inputs, {"segmentation": wrong})["cosine"]
    self.assertLess(other, 0.1)

  @parameterized.product(temperature=[None, 0.3], edge_threshold=[None, 0.5], window=[1, 3])
  def test_gradient_equals_finite_differences(self, temperature, edge_threshold, window):
    inputs, truth = scene(3, 4, 1, np.float64)
    random = np.random.RandomState(0)
    depth = tf.constant(truth["depth"] * np.exp(0.05 * random.normal(size=truth["depth"].shape)))
    normals = turned(truth["normals"], 15)
    loss = depth_normals.DepthNormals(
      agreement_temperature=temperature,
      edge_threshold=edge_threshold,
      window=window,
    )

    @tf.function
    def value(depth, normals):
      return loss({"depth": depth, "normals": normals}, inputs)["cosine"]

    theoretical, numerical = tf.test.compute_gradient(value, [depth, normals], 1e-6)
    for a, b in zip(theoretical, numerical, strict=True):
      self.assertAllClose(a, b, atol=1e-8)

  def test_xla_gives_the_same(self):
    predictions = {**self.agreeing, "normals": turned(self.agreeing["normals"], 40)}
    arguments = {"agreement_temperature": 0.1, "edge_threshold": 0.1, "window": 3}
    results = [
      value_and_gradients(
        depth_normals.DepthNormals(**arguments, jit_compile=jit), predictions, self.inputs
      )
      for jit in (False, True)
    ]
    self.assertAllClose(results[0][0], results[1][0], rtol=1e-5)
    self.assertAllClose(results[0][1], results[1][1], atol=1e-7)

  @parameterized.parameters(
    ({"weights": {"segmentation": 1.0}}, "segmentation"),
    ({"weights": {"depth": -1.0}}, "-1.0"),
    ({"agreement_temperature": 0.0}, "agreement_temperature"),
    ({"edge_threshold": -0.1}, "edge_threshold"),
    ({"window": 2}, "odd"),
    ({"frames": ()}, "frames"),
    ({"frames": (0, 0)}, "frames"),
  )
  def test_bad_arguments_are_refused(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      depth_normals.DepthNormals(**arguments)

  def test_sample_with_too_few_frames_or_odd_size_is_refused(self):
    with self.assertRaisesRegex(ValueError, "has 2 frames"):
      depth_normals.DepthNormals(frames=(2,))(self.agreeing, self.inputs)
    smaller = {name: value[:, :, :, :7] for name, value in self.agreeing.items()}
    with self.assertRaisesRegex(ValueError, "No stride"):
      depth_normals.DepthNormals()(smaller, self.inputs)


if __name__ == "__main__":
  tf.test.main()
