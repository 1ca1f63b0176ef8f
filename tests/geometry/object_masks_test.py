import numpy as np
import tensorflow as tf

from tf_taskology.geometry import object_masks


class ObjectMasksTest(tf.test.TestCase):
  def test_movable_classes(self):
    logits = np.log(np.array([[[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]], np.float32))
    hard = object_masks.movable(tf.constant(logits), [1, 2])
    self.assertAllEqual(hard[0, :, 0], [1, 0])
    soft = object_masks.movable(tf.constant(logits), [1, 2], soft=True)
    self.assertAllClose(soft[0, :, 0], [0.8, 0.4])
    labels = tf.constant([[[2], [255], [0]]], tf.uint8)
    self.assertAllEqual(object_masks.movable_labels(labels, [1, 2])[0, :, 0], [1, 0, 0])

  def test_boxes_are_filled_and_small_objects_left_out(self):
    instances = np.zeros([2, 12, 16, 1], np.int32)
    instances[0, 2:8, 3] = 1  # an L of 6 + 5 pixels: too small
    instances[0, 7, 3:9] = 1
    instances[1, 1:11, 4] = 7  # an L of 10 + 11 pixels
    instances[1, 10, 4:16] = 7
    boxes = object_masks.boxes(tf.constant(instances)).numpy()[..., 0]
    self.assertEqual(boxes[0].sum(), 0)
    expected = np.zeros([12, 16])
    expected[1:11, 4:16] = 1
    self.assertAllEqual(boxes[1], expected)
    self.assertEqual(
      object_masks.boxes(tf.constant(instances), max_instances=6)[1].numpy().sum(), 0
    )

  def test_dilate(self):
    mask = np.zeros([1, 7, 7, 1], np.float32)
    mask[0, 3, 3] = 1
    grown = object_masks.dilate(tf.constant(mask), 2)[0, :, :, 0].numpy()
    self.assertEqual(grown.sum(), 25)
    self.assertAllEqual(grown[1:6, 1:6], np.ones([5, 5]))
    self.assertAllEqual(object_masks.dilate(tf.constant(mask), 0), mask)


if __name__ == "__main__":
  tf.test.main()
