import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.tasks import anchor_losses


class AnchorLossesTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(
    (0.9, 1, 0.25 * 0.1**2 * -math.log(0.9)),
    (0.9, 0, 0.75 * 0.9**2 * -math.log(0.1)),
    (0.2, 1, 0.25 * 0.8**2 * -math.log(0.2)),
    (0.2, -1, 0.0),
  )
  def test_focal_by_hand(self, probability, target, expected):
    logit = math.log(probability / (1 - probability))
    found = anchor_losses.focal(tf.constant([logit]), tf.constant([float(target)]))
    self.assertAllClose(found, [expected], rtol=1e-5)

  def test_focal_is_finite_at_the_ends(self):
    logits = tf.constant([1e4, -1e4, 1e4, -1e4])
    with tf.GradientTape() as tape:
      tape.watch(logits)
      loss = anchor_losses.focal(logits, tf.constant([1.0, 0.0, 0.0, 1.0]))
    self.assertAllClose(loss, [0, 0, 7500, 2500])
    self.assertAllClose(tape.gradient(loss, logits), [0, 0, 0.75, -0.25])

  def test_smooth_l1_by_hand(self):
    found = anchor_losses.smooth_l1(tf.constant([0.0, 0.1, -0.1, 1 / 9, 1.0, -2.0]))
    expected = [0, 0.045, 0.045, 1 / 18, 1 - 1 / 18, 2 - 1 / 18]
    self.assertAllClose(found, expected)

  def test_boxes_turned_by_180_degrees_are_right(self):
    targets = tf.constant([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [np.nan] * 7])
    predicted = tf.constant([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7 + math.pi], [9.0] * 7])
    self.assertAllClose(anchor_losses.box_residuals(predicted, targets), tf.zeros([2, 7]))
    wrong = anchor_losses.box_residuals(predicted + [1.0, 0, 0, 0, 0, 0, 0.5], targets)
    expected = [1 - 1 / 18, 0, 0, 0, 0, 0, math.sin(0.5) - 1 / 18]
    self.assertAllClose(wrong, [expected, [0] * 7], atol=1e-6)

  def test_directions_by_hand(self):
    logits = tf.constant([[0.0, math.log(3.0)]] * 3)
    found = anchor_losses.directions(logits, tf.constant([1, 0, -1]))
    self.assertAllClose(found, [-math.log(0.75), -math.log(0.25), 0])

  def test_flow_in_anchor_units(self):
    predicted = tf.constant([[[3.0, 0, 3.1]], [[9.0, 9, 9]]])  # [anchors 2, frames 1, 3]
    targets = tf.constant([[[1.0, 0, -3.1]], [[np.nan] * 3]])
    found = anchor_losses.flow(predicted, targets, np.array([4.0, 8.0], np.float32))
    turn = 2 * math.pi - 6.2
    expected = [[[0.5 - 1 / 18, 0, 4.5 * turn**2]], [[0, 0, 0]]]
    self.assertAllClose(found, expected, atol=1e-5)

  def test_normalised_by_positives_and_labelled_samples(self):
    values = tf.constant([[4.0, 2.0], [1.0, 1.0], [5.0, 5.0]])
    found = anchor_losses.per_positive(
      values, tf.constant([3.0, 0.0, 1.0]), tf.constant([True, True, False])
    )
    self.assertAllClose(found, (2 + 2) / 2)
    none = anchor_losses.per_positive(values, tf.zeros([3]), tf.zeros([3], tf.bool))
    self.assertEqual(none, 0)

  def test_missing_targets_have_no_gradient(self):
    predicted = tf.ones([2, 7])
    with tf.GradientTape() as tape:
      tape.watch(predicted)
      loss = anchor_losses.box_residuals(predicted, tf.constant([[np.nan] * 7, [0.5] * 7]))
    gradient = tape.gradient(loss, predicted)
    self.assertAllEqual(gradient[0], tf.zeros([7]))
    self.assertAllGreater(tf.abs(gradient[1]), 0)


if __name__ == "__main__":
  tf.test.main()
