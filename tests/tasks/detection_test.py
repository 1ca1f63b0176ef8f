"""Detection, box flow, and the way back from predictions to boxes."""

import math

import numpy as np
import tensorflow as tf

from tf_taskology.geometry import anchors, bev_grid, boxes as boxes_lib
from tf_taskology.tasks import box_decoding, detection

_ANCHORS = anchors.Anchors(bev_grid.BevGrid((-16, 16), (-12, 12), (-2, 4), 1.0))
_BOXES = tf.constant(
  [
    [[3.3, 4.4, 1, 4.5, 2.0, 1.6, 0.3], [-8.2, -5.1, 0.8, 5, 2.2, 1.8, -2.9], [0] * 7],
    [[0.2, 0.1, 0.9, 4.5, 2.0, 1.6, 1.7], [9.9, -9, 1, 4, 1.8, 1.5, -1.2], [9.9, 8, 1, 4, 2, 1, 2]],
  ],
  tf.float32,
)
_CLASSES = tf.constant([[1, 2, 0], [2, 1, 1]])


def targets(task):
  """Labels by output name, of samples of one frame."""
  return task.targets({"boxes": _BOXES[:, tf.newaxis], "classes": _CLASSES[:, tf.newaxis]})


def perfect(task):
  """(labels, predictions that say the same), [batch, frames 1, ...]."""
  labels = targets(task)
  logits = labels[detection.BOX_LOGITS]
  predictions = {
    detection.BOX_LOGITS: tf.where(logits > 0, 8.0, -12.0),
    detection.BOX_RESIDUALS: tf.where(
      tf.math.is_nan(labels[detection.BOX_RESIDUALS]), 0.1, labels[detection.BOX_RESIDUALS]
    ),
    detection.BOX_DIRECTIONS: 20 * labels[detection.BOX_DIRECTIONS],
  }
  return labels, predictions


class DetectionTest(tf.test.TestCase):
  def test_labels_have_the_shape_of_predictions(self):
    task = detection.Detection(_ANCHORS, num_classes=2)
    labels = targets(task)
    predictions = task.decode(tf.zeros([2, 1, *_ANCHORS.shape[:2], task.raw_channels]))
    for name, output in task.outputs.items():
      self.assertEqual(labels[name].shape, [2, 1, *output.fixed_size, output.channels])
      self.assertEqual(predictions[name].shape, labels[name].shape)
    self.assertAllClose(tf.sigmoid(predictions[detection.BOX_LOGITS][0, 0, 0, 0, 0]), 0.01)
    weights = task.sample_weights(labels)
    self.assertAllGreater(tf.reduce_sum(weights, axis=[1, 2, 3, 4]), 0)

  def test_right_predictions_cost_nothing_and_wrong_ones_do(self):
    task = detection.Detection(_ANCHORS, num_classes=2)
    labels, predictions = perfect(task)
    right = task.loss(labels, predictions)
    self.assertEqual(list(right), ["class", "box", "direction"])
    for value in right.values():
      self.assertAllClose(value, 0, atol=1e-4)
    for name, term in zip(task.outputs, right, strict=True):
      wrong = task.loss(labels, {**predictions, name: -predictions[name] - 0.5})
      self.assertGreater(wrong[term], 0.05, name)
    metrics = task.metrics()
    for metric in metrics.values():
      metric.update(labels, predictions)
    self.assertGreater(metrics["positive_probability"].result(), 0.99)
    self.assertAllClose(metrics["place_metres"].result(), 0, atol=1e-5)

  def test_samples_without_labels_weigh_nothing(self):
    task = detection.Detection(_ANCHORS, num_classes=2)
    labels, predictions = perfect(task)
    predictions = {name: value + 0.3 for name, value in predictions.items()}
    missing = {
      name: tf.concat([value, tf.fill(tf.shape(value), task.outputs[name].missing)], 0)
      for name, value in labels.items()
    }
    double = {name: tf.concat([value] * 2, 0) for name, value in predictions.items()}
    alone, both = task.loss(labels, predictions), task.loss(missing, double)
    self.assertAllClose(alone, both)
    nothing = task.loss({name: value[2:] for name, value in missing.items()}, predictions)
    self.assertAllEqual(list(nothing.values()), [0, 0, 0])


class BoxDecoderTest(tf.test.TestCase):
  def test_finds_the_boxes_that_targets_were_made_of(self):
    task = detection.Detection(_ANCHORS, num_classes=2)
    _, predictions = perfect(task)
    decode = box_decoding.BoxDecoder(_ANCHORS, num_classes=2, max_boxes=5, candidates=200)
    found = decode({name: value[:, 0] for name, value in predictions.items()})
    self.assertAllEqual(found["num_boxes"], [2, 3])
    for sample, count in enumerate((2, 3)):
      in_order = lambda values: values[np.lexsort((values[:, 1], values[:, 0].round(3)))]
      boxes = in_order(found["boxes"][sample, :count].numpy())
      truth = in_order(_BOXES[sample, :count].numpy())
      self.assertAllClose(boxes[:, :6], truth[:, :6], atol=1e-4)
      self.assertAllClose(boxes_lib.wrap_angle(boxes[:, 6] - truth[:, 6]), [0] * count, atol=1e-4)
    self.assertAllEqual(np.sort(found["classes"], -1), [[0, 0, 0, 1, 2], [0, 0, 1, 1, 2]])
    self.assertAllClose(found["scores"][0], [1 / (1 + math.exp(-8))] * 2 + [0] * 3)

  def test_wild_predictions_give_finite_boxes(self):
    task = detection.Detection(_ANCHORS)
    random = tf.random.stateless_normal([1, *_ANCHORS.shape[:2], task.raw_channels], [1, 2])
    found = box_decoding.BoxDecoder(_ANCHORS)(task.decode(50 * random))
    self.assertTrue(np.all(np.isfinite(found["boxes"])))

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "candidates"):
      box_decoding.BoxDecoder(_ANCHORS, candidates=0)
    with self.assertRaisesRegex(ValueError, "num_classes"):
      detection.Detection(_ANCHORS, num_classes=0)


if __name__ == "__main__":
  tf.test.main()
