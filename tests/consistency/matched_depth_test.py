import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.consistency import two_frame_cases
from tf_taskology.consistency import matched_depth


def loss(**arguments):
  return matched_depth.MatchedDepth(**{"jit_compile": False, **arguments})


def search(inputs, size=(24, 32), **arguments):
  found = tf.function(lambda **read: loss(**arguments).search(**read, size=size), autograph=False)(
    **inputs
  )
  return [x.numpy() for x in found]


def both(depth):
  return np.concatenate([depth[:, 0], depth[:, 1]])


class MatchedDepthTest(two_frame_cases.TwoFrameCases, tf.test.TestCase, parameterized.TestCase):
  scale = 1.15
  xla_tolerance = (1e-3, 1e-4)

  def loss(self, **arguments):
    return matched_depth.MatchedDepth(**{"window": 5, **arguments})

  @parameterized.product(stride=[1, 2], window=[5, 9])
  def test_the_sweep_finds_depth(self, stride, window):
    inputs, depth = two_frame_cases.scene(stride=stride)
    found, weight = search(inputs, window=window)
    self.assertEqual(found.shape, (2, 24, 32, 1))
    self.assertAllInRange(weight, 0, 1)
    error = np.abs(np.log(found / both(depth.numpy())))
    self.assertGreater(np.mean(weight > 0.4), 0.5)
    self.assertLess(np.sum(weight * error) / np.sum(weight), 0.08)

  def test_value_and_descent(self):
    inputs, depth = two_frame_cases.scene()
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
    inputs, depth = two_frame_cases.scene(6, 8, dtype=np.float64)
    self.assert_gradient_equals_finite_differences(
      loss(window=3), "log_l1", 1.2 * depth, inputs, 1e-6
    )

  def test_the_shape_within_a_window_is_left_alone(self):
    inputs, depth = two_frame_cases.scene()
    relation = loss(window=9)
    ripple = np.exp(0.05 * (-1.0) ** np.arange(32, dtype=np.float32))[:, np.newaxis]
    plain, rippled = (
      float(relation({"depth": d}, inputs)["log_l1"]) for d in (depth * 1.2, depth * 1.2 * ripple)
    )
    self.assertAllClose(plain, rippled, rtol=0.03)

  def test_without_parallax_nothing_is_distinct(self):
    inputs, _ = two_frame_cases.scene()
    pose = inputs["pose"][:, :1]
    inputs = {
      **inputs,
      "image": tf.repeat(inputs["image"][:, :1], 2, axis=1),
      "pose": tf.repeat(pose, 2, axis=1),
    }
    _, distinctness = search(inputs)
    self.assertAllClose(distinctness, np.zeros_like(distinctness), atol=2e-2)

  @parameterized.parameters(
    ({"weights": {"normals": 1.0}}, "normals"),
    ({"near": 0.0}, "0 < near < far"),
    ({"near": 5.0, "far": 2.0}, "0 < near < far"),
    ({"planes": 2}, "planes must be an integer >= 3"),
    ({"window": 2.0}, "window must be an odd number >= 1"),
  )
  def test_bad_arguments_are_refused(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      matched_depth.MatchedDepth(**arguments)


if __name__ == "__main__":
  tf.test.main()
