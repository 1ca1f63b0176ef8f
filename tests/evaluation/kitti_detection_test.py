import math

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import kitti_detection


def box(x=0.0, heading=0.0):
  return [x, 0.0, 1.0, 4.0, 2.0, 1.5, heading]


class KittiDetectionMetricsTest(parameterized.TestCase):
  def test_everything_right(self):
    metric = kitti_detection.KittiDetectionMetrics()
    truth = [box(10 * i) for i in range(80)]
    metric.update(truth, np.linspace(0.1, 0.9, 80), truth)
    found = metric.result()
    self.assertEqual(found.ap, 1.0)
    self.assertEqual(found.aos, 1.0)
    self.assertEqual(found.num_truth, 80)

  def test_half_is_found_first_then_noise(self):
    # 40 boxes; 20 are found with the best scores, then 20 wrong, then 10 more are found.
    truth = [box(10 * i) for i in range(40)]
    detections = truth[:20] + [box(10 * i + 5, math.pi / 2) for i in range(20)] + truth[20:30]
    metric = kitti_detection.KittiDetectionMetrics()
    metric.update(detections, np.linspace(1, 0.1, 50), truth)
    found = metric.result()
    # Threshold i has i + 1 true positives: 20 precisions of 1, of which the first does not count,
    # and 10 of 30/50, the best of those to come.
    self.assertAlmostEqual(found.ap, (19 + 10 * 30 / 50) / 40)
    np.testing.assert_allclose(found.precisions[:20], 1.0)
    np.testing.assert_allclose(found.precisions[30:], 0.0)
    self.assertAlmostEqual(found.precisions[25], 30 / 50)

  def test_ignored_is_neither_right_nor_wrong(self):
    metric = kitti_detection.KittiDetectionMetrics()
    truth = [box(0), box(10)]
    detections = [box(0), box(10), box(20)]
    metric.update(
      detections, [0.9, 0.8, 0.7], truth, ignored=[False, False, True], true_ignored=[False, True]
    )
    found = metric.result()
    self.assertEqual(found.num_truth, 1)
    np.testing.assert_allclose(found.precisions[0], 1.0)

  def test_orientation(self):
    metric = kitti_detection.KittiDetectionMetrics()
    truth = [box(10 * i) for i in range(80)]
    turned = [box(10 * i, math.pi) for i in range(80)]
    metric.update(turned, np.linspace(0.1, 0.9, 80), truth)
    found = metric.result()
    self.assertEqual(found.ap, 1.0)
    self.assertAlmostEqual(found.aos, 0.0)

  def test_thresholds_reach_as_far_as_the_recall(self):
    scores = np.linspace(1, 0, 101)[:60]
    found = kitti_detection.recall_thresholds(scores, 100)
    self.assertLen(found, 25)  # recalls 0, 1/40, ..., 24/40
    self.assertTrue(np.all(np.diff(found) < 0))

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "at least one true box"):
      kitti_detection.KittiDetectionMetrics().result()
    with self.assertRaisesRegex(ValueError, "iou_threshold"):
      kitti_detection.KittiDetectionMetrics(1.0)


if __name__ == "__main__":
  absltest.main()
