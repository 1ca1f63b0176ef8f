"""Tests of datasets/point_clouds/box_frames.py."""

import numpy as np
import tensorflow as tf

from tests.datasets.point_clouds import fixtures
from tf_taskology.datasets.point_clouds import box_frames
from tf_taskology.geometry import boxes as boxes_lib


def _random_boxes(count):
  generator = np.random.default_rng(0)
  boxes = generator.uniform(-20, 20, (count, 7))
  boxes[:, 3:6] = generator.uniform(0.5, 6, (count, 3))
  boxes[:, 6] = generator.uniform(-np.pi, np.pi, count)
  return boxes


class BoxFramesTest(tf.test.TestCase):
  def test_transform_is_that_of_geometry(self):
    boxes = _random_boxes(20)
    pose = fixtures.orthonormal(fixtures.LIDAR_TO_CAMERA) @ fixtures.turn(0.3)
    pose[:3, :3] = fixtures.RECTIFY @ fixtures.turn(1.0)[:3, :3]
    expected = boxes_lib.transform(tf.constant(boxes), tf.constant(pose)).numpy()
    self.assertAllClose(box_frames.transform(boxes, pose), expected, atol=1e-12)

  def test_counts_are_those_of_geometry(self):
    boxes = _random_boxes(30)
    points = np.random.default_rng(1).uniform(-25, 25, (20000, 4))
    inside = boxes_lib.contains(tf.constant(boxes), tf.constant(points)).numpy()
    self.assertAllEqual(box_frames.count_points(boxes, points), inside.sum(axis=0))
    self.assertGreater(inside.sum(), 100)
    self.assertEqual(box_frames.count_points(boxes[:0], points).shape, (0,))

  def test_rotation(self):
    half = 0.35
    self.assertAllClose(
      box_frames.rotation((2 * np.cos(half), 0, 0, 2 * np.sin(half))), fixtures.turn(0.7)[:3, :3]
    )
    generator = np.random.default_rng(0)
    for _ in range(10):
      matrix = box_frames.rotation(generator.normal(size=4))
      self.assertAllClose(matrix @ matrix.T, np.eye(3), atol=1e-12)
      self.assertAllClose(np.linalg.det(matrix), 1.0)
    # A third of a turn about (1, 1, 1) takes x to y, y to z and z to x.
    self.assertAllClose(box_frames.rotation((0.5, 0.5, 0.5, 0.5)) @ (1, 2, 3), (3, 1, 2))
    for bad in ((0, 0, 0, 0), (np.nan, 0, 0, 1)):
      with self.assertRaisesRegex(ValueError, "a quaternion .w, x, y, z. other than 0"):
        box_frames.rotation(bad)

  def test_problem(self):
    boxes = _random_boxes(3)
    self.assertIsNone(box_frames.problem(boxes))
    boxes[2, 4] = -1.0
    self.assertEqual(box_frames.problem(boxes)[0], 2)
    boxes[1, 6] = np.inf
    self.assertIn("7 finite numbers", box_frames.problem(boxes)[1])


if __name__ == "__main__":
  tf.test.main()
