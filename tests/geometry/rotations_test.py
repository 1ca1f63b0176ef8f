import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.geometry import rotations


class RotationsTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(
    ((np.pi / 2, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0, np.pi / 2, 0), (0, 0, 1), (1, 0, 0)),
    ((0, 0, np.pi / 2), (1, 0, 0), (0, 1, 0)),
    # z first (x to y), then x (y to z).
    ((np.pi / 2, 0, np.pi / 2), (1, 0, 0), (0, 0, 1)),
  )
  def test_convention(self, angles, vector, expected):
    matrix = rotations.matrix_from_angles(tf.constant(angles, tf.float64))
    self.assertAllClose(matrix @ np.array(vector, float)[:, None], np.array(expected)[:, None])

  def test_entries_are_those_of_depth_from_videos_in_the_wild(self):
    angles = np.random.RandomState(0).uniform(-1.5, 1.5, [7, 3])
    (sx, sy, sz), (cx, cy, cz) = np.sin(-angles.T), np.cos(-angles.T)
    rows = [
      [cy * cz, cy * sz, -sy],
      [sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy],
      [cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy],
    ]
    expected = np.moveaxis(np.array(rows), -1, 0)
    self.assertAllClose(rotations.matrix_from_angles(tf.constant(angles)), expected, atol=1e-12)

  def test_round_trip(self):
    angles = tf.constant(np.random.RandomState(1).uniform(-1.5, 1.5, [2, 5, 3]))
    matrix = rotations.matrix_from_angles(angles)
    self.assertAllClose(tf.linalg.det(matrix), np.ones([2, 5]))
    self.assertAllClose(rotations.angles_from_matrix(matrix), angles, atol=1e-12)
    translation = tf.constant(np.random.RandomState(2).normal(size=[2, 5, 3]))
    pose = rotations.pose_from_motion(angles, translation)
    again, same = rotations.motion_from_pose(pose)
    self.assertAllClose(again, angles, atol=1e-12)
    self.assertAllClose(same, translation)
    self.assertAllEqual(pose[..., 3, :], np.tile([0.0, 0, 0, 1], (2, 5, 1)))

  def test_average_with_the_exact_reverse_changes_nothing(self):
    angles = tf.constant([[0.1, -0.2, 0.05]], tf.float64)
    translation = tf.constant([[0.3, 0.1, -1.0]], tf.float64)
    reverse = tf.linalg.inv(rotations.pose_from_motion(angles, translation))
    rotation, mean = rotations.average_with_reverse(
      angles, translation, *rotations.motion_from_pose(reverse)
    )
    self.assertAllClose(rotation, rotations.matrix_from_angles(angles))
    self.assertAllClose(mean, translation)


if __name__ == "__main__":
  tf.test.main()
