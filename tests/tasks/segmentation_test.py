import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.tasks import segmentation

_LABEL = np.array([0, 1, 1, 255], np.uint8).reshape(1, 1, 2, 2, 1)
# Predicted: 0, 1, 0, 2.
_LOGITS = np.array([[2, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 9]], np.float32).reshape(1, 1, 2, 2, 3)


def entropy(logits, label):
  return math.log(sum(math.exp(v) for v in logits)) - logits[label]


def updated(task, name="miou"):
  metric = task.metrics()[name]
  metric.update({"segmentation": tf.constant(_LABEL)}, {"segmentation": tf.constant(_LOGITS)})
  return metric


class SegmentationTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters((None,), ((1.0, 3.0, 7.0),))
  def test_loss_by_hand(self, weights):
    task = segmentation.Segmentation(3, class_weights=weights)
    terms = task.loss({"segmentation": tf.constant(_LABEL)}, {"segmentation": tf.constant(_LOGITS)})
    first, second, third = entropy([2, 0, 0], 0), entropy([0, 1, 0], 1), entropy([1, 0, 0], 1)
    w = weights or (1.0, 1.0, 1.0)
    expected = (w[0] * first + w[1] * (second + third)) / (w[0] + 2 * w[1])
    self.assertAllClose(terms["cross_entropy"], expected)

  def test_missing_labels_weigh_nothing_and_give_no_gradient(self):
    task = segmentation.Segmentation(3)
    logits = _LOGITS.copy()
    logits[0, 0, 1, 1] = np.nan
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
      tape.watch(logits)
      loss = task.loss({"segmentation": tf.constant(_LABEL)}, {"segmentation": logits})
    gradient = tape.gradient(loss["cross_entropy"], logits)
    self.assertTrue(np.all(np.isfinite(gradient)))
    self.assertAllEqual(gradient[0, 0, 1, 1], [0, 0, 0])
    nothing = tf.fill(_LABEL.shape, tf.constant(255, tf.uint8))
    loss = task.loss({"segmentation": nothing}, {"segmentation": tf.constant(_LOGITS)})
    self.assertEqual(loss["cross_entropy"], 0)

  def test_labels_outside_the_classes_are_refused(self):
    task = segmentation.Segmentation(3)
    wrong = tf.constant(np.where(_LABEL == 1, 7, _LABEL).astype(np.uint8))
    with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "neither one of 3 classes nor 255"):
      task.loss({"segmentation": wrong}, {"segmentation": tf.constant(_LOGITS)})

  def test_metrics_by_hand(self):
    # Class 0: 1 hit, union 2. Class 1: 1 hit, union 2. Class 2 is in no label, and predicted only
    # where none is.
    task = segmentation.Segmentation(3, groups={"some": [1, 2]})
    self.assertAllClose(updated(task, "accuracy").result(), 2 / 3)
    self.assertAllClose(updated(task).result(), 0.5)
    self.assertAllClose(updated(task, "miou_some").result(), 0.5)
    zero = segmentation.Segmentation(3, groups={"some": [1, 2]}, absent_classes="zero")
    self.assertAllClose(updated(zero).result(), 1 / 3)
    self.assertAllClose(updated(zero, "miou_some").result(), 0.25)
    metric = updated(task)
    metric.reset_state()
    self.assertEqual(metric.result(), 0)

  @parameterized.parameters(
    ({"num_classes": 256}, "num_classes"),
    ({"num_classes": 3, "class_weights": [1.0]}, "class_weights"),
    ({"num_classes": 3, "absent_classes": "nan"}, "absent_classes"),
    ({"num_classes": 3, "groups": {"vehicles": [3]}}, "vehicles"),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      segmentation.Segmentation(**arguments)


if __name__ == "__main__":
  tf.test.main()
