"""Hand-made cases, and those of the public program (waymo-open-dataset, metrics/*_test.cc)."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import detection_metrics as metrics


def box(x=0.0, length=4.0, heading=0.0, z=1.0):
  return [x, 0.0, z, length, 2.0, 1.5, heading]


def frame(metric, detections, truth, levels=None):
  """Adds detections [(box, score)] and true boxes."""
  boxes = np.reshape([b for b, _ in detections], [-1, 7])
  scores = np.array([s for _, s in detections])
  truth = np.reshape(truth, [-1, 7])
  metric.update(boxes, scores, truth, np.ones(len(truth), int) if levels is None else levels)


class AveragePrecisionTest(parameterized.TestCase):
  @parameterized.parameters(  # ComputeMeanAveragePrecision in metrics_utils_test.cc
    ([], [], 0.05, 0.0),
    ([0.1], [0.2], 0.05, 0.2 * 0.1),
    ([0.1, 0.05], [0.2, 1.0], 0.05, 0.05 * 0.8 + 0.1 * 0.2 + 0.05 * 0.5 * 0.05),
    ([0.1, 0.05], [0.2, 1.0], 1.0, 0.2 * 0.1 + 0.5 * (0.1 + 0.05) * 0.8),
    ([0.1, 0.0, 0.05], [0.2, 0.4, 1.0], 0.05, 0.05 * 0.8 + 0.1 * 0.2 + 0.05 * 0.5 * 0.05),
    ([1.0, 1.0], [0.0, 0.0], 0.05, 0.0),
  )
  def test_curves(self, precisions, recalls, step, expected):
    self.assertAlmostEqual(metrics.average_precision(precisions, recalls, step), expected, places=6)

  @parameterized.parameters(  # DecideScoreCutoffs in metrics_utils_test.cc
    ([], 1, [0.0]),
    ([], 3, [0.0, 0.5, 1.0]),
    ([0.4], 3, [0.0, 0.5, 1.0]),
    ([0.1, 0.2, 0.3, 0.4], 2, [0.1, 1.0]),
    ([0.1, 0.2, 0.3, 0.4], 3, [0.1, 0.3, 1.0]),
    ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], 5, [0.1, 0.2, 0.4, 0.6, 1.0]),
    ([0.0] * 7, 5, [0.0, 0.0, 0.0, 0.0, 1.0]),
  )
  def test_cutoffs(self, scores, count, expected):
    np.testing.assert_allclose(metrics.score_cutoffs(np.array(scores), count), expected)


class WaymoDetectionMetricsTest(parameterized.TestCase):
  def test_published_case_one_shard(self):
    # DetectionMetricsTest.OneShard: lengths 90 and 60 of 100, so IoU 0.9 and 0.6; threshold 0.5.
    metric = metrics.WaymoDetectionMetrics(0.5, cutoffs=[0.0, 0.5, 1.0], ranges=())
    for _ in range(2):
      frame(metric, [(box(length=90), 0.0), (box(length=60), 0.5)], [box(length=100)])
    found = metric.result()["LEVEL_2/all"]
    np.testing.assert_allclose(found.precisions, [0.5, 1.0, 1.0])
    np.testing.assert_allclose(found.recalls, [1.0, 1.0, 0.0])
    self.assertAlmostEqual(found.ap, 1.0)
    self.assertAlmostEqual(found.aph, 1.0)
    self.assertEqual(found.num_truth, 2)

  def test_curve_by_hand(self):
    # Right, wrong, right of two boxes: precision 1 up to recall 1/2, then 2/3.
    metric = metrics.WaymoDetectionMetrics(max_recall_step=0.05, cutoffs=[0.2, 0.5, 0.8])
    frame(
      metric,
      [(box(0), 0.9), (box(100), 0.6), (box(10), 0.3)],
      [box(0), box(10)],
    )
    found = metric.result()["LEVEL_1/all"]
    np.testing.assert_allclose(found.precisions, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(found.recalls, [1, 1 / 2, 1 / 2])
    # From recall 1 down to 0.55 at 2/3, a straight line to (1/2, 1), then 1.
    expected = 0.45 * 2 / 3 + 0.05 * (2 / 3 + 1) / 2 + 0.5
    self.assertAlmostEqual(found.ap, expected, places=6)

  @parameterized.parameters((0.0, 1.0), (math.pi / 2, 0.5), (math.pi, 0.0), (-math.pi / 2, 0.5))
  def test_heading_weighs_true_positives(self, error, expected):
    metric = metrics.WaymoDetectionMetrics(cutoffs=[0.0])
    square = [5.0, 0.0, 1.0, 2.0, 2.0, 1.5]  # overlaps itself however it is turned
    frame(metric, [([*square, 1.0 + error], 0.5)], [[*square, 1.0]])
    found = metric.result()["LEVEL_1/all"]
    self.assertAlmostEqual(found.ap, 1.0, places=5)
    self.assertAlmostEqual(found.aph, expected, places=5)

  def test_heading_accuracy_wraps(self):
    accuracy = metrics.heading_accuracy(np.array([3.1, 0.0, 7.0]), np.array([-3.1, 0.5, 7.0]))
    expected = [1 - (2 * math.pi - 6.2) / math.pi, 1 - 0.5 / math.pi, 1]
    np.testing.assert_allclose(accuracy, expected)

  def test_levels(self):
    np.testing.assert_array_equal(metrics.levels([0, 1, 5, 6, 100]), [0, 2, 2, 1, 1])
    # Found: one of LEVEL_1 and one of LEVEL_2. Missed: one of LEVEL_2; without points: ignored.
    metric = metrics.WaymoDetectionMetrics(cutoffs=[0.0])
    truth = [box(0), box(10), box(20), box(29)]
    frame(metric, [(box(0), 0.9), (box(10), 0.9)], truth, np.array([1, 2, 2, 0]))
    found = metric.result()
    self.assertEqual(found["LEVEL_1/all"].recalls, [1.0])  # the missed one is too hard
    np.testing.assert_allclose(found["LEVEL_2/all"].recalls, [2 / 3])
    self.assertEqual(found["LEVEL_2/all"].num_truth, 3)

  def test_ranges(self):
    metric = metrics.WaymoDetectionMetrics(cutoffs=[0.0])
    frame(metric, [(box(10), 0.9), (box(40), 0.9), (box(45), 0.9)], [box(10), box(40), box(70)])
    found = metric.result()
    value = lambda name: (found[name].recalls[0], found[name].precisions[0])
    self.assertEqual(value("LEVEL_2/[0, 30)"), (1, 1))
    self.assertEqual(value("LEVEL_2/[30, 50)"), (1, 0.5))
    self.assertEqual(value("LEVEL_2/[50, inf)"), (0, 1))
    np.testing.assert_allclose(value("LEVEL_2/all"), (2 / 3, 2 / 3))
    self.assertEqual(found["LEVEL_2/[50, inf)"].ap, 0)

  def test_volume_and_view_from_above(self):
    for volume, expected in ((True, 0.0), (False, 1.0)):
      metric = metrics.WaymoDetectionMetrics(volume=volume)
      frame(metric, [(box(z=2.0), 0.9)], [box()])
      self.assertAlmostEqual(metric.result()["LEVEL_1/all"].ap, expected)

  def test_duplicates_are_wrong_and_matching_is_for_the_largest_sum(self):
    metric = metrics.WaymoDetectionMetrics(0.3, cutoffs=[0.0])
    # The long detection overlaps both boxes, the other only the first: both can be right.
    truth = [box(0.0), box(2.0)]
    frame(metric, [(box(0.9), 0.9), (box(-0.5), 0.8), (box(50), 0.7)], truth)
    found = metric.result()["LEVEL_1/all"]
    np.testing.assert_allclose((found.recalls[0], found.precisions[0]), (1, 2 / 3))

  def test_empty_frames(self):
    metric = metrics.WaymoDetectionMetrics()
    frame(metric, [], [])
    frame(metric, [], [box()])
    frame(metric, [(box(), 0.5)], [])
    self.assertEqual(metric.result()["LEVEL_1/all"].ap, 0)

  def test_refuses(self):
    metric = metrics.WaymoDetectionMetrics()
    with self.assertRaisesRegex(ValueError, "at least one frame"):
      metric.result()
    with self.assertRaisesRegex(ValueError, "boxes must be"):
      metric.update(np.full([1, 7], np.nan), np.ones(1), np.zeros([0, 7]), np.zeros(0))
    with self.assertRaisesRegex(ValueError, "a score for each"):
      metric.update(np.zeros([2, 7]), np.ones(1), np.zeros([0, 7]), np.zeros(0))
    with self.assertRaisesRegex(ValueError, "levels"):
      metric.update(np.zeros([0, 7]), np.ones(0), np.zeros([1, 7]), np.array([3]))
    with self.assertRaisesRegex(ValueError, "iou_threshold"):
      metrics.WaymoDetectionMetrics(iou_threshold=0)


if __name__ == "__main__":
  absltest.main()
