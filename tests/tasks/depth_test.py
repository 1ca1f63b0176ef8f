import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.tasks import depth

_LABEL = np.array([2.0, 0.0, 4.0, 1.0], np.float32).reshape(1, 1, 2, 2, 1)
_PREDICTION = np.array([2.5, 7.0, 2.0, 1.0], np.float32).reshape(1, 1, 2, 2, 1)


def loss_of(task, label=_LABEL, prediction=_PREDICTION):
  terms = task.loss({"depth": tf.constant(label)}, {"depth": tf.constant(prediction)})
  assert len(terms) == 1
  return next(iter(terms.values()))


class DepthTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.named_parameters(
    ("log_l1", "log_l1", (math.log(1.25) + math.log(2)) / 3),
    ("log_l2", "log_l2", (math.log(1.25) ** 2 + math.log(2) ** 2) / 3),
    ("l1", "l1", 2.5 / 3),
    # c = 0.4, a fifth of the largest error 2.
    ("berhu", "berhu", ((0.25 + 0.16) / 0.8 + (4 + 0.16) / 0.8) / 3),
    (
      "scale_invariant",
      "scale_invariant",
      (math.log(1.25) ** 2 + math.log(2) ** 2) / 3
      - 0.5 * ((math.log(1.25) - math.log(2)) / 3) ** 2,
    ),
  )
  def test_loss_by_hand_leaves_out_missing_labels(self, loss, expected):
    self.assertAllClose(loss_of(depth.Depth(loss=loss)), expected, rtol=1e-6)

  @parameterized.parameters("log_l1", "log_l2", "l1", "berhu", "scale_invariant")
  def test_without_labels_loss_and_gradient_are_zero(self, loss):
    prediction = tf.constant([[1.0, 0.0], [np.nan, 3.0]])[None, None, ..., None]
    with tf.GradientTape() as tape:
      tape.watch(prediction)
      term = depth.Depth(loss=loss).loss(
        {"depth": tf.zeros_like(prediction)}, {"depth": prediction}
      )
    self.assertEqual(term[loss], 0)
    self.assertAllEqual(tape.gradient(term, prediction), tf.zeros_like(prediction))

  @parameterized.parameters("log_l1", "log_l2", "l1", "berhu", "scale_invariant")
  def test_perfect_prediction_has_loss_zero_and_finite_gradient(self, loss):
    prediction = tf.constant(_LABEL + 1)
    with tf.GradientTape() as tape:
      tape.watch(prediction)
      term = depth.Depth(loss=loss).loss({"depth": prediction}, {"depth": prediction})[loss]
    self.assertEqual(term, 0)
    self.assertTrue(np.all(np.isfinite(tape.gradient(term, prediction))))

  def test_scale_invariant_with_lambda_1_ignores_scale(self):
    task = depth.Depth(loss="scale_invariant", scale_invariance=1.0)
    self.assertAllClose(loss_of(task), loss_of(task, prediction=3 * _PREDICTION), atol=1e-6)

  @parameterized.parameters("log", "softplus")
  def test_decode_is_mean_depth_at_zero_increasing_and_within_bounds(self, decoder):
    task = depth.Depth(decoder=decoder, mean_depth=3.0, min_depth=0.5, max_depth=20.0)
    raw = tf.constant([-1e4, -20.0, -2.0, 0.0, 2.0, 15.0, 1e4])[:, None]
    with tf.GradientTape() as tape:
      tape.watch(raw)
      result = task.decode(raw)["depth"]
    self.assertAllClose(result[3], [3.0], rtol=1e-5)
    self.assertAllInRange(result, 0.4999, 20.001)
    self.assertAllGreaterEqual(np.diff(result[:, 0]), 0.0)
    self.assertAllGreater(np.diff(result[1:5, 0]), 0.0)
    gradient = tape.gradient(result, raw)
    self.assertTrue(np.all(np.isfinite(gradient)))
    self.assertAllGreater(gradient[1:5], 0.0)

  def test_log_decoder_is_the_exponential_near_the_mean(self):
    raw = tf.constant([[-0.1], [0.05], [0.1]])
    task = depth.Depth(mean_depth=2.5)
    self.assertAllClose(task.decode(raw)["depth"], 2.5 * np.exp(raw), rtol=1e-3)

  def test_metrics_by_hand(self):
    metrics = depth.Depth().metrics()
    for metric in metrics.values():
      metric.update({"depth": tf.constant(_LABEL)}, {"depth": tf.constant(_PREDICTION)})
    self.assertAllClose(metrics["abs_rel"].result(), (0.25 + 0.5 + 0) / 3)
    # A ratio of exactly 1.25 does not count.
    self.assertAllClose(metrics["delta1"].result(), 1 / 3)

  @parameterized.parameters(
    ({"loss": "huber"}, "log_l1.*huber"),
    ({"decoder": "exp"}, "softplus.*exp"),
    ({"min_depth": 3.0}, "min_depth=3.0"),
    ({"max_depth": 1.0}, "max_depth=1.0"),
    ({"scale_invariance": 2.0}, "2.0"),
  )
  def test_bad_arguments_are_refused(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      depth.Depth(**arguments)


if __name__ == "__main__":
  tf.test.main()
