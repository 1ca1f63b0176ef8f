"""How alike two images are, and how smooth a map is between the edges of its image."""

import tensorflow as tf


def box_mean(x: tf.Tensor) -> tf.Tensor:
  """Means over 3 x 3 pixels, without padding: [..., h, w, c] -> [..., h - 2, w - 2, c]."""
  x = x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]
  return (x[..., :-2, :, :] + x[..., 1:-1, :, :] + x[..., 2:, :, :]) / 9


def ssim_distance(
  x: tf.Tensor,
  y: tf.Tensor,
  weight: tf.Tensor,
  c1: float | None = None,
  c2: float = 9e-6,
  weight_epsilon: float = 0.01,
) -> tuple[tf.Tensor, tf.Tensor]:
  """(1 - SSIM) / 2 over weighted 3 x 3 windows, as in Depth from Videos in the Wild.

  Args:
    x: [..., height, width, channels] float in 0..1.
    y: same shape.
    weight: [..., height, width, 1] float in 0..1, of each pixel in the moments of the windows it is
      in.
    c1: stabiliser of the luminance factor; None leaves that factor out (c1 = infinity in the
      reference), so that only structure is compared, which a change of brightness does not touch.
    c2: stabiliser of the structure factor.
    weight_epsilon: added to weights, so that windows without weight have moments.

  Returns:
    distance: [..., height - 2, width - 2, channels] in 0..1.
    weight: [..., height - 2, width - 2, 1], mean weight of each window.
  """
  mean_weight = box_mean(weight)
  normaliser = 1 / (mean_weight + weight_epsilon)
  weight = weight + weight_epsilon

  def moment(values):
    return box_mean(values * weight) * normaliser

  mean_x, mean_y = moment(x), moment(y)
  # In float32 this form of the variance is wrong by about 1e-7, well below c2.
  variance_x = moment(x * x) - mean_x * mean_x
  variance_y = moment(y * y) - mean_y * mean_y
  covariance = moment(x * y) - mean_x * mean_y
  similarity = (2 * covariance + c2) / (variance_x + variance_y + c2)
  if c1 is not None:
    similarity *= (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
  return tf.clip_by_value((1 - similarity) / 2, 0, 1), mean_weight


def edge_aware_smoothness(values: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
  """Mean first difference of a map, less where the image has edges.

  As the disparity term of Depth from Videos in the Wild.

  Args:
    values: [..., height, width, 1] float, divided by its mean so that scale does not matter.
    image: [..., height, width, channels] float in 0..1.

  Returns:
    Scalar.
  """
  across = tf.abs(values[..., 1:, :] - values[..., :-1, :])
  down = tf.abs(values[..., 1:, :, :] - values[..., :-1, :, :])
  edge_across = tf.reduce_mean(
    tf.abs(image[..., 1:, :] - image[..., :-1, :]), axis=-1, keepdims=True
  )
  edge_down = tf.reduce_mean(
    tf.abs(image[..., 1:, :, :] - image[..., :-1, :, :]), axis=-1, keepdims=True
  )
  return tf.reduce_mean(across * tf.exp(-edge_across)) + tf.reduce_mean(down * tf.exp(-edge_down))
