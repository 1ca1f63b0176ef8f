import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.geometry import anchors, bev_grid, box_overlap, boxes
from tf_taskology.tasks import anchor_targets

_GRID = bev_grid.BevGrid((-16, 16), (-12, 12), (-2, 4), 0.5)
_ANCHORS = anchors.Anchors(_GRID, 2, sizes=((4.0, 2.0, 1.5), (8.0, 2.5, 3.0)))


def random_boxes(seed=0, count=12):
  random = np.random.RandomState(seed)
  place = random.uniform([-15, -11, 0], [15, 11, 1], [2, count, 3])
  size = random.uniform([3, 1.5, 1], [7, 2.5, 2], [2, count, 3])
  heading = random.uniform(-math.pi, math.pi, [2, count, 1])
  found = np.concatenate([place, size, heading], -1).astype(np.float32)
  return tf.constant(found), tf.constant(random.randint(0, 3, [2, count]))


class AnchorTargetsTest(tf.test.TestCase, parameterized.TestCase):
  def test_assignment_is_what_all_overlaps_say(self):
    values, classes = random_boxes()
    found = anchor_targets.assign(_ANCHORS, values, classes, 0.5, 0.3)
    flat = _ANCHORS.boxes().reshape(-1, 7)
    for sample in range(2):
      iou = box_overlap.pairs(box_overlap.nearest_iou, flat, values[sample]).numpy()
      kinds = classes[sample].numpy()
      iou[:, kinds == 0] = 0
      expected = np.where(iou.max(1) >= 0.5, kinds[iou.argmax(1)], 0)
      expected[(iou.max(1) >= 0.3) & (iou.max(1) < 0.5)] = -1
      index = iou.argmax(1)
      for box in range(iou.shape[1]):
        if 0 < iou[:, box].max() < 0.5:
          best = iou[:, box] >= iou[:, box].max() - 1e-7
          expected[best], index[best] = kinds[box], box
      self.assertAllEqual(tf.reshape(found.classes[sample], [-1]), expected)
      self.assertAllEqual(tf.reshape(found.index[sample], [-1])[expected > 0], index[expected > 0])
      self.assertGreater(np.sum(expected > 0), 5)
      self.assertGreater(np.sum(expected < 0), 5)

  @parameterized.parameters(0.2, 0.45, 0.6)
  def test_nothing_is_missed_beyond_the_window(self, negative):
    at = anchors.Anchors(bev_grid.BevGrid((-24, 24), (-24, 24), (-2, 4), 0.5))
    values, _ = random_boxes(3, 6)
    values *= [1, 1, 1, 1.6, 1.3, 1, 1]
    doubtful = anchor_targets.assign(at, values, tf.fill([2, 6], -1), 0.9, negative).classes
    flat = at.boxes().reshape(-1, 7)
    for sample in range(2):
      iou = box_overlap.pairs(box_overlap.nearest_iou, flat, values[sample]).numpy()
      expected = np.where(iou.max(1) >= negative, -1, 0)
      self.assertAllEqual(tf.reshape(doubtful[sample], [-1]), expected)
      self.assertGreater(np.sum(expected < 0), 3)

  def test_every_box_inside_has_an_anchor(self):
    values, _ = random_boxes(1, 5)
    ones = tf.ones([2, 5], tf.int32)
    found = anchor_targets.assign(_ANCHORS, values, ones, 0.99, 0.98)
    for sample in range(2):
      owners = tf.boolean_mask(found.index[sample], found.positive[sample])
      self.assertEqual(set(owners.numpy()), set(range(5)))

  def test_boxes_that_do_not_matter(self):
    at_anchor = tf.constant(_ANCHORS.boxes()[4, 5, 0][None, None])
    for kind, expected in ((1, 1), (0, 0), (-1, -1)):
      found = anchor_targets.assign(_ANCHORS, at_anchor, tf.constant([[kind]]))
      self.assertEqual(found.classes[0, 4, 5, 0], expected)
      self.assertEqual(found.classes[0, 20, 25, 0], 0)
    outside = at_anchor + [32.0, 0, 0, 0, 0, 0, 0]
    outside = anchor_targets.assign(_ANCHORS, outside, tf.constant([[1]]))
    self.assertFalse(tf.reduce_any(outside.positive))
    none = anchor_targets.assign(_ANCHORS, tf.zeros([1, 0, 7]), tf.zeros([1, 0], tf.int32))
    self.assertAllEqual(none.classes, tf.zeros([1, *_ANCHORS.shape]))
    broken = anchor_targets.assign(_ANCHORS, at_anchor * np.nan, tf.constant([[0]]))
    self.assertAllEqual(broken.classes, tf.zeros([1, *_ANCHORS.shape]))

  def test_residuals_and_directions_give_back_the_boxes(self):
    values, classes = random_boxes(2)
    found = anchor_targets.assign(_ANCHORS, values, classes, 0.5, 0.3)
    residuals = anchor_targets.residuals(_ANCHORS, found, values)
    bins = anchor_targets.directions(found, values)
    self.assertAllEqual(tf.math.is_nan(residuals[..., 0]), ~found.positive)
    self.assertAllEqual(bins < 0, ~found.positive)
    # The heading may come out the wrong way round: the bin puts it right.
    decoded = boxes.decode(residuals + [0, 0, 0, 0, 0, 0, math.pi], _ANCHORS.boxes())
    heading = anchor_targets.turn_to_bin(decoded[..., 6], bins)
    truth = found.gather(values)
    self.assertAllClose(decoded[..., :6][found.positive], truth[..., :6][found.positive], atol=1e-4)
    difference = boxes.wrap_angle(heading - truth[..., 6])[found.positive]
    self.assertAllClose(difference, tf.zeros_like(difference), atol=1e-5)

  @parameterized.parameters((0.0, 1), (1.0, 0), (math.pi / 2, 0), (-math.pi / 2, 1), (3.1, 0), (-3.1, 0))  # fmt: skip
  def test_direction_bins(self, heading, expected):
    self.assertEqual(anchor_targets.direction_bin(tf.constant(heading)), expected)
    for other in (0.0, math.pi):
      turned = anchor_targets.turn_to_bin(tf.constant(heading + other), tf.constant(expected))
      self.assertAllClose(boxes.wrap_angle(turned - heading), 0, atol=1e-5)

  def test_flow_follows_tracks(self):
    box = lambda x, y, heading: [x, y, 0, 4, 2, 1, heading]
    frames = [
      [box(0, 0, 3.0), box(5, 5, 0.0), box(9, 9, 0.0)],
      [box(5.5, 5, 0.1), box(1, -1, -3.0), box(0, 0, 0)],
      [box(7, 7, 7), box(6, 5, 0.2), box(0, 0, 0)],
    ]
    classes = [[1, 2, 1], [2, 1, 0], [0, 2, 0]]
    tracks = [[7, 8, 9], [8, 7, 9], [7, 8, 9]]
    flow = anchor_targets.track_flow(
      tf.constant([frames], tf.float32), tf.constant([classes]), tf.constant([tracks])
    )
    nan = [np.nan] * 3
    expected = [
      [[1, -1, 2 * math.pi - 6], nan],
      [[0.5, 0, 0.1], [1, 0, 0.2]],
      [nan, nan],
    ]
    self.assertAllClose(flow[0], expected, atol=1e-6)

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "0 < negative"):
      anchor_targets.assign(_ANCHORS, *random_boxes(), 0.4, 0.5)


if __name__ == "__main__":
  tf.test.main()
