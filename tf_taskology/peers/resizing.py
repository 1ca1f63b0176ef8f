"""Predictions at another resolution, with the pixel grid that all predictions here share.

Pixel (x, y) of a prediction at stride s lies exactly at image pixel (s x, s y): top-left corners coincide, not the
images' borders, so this is TensorFlow's oldest resize and none of the newer ones.
"""

import tensorflow as tf

from tf_taskology.tasks import task as task_lib


def bilinear(values: tf.Tensor, size) -> tf.Tensor:
  """[n, h, w, c] -> [n, *size, c] float32, bilinear, integer pixel centres with a common origin."""
  return tf.raw_ops.ResizeBilinear(
    images=values, size=size, align_corners=False, half_pixel_centers=False
  )


def nearest(values: tf.Tensor, size) -> tf.Tensor:
  """[n, h, w, c] -> [n, *size, c], the value of the nearest pixel on the same grid as `bilinear`."""
  for axis in (1, 2):
    old, new = tf.shape(values)[axis], size[axis - 1]
    position = tf.cast(tf.range(new), tf.float32) * (
      tf.cast(old, tf.float32) / tf.cast(new, tf.float32)
    )
    values = tf.gather(
      values, tf.minimum(tf.cast(tf.round(position), tf.int32), old - 1), axis=axis
    )
  return values


def is_direction(output: task_lib.Output) -> bool:
  """Whether the output holds unit vectors, which must be made unit length again after interpolation."""
  return output.unit.startswith("unit vector")


def prediction(values: tf.Tensor, size, output: task_lib.Output) -> tf.Tensor:
  """Resizes one prediction tensor.

  Args:
    values: [n, h, w, channels] float32.
    size: (height, width), numbers or a tensor of two.
    output: what the tensor holds. Unit vectors are made unit length again; a pixel whose neighbourhood touches a
      missing value takes the nearest pixel instead of a mixture with "missing".

  Returns:
    [n, *size, channels] float32.
  """
  valid = tf.reduce_any(values != output.missing, axis=-1, keepdims=True)
  smooth = bilinear(values, size)
  if is_direction(output):
    smooth = tf.math.l2_normalize(smooth, axis=-1, epsilon=1e-12)
  touched = bilinear(tf.cast(valid, tf.float32), size) < 1.0 - 1e-4
  return tf.where(touched, nearest(values, size), smooth)
