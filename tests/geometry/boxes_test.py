import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import polygons
from tf_taskology.geometry import boxes


class BoxesTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(
    (0.0, 2 * math.pi, 0.0),
    (math.pi, 2 * math.pi, -math.pi),
    (7.0, 2 * math.pi, 7 - 2 * math.pi),
    (-3.2, 2 * math.pi, 2 * math.pi - 3.2),
    (2.0, math.pi, 2.0 - math.pi),
  )
  def test_wrap_angle(self, angle, period, expected):
    self.assertAllClose(boxes.wrap_angle(tf.constant(angle), period), expected, atol=1e-6)

  def test_corners_by_hand(self):
    box = tf.constant([10.0, 5.0, 1.0, 4.0, 2.0, 1.0, math.pi / 2])  # looks along y
    self.assertAllClose(boxes.bev_corners(box), [[9, 7], [9, 3], [11, 3], [11, 7]], atol=1e-5)
    self.assertAllClose(boxes.corners(box)[0], [9, 7, 0.5], atol=1e-5)
    self.assertAllClose(boxes.corners(box)[6], [11, 3, 1.5], atol=1e-5)
    random = polygons.random_boxes(np.random.RandomState(0), 5)
    for one in random:
      self.assertAllClose(boxes.bev_corners(one), polygons.rectangle(one), atol=1e-5)

  def test_axis_aligned(self):
    box = tf.constant([1.0, 2.0, 0.0, 4.0, 2.0, 1.0, math.pi / 2])
    for how in ("enclosing", "nearest"):
      self.assertAllClose(boxes.axis_aligned(box, how), [0, 0, 2, 4], atol=1e-6)
    with self.assertRaisesRegex(ValueError, "'tight'"):
      boxes.axis_aligned(box, "tight")

  def test_transform_moves_corners_as_points(self):
    values = polygons.random_boxes(np.random.RandomState(1), 6)
    angle = 2.5
    pose = np.eye(4, dtype=np.float32)
    pose[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    pose[:3, 3] = [3, -2, 1]
    moved = boxes.corners(boxes.transform(values, pose))
    expected = boxes.corners(values).numpy() @ pose[:3, :3].T + pose[:3, 3]
    self.assertAllClose(moved, expected, atol=1e-4)
    back = boxes.transform(boxes.transform(values, pose), np.linalg.inv(pose))
    self.assertAllClose(boxes.wrap_angle(back[:, 6] - values[:, 6]), np.zeros(6), atol=1e-5)

  def test_contains_agrees_with_clipping_a_tiny_box(self):
    random = np.random.RandomState(2)
    values = polygons.random_boxes(random, 8)
    points = random.uniform(-5, 5, [40, 4]).astype(np.float32)
    points[:, 2] *= 0.2
    expected = [
      [
        polygons.intersection(box, [x, y, 0, 1e-3, 1e-3, 1, 0]) > 0.9e-6
        and abs(z - box[2]) <= box[5] / 2
        for box in values
      ]
      for x, y, z, _ in points
    ]
    found = boxes.contains(values, points)
    self.assertAllEqual(found, expected)
    self.assertBetween(np.mean(found), 0.02, 0.9)

  def test_encoding_by_hand(self):
    anchor = tf.constant([10.0, 0.0, 1.0, 4.0, 3.0, 2.0, math.pi / 2])
    box = tf.constant([12.0, -1.0, 2.0, 8.0, 3.0, 1.0, -math.pi])
    expected = [0.4, -0.2, 0.5, math.log(2), 0, -math.log(2), math.pi / 2]
    self.assertAllClose(boxes.encode(box, anchor), expected, atol=1e-6)

  def test_decode_inverts_encode(self):
    random = np.random.RandomState(3)
    values, anchors = (polygons.random_boxes(random, 30) for _ in range(2))
    found = boxes.decode(boxes.encode(values, anchors), anchors).numpy()
    self.assertAllClose(found[:, :6], values[:, :6], atol=1e-5)
    self.assertAllClose(boxes.wrap_angle(found[:, 6] - values[:, 6]), np.zeros(30), atol=1e-5)
    self.assertAllInRange(found[:, 6], -math.pi, math.pi)


if __name__ == "__main__":
  tf.test.main()
