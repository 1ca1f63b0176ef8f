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


def weighted_ssim_loss(
  x: tf.Tensor,
  y: tf.Tensor,
  weight: tf.Tensor,
  c2: float = 9e-6,
  weight_epsilon: float = 0.01,
) -> tf.Tensor:
  """The SSIM term of Depth from Videos in the Wild: mean of `ssim_distance` times mean weight.

  The same as `reduce_mean(distance * window_weight)` of `ssim_distance` without luminance factor,
  on planes and with a gradient written out, in less than half the time.

  Args:
    x: [batch, channels, height, width] float in 0..1.
    y: same shape.
    weight: [batch, 1, height, width] float in 0..1; a constant, no gradient flows into it.
    c2: stabiliser.
    weight_epsilon: added to weights.

  Returns:
    Scalar, differentiable in x and y.
  """
  weight = tf.stop_gradient(weight)
  window = _box_sum(weight) / 9
  normaliser = 1 / (9 * (window + weight_epsilon))
  pixel_weight = weight + weight_epsilon

  @tf.custom_gradient
  def loss(x, y):
    mean_x = _box_sum(pixel_weight * x) * normaliser
    mean_y = _box_sum(pixel_weight * y) * normaliser
    variance_x = _box_sum(pixel_weight * x * x) * normaliser - mean_x * mean_x
    variance_y = _box_sum(pixel_weight * y * y) * normaliser - mean_y * mean_y
    covariance = _box_sum(pixel_weight * x * y) * normaliser - mean_x * mean_y
    denominator = variance_x + variance_y + c2
    similarity = (2 * covariance + c2) / denominator
    distance = (1 - similarity) / 2

    def gradient(upstream):
      scale = -0.5 * upstream / tf.cast(tf.size(distance), x.dtype)
      inside = (distance >= 0) & (distance <= 1)
      # By the weighted means of x y, of x x or y y, and of x or y.
      by_products = tf.where(inside, window * scale, tf.zeros_like(distance)) * (
        2 * normaliser / denominator
      )
      by_squares = -0.5 * by_products * similarity
      products, squares = _box_sum(_frame(by_products)), 2 * _box_sum(_frame(by_squares))

      def at(values, others, mean, other_mean):
        by_mean = -by_products * other_mean - 2 * by_squares * mean
        return pixel_weight * (products * others + squares * values + _box_sum(_frame(by_mean)))

      return at(x, y, mean_x, mean_y), at(y, x, mean_y, mean_x)

    return tf.reduce_mean(tf.clip_by_value(distance, 0, 1) * window), gradient

  return loss(x, y)


def _box_sum(x):
  """Sums over 3 x 3 pixels of planes: [..., h, w] -> [..., h - 2, w - 2]."""
  x = x[..., :-2] + x[..., 1:-1] + x[..., 2:]
  return x[..., :-2, :] + x[..., 1:-1, :] + x[..., 2:, :]


def _frame(x):
  """Two zeros around planes: `_box_sum` of it is the transpose of `_box_sum`."""
  return tf.pad(x, [[0, 0]] * (x.shape.rank - 2) + [[2, 2], [2, 2]])


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


def disparity_smoothness(depth: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
  """Edge-aware smoothness of disparity divided by its mean.

  Args:
    depth: [..., height, width, 1] float, metres; 0 where it is missing, which counts as disparity 0.
    image: [..., height, width, channels] float in 0..1.

  Returns:
    Scalar.
  """
  known = depth > 0
  disparity = tf.where(known, 1 / tf.where(known, depth, tf.ones_like(depth)), tf.zeros_like(depth))
  mean = tf.reduce_mean(disparity, axis=[-3, -2, -1], keepdims=True)
  return edge_aware_smoothness(tf.math.divide_no_nan(disparity, mean), image)
