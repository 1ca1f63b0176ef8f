import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene
from tf_taskology.consistency import two_view


def scene(height=24, width=32, stride=2, sphere=False, dtype=np.float32):
  inputs, truth = analytic_scene.two_views(height, width, stride, sphere, dtype)
  inputs = {name: tf.constant(value) for name, value in inputs.items()}
  return inputs, tf.constant(truth["depth"])


def terms_of(depth, inputs, **arguments):
  return two_view.TwoView(**{"jit_compile": False, **arguments})({"depth": depth}, inputs)


class TwoViewTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(1, 2, 4)
  def test_true_depth_is_near_zero_and_wrong_scale_is_not(self, stride):
    inputs, depth = scene(stride=stride)
    right = terms_of(depth, inputs, smoothness=0.0)
    self.assertEqual(set(right), {"l1", "ssim", "geometric"})
    self.assertLess(right["l1"], 0.004)
    self.assertLess(right["ssim"], 0.02)
    self.assertLess(right["geometric"], 2e-4)
    for scale in (0.9, 1.1):
      wrong = terms_of(depth * scale, inputs, smoothness=0.0)
      self.assertGreater(wrong["l1"], 2 * right["l1"])
      self.assertGreater(wrong["ssim"], 1.4 * right["ssim"])
      self.assertGreater(wrong["geometric"], 5 * right["geometric"])

  @parameterized.parameters("l1", "ssim", "geometric")
  def test_descent_of_each_term_finds_the_scale(self, term):
    inputs, depth = scene()
    weights = {name: float(name == term) for name in ("l1", "ssim", "geometric", "smoothness")}

    def slope(value):
      with tf.GradientTape() as tape:
        scale = tf.constant(value)
        tape.watch(scale)
        loss = terms_of(depth * scale, inputs, **weights)[term]
      return tape.gradient(loss, scale)

    self.assertGreater(slope(1.1), 0)
    self.assertLess(slope(0.9), 0)

  def test_occluded_pixels_are_left_out(self):
    inputs, depth = scene(48, 64, 1, sphere=True)
    only_l1 = {"l1": 1.0, "ssim": 0.0, "geometric": 0.0, "smoothness": 0.0}
    masked = terms_of(depth, inputs, occlusion_tolerance=0.02, **only_l1)["l1"]
    unmasked = terms_of(depth, inputs, occlusion_tolerance=1e9, **only_l1)["l1"]
    self.assertLess(masked, 0.7 * unmasked)

  def test_brightness_of_one_frame_does_not_matter_when_matched(self):
    inputs, depth = scene()
    gain = np.array([0.6, 0.5, 0.7], np.float32)
    image = tf.stack([inputs["image"][:, 0], inputs["image"][:, 1] * gain + 30], axis=1)
    darker = {**inputs, "image": image}
    plain = terms_of(depth, inputs)
    self.assertGreater(terms_of(depth, darker)["l1"], 10 * plain["l1"])
    matched = terms_of(depth, darker, match_brightness=True)
    self.assertLess(matched["l1"], 2 * plain["l1"])
    wrong = terms_of(depth * 1.1, darker, match_brightness=True)
    self.assertGreater(wrong["l1"], 1.5 * matched["l1"])

  def test_missing_depth_does_not_count_and_gets_no_gradient(self):
    inputs, depth = scene()
    holes = depth.numpy()
    holes[:, :, 5:9, 6:12] = 0
    holes = tf.constant(holes)
    with tf.GradientTape() as tape:
      tape.watch(holes)
      terms = terms_of(holes, inputs, smoothness=0.0)
    self.assertLess(terms["geometric"], 4e-4)
    gradient = tape.gradient(terms, holes)
    self.assertTrue(np.all(np.isfinite(gradient)))
    self.assertAllEqual(gradient[:, :, 5:9, 6:12], tf.zeros([1, 2, 4, 6, 1]))

    nothing = tf.zeros_like(depth)
    with tf.GradientTape() as tape:
      tape.watch(nothing)
      terms = terms_of(nothing, inputs)
    self.assertAllEqual(list(terms.values()), [0, 0, 0, 0])
    self.assertAllEqual(tape.gradient(terms, nothing), nothing)

  def test_frames_without_common_view_weigh_nothing(self):
    inputs, depth = scene()
    apart = np.stack([analytic_scene.pose(), analytic_scene.pose(yaw=np.pi)])[None]
    inputs = {**inputs, "pose": tf.constant(apart, tf.float32)}
    with tf.GradientTape() as tape:
      tape.watch(depth)
      terms = terms_of(depth, inputs, smoothness=0.0)
    self.assertAllEqual(list(terms.values()), [0, 0, 0])
    self.assertAllEqual(tape.gradient(terms, depth), tf.zeros_like(depth))

  @parameterized.parameters("l1", "ssim", "geometric", "smoothness")
  def test_gradient_equals_finite_differences(self, term):
    inputs, depth = scene(5, 6, 2, dtype=np.float64)
    noise = np.random.RandomState(3).normal(size=depth.shape)
    depth = depth * tf.constant(np.exp(0.02 * noise))
    weights = {name: float(name == term) for name in ("l1", "ssim", "geometric", "smoothness")}
    loss = two_view.TwoView(**weights, jit_compile=False)
    value = tf.function(lambda depth: loss({"depth": depth}, inputs)[term])
    theoretical, numerical = tf.test.compute_gradient(value, [depth], 1e-7)
    self.assertGreater(np.abs(numerical[0]).max(), 1e-4)
    self.assertAllClose(theoretical[0], numerical[0], atol=1e-6)

  def test_xla_gives_the_same_within_a_distributed_step(self):
    inputs, depth = scene(12, 16)
    depth = depth * 1.05
    compiled = two_view.TwoView(weights={"depth": 1.0})
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
      expected = terms_of(depth, inputs)
    self.assertAllClose(terms, expected, rtol=1e-4)
    self.assertAllClose(gradient, tape.gradient(expected, depth), atol=1e-6)

  @parameterized.parameters(
    ({"weights": {"normals": 1.0}}, "normals"),
    ({"l1": -1.0}, "TwoView.l1"),
    ({"occlusion_tolerance": -0.1}, "occlusion_tolerance"),
    ({"frames": (0,)}, "two different"),
    ({"frames": (1, 1)}, "two different"),
  )
  def test_bad_arguments_are_refused(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      two_view.TwoView(**arguments)

  def test_single_frame_is_refused(self):
    inputs, depth = scene()
    with self.assertRaisesRegex(ValueError, "'depth' has 1 frames"):
      terms_of(depth[:, :1], inputs)


if __name__ == "__main__":
  tf.test.main()
