"""Rotations as angles and as matrices, and rigid motions between two cameras.

Convention, here and everywhere: angles (a, b, c), radians, about the x, y and z axes of the camera
frame (x right, y down, z forward), mean the matrix Rx(a) Ry(b) Rz(c): the rotation about z acts
first. Each factor is right-handed: Rz(c) takes (1, 0, 0) to (cos c, sin c, 0). These are the angles
of Depth from Videos in the Wild (transpose of from_euler(-angles) of TensorFlow Graphics).
"""

import tensorflow as tf


def matrix_from_angles(angles: tf.Tensor) -> tf.Tensor:
  """Rx(a) Ry(b) Rz(c) of angles [..., 3] (radians): [..., 3, 3], same dtype."""
  sx, sy, sz = tf.unstack(tf.sin(angles), axis=-1)
  cx, cy, cz = tf.unstack(tf.cos(angles), axis=-1)
  rows = [
    [cy * cz, -cy * sz, sy],
    [sx * sy * cz + cx * sz, cx * cz - sx * sy * sz, -sx * cy],
    [sx * sz - cx * sy * cz, cx * sy * sz + sx * cz, cx * cy],
  ]
  return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def angles_from_matrix(matrix: tf.Tensor) -> tf.Tensor:
  """The angles of rotation matrices [..., 3, 3]: [..., 3] radians, same dtype.

  The angle about y is in -pi/2..pi/2; at its ends only the sum or difference of the others is
  defined, and the gradient is not.
  """
  return tf.stack(
    [
      tf.atan2(-matrix[..., 1, 2], matrix[..., 2, 2]),
      tf.asin(tf.clip_by_value(matrix[..., 0, 2], -1.0, 1.0)),
      tf.atan2(-matrix[..., 0, 1], matrix[..., 0, 0]),
    ],
    axis=-1,
  )


def pose_from_motion(angles: tf.Tensor, translation: tf.Tensor) -> tf.Tensor:
  """The transform X -> R X + t: [..., 4, 4].

  Args:
    angles: [..., 3] float, radians.
    translation: [..., 3] float, metres.
  """
  top = tf.concat([matrix_from_angles(angles), translation[..., tf.newaxis]], axis=-1)
  last_row = tf.broadcast_to(
    tf.constant([0, 0, 0, 1], top.dtype), tf.concat([tf.shape(top)[:-2], [1, 4]], axis=0)
  )
  return tf.concat([top, last_row], axis=-2)


def motion_from_pose(transform: tf.Tensor) -> tf.Tensor:
  """Angles (radians) and translation of rigid transforms [..., 4, 4]: two tensors [..., 3]."""
  return angles_from_matrix(transform[..., :3, :3]), transform[..., :3, 3]


def average_with_reverse(
  angles: tf.Tensor,
  translation: tf.Tensor,
  reverse_angles: tf.Tensor,
  reverse_translation: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
  """Joins the motion of a pair of frames with the inverse of the reversed pair's.

  As Depth from Videos in the Wild does for evaluation: means of matrices and of translations, the
  matrix used as it comes for turning the reverse translation. Here the mean is then brought back to
  a rotation.

  Args:
    angles: [..., 3] float, radians, first camera to second.
    translation: [..., 3] float, metres.
    reverse_angles: [..., 3] float, second camera to first.
    reverse_translation: [..., 3] float.

  Returns:
    rotation [..., 3, 3] and translation [..., 3], first camera to second.
  """
  reverse = matrix_from_angles(reverse_angles)
  mean = 0.5 * (matrix_from_angles(angles) + tf.linalg.matrix_transpose(reverse))
  turned = tf.linalg.matvec(mean, reverse_translation)
  _, u, v = tf.linalg.svd(mean)
  return tf.linalg.matmul(u, v, adjoint_b=True), 0.5 * (translation - turned)
