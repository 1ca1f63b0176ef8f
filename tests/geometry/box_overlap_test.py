import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import polygons
from tf_taskology.geometry import box_overlap


def box(x=0.0, y=0.0, z=0.0, length=4.0, width=2.0, height=1.5, heading=0.0):
  return tf.constant([x, y, z, length, width, height, heading])


class BoxOverlapTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters((0.0,), (90.0,))
  def test_random_boxes_against_polygon_clipping(self, away):
    random = np.random.RandomState(0)
    first, second = (polygons.random_boxes(random, 40) for _ in range(2))
    for values in (first, second):
      values[:, :2] += away  # where float32 is coarser
    pairs = lambda measure: [[measure(a, b) for b in second] for a in first]
    for overlap, truth in (
      (box_overlap.bev_iou, polygons.bev_iou),
      (box_overlap.iou_3d, polygons.iou_3d),
    ):
      truth = pairs(truth)
      found = box_overlap.pairs(overlap, tf.constant(first), tf.constant(second))
      self.assertAllClose(found, truth, rtol=0, atol=1e-5)
      self.assertGreater(np.mean(np.array(truth) > 0.05), 0.15)  # the boxes do overlap
      self.assertGreater(np.mean(np.array(truth) == 0), 0.1)

  @parameterized.parameters(
    ({}, 1.0),
    ({"heading": np.pi}, 1.0),
    ({"x": 2.0}, 1 / 3),
    ({"y": 2.0}, 0.0),  # edges touch
    ({"x": 50.0}, 0.0),
    ({"heading": np.pi / 2}, 4 / 12),  # a cross
    ({"length": 1.0, "width": 1.0, "heading": 0.7}, 1 / 8),  # one inside the other
    ({"x": 0.5, "length": 3.0}, 6 / 8),  # three edges coincide
    ({"heading": 1e-7}, 1.0),
  )
  def test_overlaps_by_hand(self, change, expected):
    self.assertAllClose(box_overlap.bev_iou(box(), box(**change)), expected, atol=2e-6)
    self.assertAllClose(box_overlap.bev_iou(box(**change), box()), expected, atol=2e-6)

  def test_heights(self):
    self.assertAllClose(box_overlap.iou_3d(box(), box(z=0.75)), 1 / 3, atol=1e-6)
    self.assertEqual(box_overlap.iou_3d(box(), box(z=1.5)), 0)
    self.assertEqual(box_overlap.iou_3d(box(), box(z=9.0)), 0)

  def test_boxes_turned_alike_overlap_as_before(self):
    random = np.random.RandomState(1)
    first, second = (polygons.random_boxes(random, 50, 2.0) for _ in range(2))
    before = box_overlap.bev_iou(first, second)
    turned = []
    for values in (first, second):
      angle = 2.2
      rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
      values = values.copy()
      values[:, :2] = values[:, :2] @ rotation.T
      values[:, 6] += angle
      turned.append(values)
    self.assertAllClose(box_overlap.bev_iou(*turned), before, atol=1e-5)

  def test_axis_aligned(self):
    turned = box(heading=np.pi / 4)  # encloses a square of side 6 / sqrt(2)
    side = 6 / np.sqrt(2)
    self.assertAllClose(box_overlap.enclosing_iou(box(), turned), 8 / side**2, atol=1e-6)
    self.assertAllClose(box_overlap.nearest_iou(box(), box(heading=0.7)), 1.0)
    self.assertAllClose(box_overlap.nearest_iou(box(), box(heading=0.9)), 4 / 12)

  def test_empty_and_zero_sized_boxes(self):
    flat = box(length=0.0, width=0.0)
    self.assertEqual(box_overlap.bev_iou(flat, flat), 0)
    self.assertEqual(box_overlap.bev_iou(flat, box()), 0)
    none = tf.zeros([0, 7])
    self.assertEqual(box_overlap.pairs(box_overlap.iou_3d, none, box()[tf.newaxis]).shape, [0, 1])

  def test_compiles_and_has_the_gradient_of_the_area(self):
    @tf.function(jit_compile=True)
    def gradient(x):
      with tf.GradientTape() as tape:
        tape.watch(x)
        area = box_overlap.bev_intersection(box(), box(x=1.0) + x)
      return tape.gradient(area, x)

    # (4 - x) * 2: moving the box away loses 2 m^2 a metre, lengthening it wins 1 on this side.
    self.assertAllClose(gradient(tf.zeros([7]))[:4], [-2.0, 0.0, 0.0, 1.0], atol=1e-5)


if __name__ == "__main__":
  tf.test.main()
