import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene
from tf_taskology.consistency import matched_depth


def scene(height=24, width=32, stride=2):
  inputs, truth = analytic_scene.two_views(height, width, stride)
  inputs = {name: tf.constant(value) for name, value in inputs.items()}
  return inputs, tf.constant(truth["depth"])


def loss(**arguments):
  return matched_depth.MatchedDepth(**{"jit_compile": False, **arguments})


def search(inputs, size=(24, 32), **arguments):
  found = tf.function(lambda **read: loss(**arguments).search(**read, size=size), autograph=False)(
    **inputs
  )
  return [x.numpy() for x in found]


def both(depth):
  return np.concatenate([depth[:, 0], depth[:, 1]])


class MatchedDepthTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.product(stride=[1, 2], window=[5, 9])
  def test_the_sweep_finds_depth(self, stride, window):
    inputs, depth = scene(stride=stride)
    found, weight = search(inputs, window=window)
    self.assertEqual(found.shape, (2, 24, 32, 1))
    self.assertAllInRange(weight, 0, 1)
    error = np.abs(np.log(found / both(depth.numpy())))
    self.assertGreater(np.mean(weight > 0.4), 0.5)
    self.assertLess(np.sum(weight * error) / np.sum(weight), 0.08)

  def test_value_and_descent(self):
    inputs, depth = scene()
    wrong = depth * 1.2
    with tf.GradientTape() as tape:
      tape.watch(wrong)
      value = loss(window=5)({"depth": wrong}, inputs)["log_l1"]
    matched, weight = (x.numpy() for x in loss(window=5).search(**inputs, size=(24, 32)))
    error = np.pad(
      (weight * np.log(both(wrong.numpy()) / matched))[..., 0], [(0, 0), (2, 2), (2, 2)]
    )
    sums = [error[:, y : y + 24, x : x + 32] for y in range(5) for x in range(5)]
    self.assertAllClose(value, np.mean(np.abs(np.sum(sums, axis=0))) / 25, rtol=1e-4)
    gradient = both(tape.gradient(value, wrong).numpy())
    self.assertGreater(np.sum(gradient[gradient > 0]), 10 * -np.sum(gradient[gradient < 0]))

  def test_gradient_equals_finite_differences(self):
    inputs, truth = analytic_scene.two_views(6, 8, 2, dtype=np.float64)
    inputs = {name: tf.constant(value) for name, value in inputs.items()}
    depth = tf.constant(1.2 * truth["depth"])
    relation = loss(window=3)
    value = tf.function(lambda depth: relation({"depth": depth}, inputs)["log_l1"])
    theoretical, numerical = tf.test.compute_gradient(value, [depth], 1e-6)
    self.assertGreater(np.abs(numerical[0]).max(), 1e-4)
    self.assertAllClose(theoretical[0], numerical[0], atol=1e-6)

  def test_the_shape_within_a_window_is_left_alone(self):
    inputs, depth = scene()
    relation = loss(window=9)
    ripple = np.exp(0.05 * (-1.0) ** np.arange(32, dtype=np.float32))[:, np.newaxis]
    plain, rippled = (
      float(relation({"depth": d}, inputs)["log_l1"]) for d in (depth * 1.2, depth * 1.2 * ripple)
    )
    self.assertAllClose(plain, rippled, rtol=0.03)

  def test_without_parallax_nothing_is_distinct(self):
    inputs, _ = scene()
    pose = inputs["pose"][:, :1]
    inputs = {
      **inputs,
      "image": tf.repeat(inputs["image"][:, :1], 2, axis=1),
      "pose": tf.repeat(pose, 2, axis=1),
    }
    _, distinctness = search(inputs)
    self.assertAllClose(distinctness, np.zeros_like(distinctness), atol=2e-2)

  def test_frames_without_common_view_weigh_nothing(self):
    inputs, depth = scene()
    apart = np.stack([analytic_scene.pose(), analytic_scene.pose(yaw=np.pi)])[None]
    inputs = {**inputs, "pose": tf.constant(apart, tf.float32)}
    with tf.GradientTape() as tape:
      tape.watch(depth)
      value = loss()({"depth": depth}, inputs)["log_l1"]
    self.assertAllEqual(value, 0.0)
    self.assertAllEqual(tape.gradient(value, depth), tf.zeros_like(depth))

  def test_missing_depth_does_not_count_and_gets_no_gradient(self):
    inputs, depth = scene()
    holes = depth.numpy() * 1.2
    holes[:, :, 5:9, 6:12] = 0
    holes = tf.constant(holes)
    with tf.GradientTape() as tape:
      tape.watch(holes)
      value = loss()({"depth": holes}, inputs)["log_l1"]
    self.assertGreater(value, 0.1)
    gradient = tape.gradient(value, holes)
    self.assertTrue(np.all(np.isfinite(gradient)))
    self.assertAllEqual(gradient[:, :, 5:9, 6:12], tf.zeros([1, 2, 4, 6, 1]))

  def test_xla_gives_the_same_within_a_distributed_step(self):
    inputs, depth = scene(12, 16)
    depth = depth * 1.15
    compiled = matched_depth.MatchedDepth(weights={"depth": 1.0}, window=5)
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])

    @tf.function
    def step(depth, inputs):
      def replica():
        with tf.GradientTape() as tape:
          tape.watch(depth)
          terms = compiled({"depth": depth}, inputs)
        return terms, tape.gradient(terms, depth)

      return strategy.run(replica)

    terms, gradient = step(depth, inputs)
    with tf.GradientTape() as tape:
      tape.watch(depth)
      expected = loss(window=5)({"depth": depth}, inputs)
    self.assertAllClose(terms, expected, rtol=1e-3)
    self.assertAllClose(gradient, tape.gradient(expected, depth), atol=1e-4)

  @parameterized.parameters(
    ({"weights": {"normals": 1.0}}, "normals"),
    ({"near": 0.0}, "0 < near < far"),
    ({"near": 5.0, "far": 2.0}, "0 < near < far"),
    ({"planes": 2}, "planes must be an integer >= 3"),
    ({"window": 2.0}, "window must be an odd number >= 1"),
    ({"frames": (0, 0)}, "two different"),
  )
  def test_bad_arguments_are_refused(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      matched_depth.MatchedDepth(**arguments)

  def test_single_frame_is_refused(self):
    inputs, depth = scene()
    with self.assertRaisesRegex(ValueError, "'depth' has 1 frames"):
      loss()({"depth": depth[:, :1]}, inputs)


if __name__ == "__main__":
  tf.test.main()
