"""Tests of datasets/point_clouds/range_images.py."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.point_clouds import range_images


class RangeImagesTest(absltest.TestCase):
  def test_columns_go_clockwise_from_behind_and_rows_down(self):
    points = range_images.to_points(np.full((2, 4), 10.0), np.array([0.1, -0.1]), np.eye(4))
    signs = np.sign(np.round(points[0, :, :2], 6))
    np.testing.assert_array_equal(signs, [[-1, 1], [1, 1], [1, -1], [-1, -1]])
    np.testing.assert_allclose(points[:, 0, 2], [10 * np.sin(0.1), -10 * np.sin(0.1)])
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 10.0)

  def test_a_turned_sensor_has_the_same_azimuths(self):
    turned = np.array([[0, -1, 0, 2.0], [1, 0, 0, 3.0], [0, 0, 1, 4.0], [0, 0, 0, 1]])
    ranges, beams = np.full((1, 8), 5.0), np.zeros(1)
    np.testing.assert_allclose(
      range_images.to_points(ranges, beams, turned),
      range_images.to_points(ranges, beams, np.eye(4)) + (2, 3, 4),
      atol=1e-12,
    )

  def test_beams(self):
    np.testing.assert_allclose(range_images.inclinations(-0.4, 0.4, 4), [0.3, 0.1, -0.1, -0.3])

  def test_the_car_drives_while_the_sensor_turns(self):
    points = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    poses = np.array(
      [[0, 0, np.pi / 2, 10, 0, 0], [np.pi / 2, 0, 0, 10, 0, 0], [0, np.pi / 2, 0, 10, 0, 0]]
    )
    moved = range_images.to_frame(points, poses, np.eye(4))
    np.testing.assert_allclose(moved, [[10, 1, 0], [10, 0, 1], [11, 0, 0]], atol=1e-12)
    vehicle = np.array([[0, -1, 0, 9.0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    moved = range_images.to_frame(points[:1], poses[:1], vehicle)
    np.testing.assert_allclose(moved, [[1, -1, 0]], atol=1e-12)

  def test_all_angles_at_once_are_yaw_after_pitch_after_roll(self):
    roll, pitch, yaw = 0.3, -0.5, 1.1

    def about(axis, angle):
      i, j = [k for k in range(3) if k != axis]
      sign = -1 if axis == 1 else 1
      matrix = np.eye(3)
      matrix[i, i] = matrix[j, j] = np.cos(angle)
      matrix[i, j], matrix[j, i] = -sign * np.sin(angle), sign * np.sin(angle)
      return matrix

    expected = about(2, yaw) @ about(1, pitch) @ about(0, roll) @ (1, 2, 3)
    moved = range_images.to_frame(
      np.array([[1.0, 2, 3]]), np.array([[roll, pitch, yaw, 0, 0, 0]]), np.eye(4)
    )
    np.testing.assert_allclose(moved[0], expected, atol=1e-12)


if __name__ == "__main__":
  absltest.main()
