import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.consistency import two_frame_cases
from tf_taskology.consistency import two_view


def terms_of(depth, inputs, **arguments):
  return two_view.TwoView(**{"jit_compile": False, **arguments})({"depth": depth}, inputs)


class TwoViewTest(two_frame_cases.TwoFrameCases, tf.test.TestCase, parameterized.TestCase):
  scale = 1.05

  def loss(self, **arguments):
    return two_view.TwoView(**{"smoothness": 0.0, **arguments})

  @parameterized.parameters(1, 2, 4)
  def test_true_depth_is_near_zero_and_wrong_scale_is_not(self, stride):
    inputs, depth = two_frame_cases.scene(stride=stride)
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
    inputs, depth = two_frame_cases.scene()
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
    inputs, depth = two_frame_cases.scene(48, 64, 1, sphere=True)
    only_l1 = {"l1": 1.0, "ssim": 0.0, "geometric": 0.0, "smoothness": 0.0}
    masked = terms_of(depth, inputs, occlusion_tolerance=0.02, **only_l1)["l1"]
    unmasked = terms_of(depth, inputs, occlusion_tolerance=1e9, **only_l1)["l1"]
    self.assertLess(masked, 0.7 * unmasked)

  def test_brightness_of_one_frame_does_not_matter_when_matched(self):
    inputs, depth = two_frame_cases.scene()
    gain = np.array([0.6, 0.5, 0.7], np.float32)
    image = tf.stack([inputs["image"][:, 0], inputs["image"][:, 1] * gain + 30], axis=1)
    darker = {**inputs, "image": image}
    plain = terms_of(depth, inputs)
    self.assertGreater(terms_of(depth, darker)["l1"], 10 * plain["l1"])
    matched = terms_of(depth, darker, match_brightness=True)
    self.assertLess(matched["l1"], 2 * plain["l1"])
    wrong = terms_of(depth * 1.1, darker, match_brightness=True)
    self.assertGreater(wrong["l1"], 1.5 * matched["l1"])

  def test_missing_depth_does_not_count(self):
    inputs, depth = two_frame_cases.scene()
    holes = depth.numpy()
    holes[:, :, 5:9, 6:12] = 0
    self.assertLess(terms_of(tf.constant(holes), inputs)["geometric"], 4e-4)
    nothing = terms_of(tf.zeros_like(depth), inputs)
    self.assertAllEqual(list(nothing.values()), [0, 0, 0, 0])

  @parameterized.parameters("l1", "ssim", "geometric", "smoothness")
  def test_gradient_equals_finite_differences(self, term):
    inputs, depth = two_frame_cases.scene(5, 6, 2, dtype=np.float64)
    noise = np.random.RandomState(3).normal(size=depth.shape)
    depth = depth * tf.constant(np.exp(0.02 * noise))
    weights = {name: float(name == term) for name in ("l1", "ssim", "geometric", "smoothness")}
    loss = two_view.TwoView(**weights, jit_compile=False)
    self.assert_gradient_equals_finite_differences(loss, term, depth, inputs, 1e-7)

  @parameterized.parameters(
    ({"weights": {"normals": 1.0}}, "normals"),
    ({"l1": -1.0}, "TwoView.l1"),
    ({"occlusion_tolerance": -0.1}, "occlusion_tolerance"),
  )
  def test_bad_arguments_are_refused(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      two_view.TwoView(**arguments)


if __name__ == "__main__":
  tf.test.main()
