import numpy as np
import tensorflow as tf

from tf_taskology.tasks import motion


class MotionTest(tf.test.TestCase):
  def test_pairs(self):
    self.assertEqual(motion.pairs(2), ((0, 1), (1, 0)))
    self.assertEqual(motion.pairs(3), ((0, 1), (1, 0), (1, 2), (2, 1)))
    with self.assertRaisesRegex(ValueError, "2 or more"):
      motion.pairs(1)

  def test_decode_splits_the_channels(self):
    task = motion.Motion(learn_intrinsics=True)
    self.assertEqual(task.raw_channels, 13)
    raw = tf.reshape(tf.range(2 * 4 * 5 * 13, dtype=tf.float32), [2, 4, 5, 13])
    predictions = task.decode(raw)
    self.assertEqual(set(predictions), set(task.outputs))
    self.assertAllEqual(predictions["rotation"], raw[:, :1, :1, :3])
    self.assertAllEqual(predictions["translation"], raw[:, :1, :1, 3:6])
    self.assertAllEqual(predictions["motion_field"], raw[..., 6:9])
    self.assertAllEqual(predictions["camera"], raw[:, :1, :1, 9:])
    self.assertEqual(motion.Motion(object_motion=False).raw_channels, 6)

  def test_loss_and_metrics_by_hand(self):
    task = motion.Motion()
    shape = [1, 2, 1, 1, 3]
    labels = {
      "rotation": tf.constant([0.0, 0, 0, np.nan, 0, 0], shape=shape),
      "translation": tf.constant([0.0, 3, 4, 1, 1, 1], shape=shape),
    }
    predictions = {
      "rotation": tf.constant([0.0, 0.3, 0, 9, 9, 9], shape=shape),
      "translation": tf.constant([0.0, 0, 0, 1, 1, 1], shape=shape),
      "motion_field": tf.zeros([1, 2, 4, 5, 3]),
    }
    with tf.GradientTape() as tape:
      tape.watch(predictions)
      loss = task.loss(labels, predictions)
      total = tf.add_n(list(loss.values()))
    self.assertAllClose(loss, {"rotation": 0.1, "translation": 7 / 6})
    gradient = tape.gradient(total, predictions["rotation"])
    self.assertAllClose(gradient[0, 1], np.zeros([1, 1, 3]))
    metrics = task.metrics()
    for metric in metrics.values():
      metric.update(labels, predictions)
    self.assertAllClose(metrics["rotation_degrees"].result(), np.degrees(0.3), rtol=1e-5)
    self.assertAllClose(metrics["translation_metres"].result(), 2.5)
    self.assertEqual(metrics["motion_field_metres"].result(), 0)


if __name__ == "__main__":
  tf.test.main()
