"""What holds of motions between two frames: there and back is no motion, and fields are simple."""

import tensorflow as tf

from tf_taskology.geometry import motion_warp

_TINY = 1e-24


def rotation_cycle(rotation: tf.Tensor, reverse: tf.Tensor) -> tf.Tensor:
  """How far R1 R2 is from no rotation, relative to how far R1 and R2 are.

  Depth from Videos in the Wild: |R1 R2 - I|^2 / (|R1 - I|^2 + |R2 - I|^2), mean over the batch.
  The division keeps the loss from driving rotations to zero.

  Args:
    rotation: [batch, 3, 3] float, first camera to second.
    reverse: [batch, 3, 3] float, second camera to first.

  Returns:
    Scalar; 0 (with zero gradient) of samples in which neither turns.
  """
  eye = tf.eye(3, dtype=rotation.dtype)

  def size(matrix):
    return tf.reduce_mean(tf.square(matrix - eye), axis=[-2, -1])

  error = size(tf.linalg.matmul(rotation, reverse))
  return tf.reduce_mean(error / (_TINY + size(rotation) + size(reverse)))


def translation_cycle(
  moved: motion_warp.Moved,
  weight: tf.Tensor,
  rotation: tf.Tensor,
  translation: tf.Tensor,
  reverse_translation: tf.Tensor,
  resampled_denominator: bool = True,
) -> tf.Tensor:
  """How far a point is displaced that goes to the other frame and back.

  |R1 t2' + t1|^2 / (|t1|^2 + |t2|^2) times the weight, mean over all pixels; t2' is t2 at the place
  in the second frame where the pixel lands. (With R2 = R1^-1 the point X comes back to
  R2 (R1 X + t1) + t2', and R1 of this is R1 X + t1 + R1 t2'.) Places are constants.

  Args:
    moved: where the first frame's pixels are in the second.
    weight: [batch, height, width] float; 0 where they are occluded or leave the image.
    rotation: [batch, 3, 3], R1, first camera to second.
    translation: [batch, height, width, 3], t1, total translation at the first frame's pixels.
    reverse_translation: [batch, height, width, 3], t2, at the second frame's pixels.
    resampled_denominator: divide by t2' (DML) rather than by t2 where it is (DVW).

  Returns:
    Scalar.
  """
  first = tf.unstack(translation, axis=-1)
  landed = motion_warp.sample(
    reverse_translation, tf.stop_gradient(moved.x), tf.stop_gradient(moved.y)
  )
  second = tf.unstack(landed, axis=1)
  r = rotation[:, tf.newaxis, tf.newaxis]
  closed = [sum(r[..., i, j] * second[j] for j in range(3)) + first[i] for i in range(3)]
  scale = second if resampled_denominator else tf.unstack(reverse_translation, axis=-1)

  def norm(parts):
    return tf.add_n([tf.square(part) for part in parts])

  error = norm(closed) / (_TINY + norm(first) + norm(scale))
  return tf.reduce_mean(tf.where(weight > 0, error * weight, tf.zeros_like(error)))


def normalized(field: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
  """A field [batch, height, width, 3] divided by the root mean square length of the total field."""
  mean = 3 * tf.reduce_mean(tf.square(total), axis=[1, 2, 3], keepdims=True)
  return field / tf.sqrt(mean + 1e-12)


def field_smoothness(field: tf.Tensor, wrap_around: bool = True) -> tf.Tensor:
  """Mean length of the differences to the pixels above and to the left, per channel.

  sqrt(1e-24 + dx^2 + dy^2), the total variation of Depth from Videos in the Wild.

  Args:
    field: [batch, height, width, channels] float.
    wrap_around: the first row and column compare with the last ones; this keeps slopes of the
      translation field, which look like a rotation, small. Else they are left out.

  Returns:
    Scalar.
  """
  if wrap_around:
    down = field - tf.roll(field, 1, axis=1)
    across = field - tf.roll(field, 1, axis=2)
  else:
    down = field[:, 1:, 1:] - field[:, :-1, 1:]
    across = field[:, 1:, 1:] - field[:, 1:, :-1]
  return tf.reduce_mean(tf.sqrt(_TINY + tf.square(down) + tf.square(across)))


def sparsity(field: tf.Tensor) -> tf.Tensor:
  """The L1/2 regulariser of DML: mean of 2 m sqrt(|f| / m + 1), m the mean of |f| as a constant.

  Where the field is small against its mean it pulls as L1 does; where it is large, less.

  Args:
    field: [batch, height, width, channels] float; m is of each image and channel.

  Returns:
    Scalar.
  """
  size = tf.abs(field)
  mean = tf.stop_gradient(tf.reduce_mean(size, axis=[1, 2], keepdims=True))
  return tf.reduce_mean(2 * mean * tf.sqrt(size / (mean + _TINY) + 1))
