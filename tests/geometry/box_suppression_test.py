import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import polygons
from tf_taskology.geometry import box_suppression


def greedy(boxes, scores, max_outputs, threshold, overlap=polygons.bev_iou, classes=None):
  """Indices that are kept, by the definition."""
  kept = []
  for i in np.argsort(-scores, kind="stable"):
    same = [j for j in kept if classes is None or classes[j] == classes[i]]
    if len(kept) < max_outputs and all(overlap(boxes[i], boxes[j]) <= threshold for j in same):
      kept.append(i)
  return kept


class BoxSuppressionTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters((0.1, "rotated"), (0.5, "rotated"), (0.2, "rotated_3d"))
  def test_keeps_what_the_definition_keeps(self, threshold, overlap):
    random = np.random.RandomState(0)
    boxes = np.stack([polygons.random_boxes(random, 60, 6.0) for _ in range(2)])
    scores = random.uniform(size=[2, 60]).astype(np.float32)
    measure = {"rotated": polygons.bev_iou, "rotated_3d": polygons.iou_3d}[overlap]
    for most in (8, 60):
      kept = box_suppression.suppress(
        tf.constant(boxes), tf.constant(scores), most, threshold, overlap=overlap
      )
      for sample in range(2):
        expected = greedy(boxes[sample], scores[sample], most, threshold, measure)
        found = kept.indices[sample][kept.valid[sample]]
        self.assertAllEqual(found, expected)
        self.assertLess(len(expected), 60)

  def test_axis_aligned_sees_enclosing_rectangles(self):
    # Two thin diagonal boxes side by side: apart from each other, their rectangles are not.
    boxes = tf.constant([[[0.0, 0, 0, 6, 1, 1, math.pi / 4], [1.5, -1.5, 0, 6, 1, 1, math.pi / 4]]])
    scores = tf.constant([[0.5, 0.9]])
    count = lambda overlap: int(
      tf.reduce_sum(
        tf.cast(box_suppression.suppress(boxes, scores, 5, 0.2, overlap=overlap).valid, tf.int32)
      )
    )
    self.assertEqual((count("rotated"), count("axis_aligned")), (2, 1))

  def test_classes_do_not_suppress_each_other(self):
    random = np.random.RandomState(1)
    boxes = polygons.random_boxes(random, 40, 3.0)
    scores = random.uniform(size=40).astype(np.float32)
    classes = random.randint(0, 3, 40)
    kept = box_suppression.suppress(
      boxes[None], tf.constant(scores[None]), 40, 0.1, classes=tf.constant(classes[None])
    )
    expected = greedy(boxes, scores, 40, 0.1, classes=classes)
    self.assertAllEqual(kept.indices[0][kept.valid[0]], expected)

  def test_what_is_too_low_or_not_a_number_goes(self):
    boxes = np.zeros([1, 4, 7], np.float32)
    boxes[..., 3:6] = 1
    boxes[0, :, 0] = [0, 10, 20, 30]
    boxes[0, 2, 4] = np.nan
    scores = tf.constant([[0.3, np.nan, 0.9, 0.2]])
    kept = box_suppression.suppress(boxes, scores, 3, 0.5, score_threshold=0.25)
    self.assertAllEqual(kept.valid, [[True, False, False]])
    self.assertAllClose(kept.gather(scores), [[0.3, 0.0, 0.0]])
    self.assertAllEqual(kept.gather(tf.constant(boxes))[0, 1:], np.zeros([2, 7]))

  def test_runs_in_an_exported_signature(self):
    class Exported(tf.Module):
      @tf.function(
        input_signature=[
          tf.TensorSpec([None, None, 7], tf.float32),
          tf.TensorSpec([None, None], tf.float32),
        ]
      )
      def serve(self, boxes, scores):
        kept = box_suppression.suppress(boxes, scores, 10, 0.3)
        return {"boxes": kept.gather(boxes), "scores": kept.gather(scores)}

    exported = Exported()
    folder = self.create_tempdir().full_path
    tf.saved_model.save(exported, folder, signatures={"serving_default": exported.serve})
    serve = tf.saved_model.load(folder).signatures["serving_default"]
    random = np.random.RandomState(2)
    for count in (0, 1, 25):
      boxes = polygons.random_boxes(random, 3 * count).reshape([3, count, 7])
      scores = random.uniform(size=[3, count]).astype(np.float32)
      found = serve(boxes=tf.constant(boxes), scores=tf.constant(scores))
      self.assertEqual(found["boxes"].shape, [3, 10, 7])
      for sample in range(3):
        best = greedy(boxes[sample], scores[sample], 10, 0.3)
        expected = np.zeros(10)
        expected[: len(best)] = scores[sample][best]
        self.assertAllClose(found["scores"][sample], expected)

  def test_refuses(self):
    boxes, scores = tf.zeros([1, 2, 7]), tf.zeros([1, 2])
    with self.assertRaisesRegex(ValueError, "'soft'"):
      box_suppression.suppress(boxes, scores, 1, 0.5, overlap="soft")
    with self.assertRaisesRegex(ValueError, "max_outputs"):
      box_suppression.suppress(boxes, scores, 0, 0.5)


if __name__ == "__main__":
  tf.test.main()
