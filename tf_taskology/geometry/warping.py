"""Seeing one frame from another: reprojection and bilinear sampling."""

import tensorflow as tf

from tf_taskology.geometry import cameras

# A pixel that a round trip in float32 moves out of the image by less than this, in pixels, still
# counts as inside.
_BORDER = 1e-3


def reproject(
  depth, intrinsics, target_intrinsics, source_to_target
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """Where the pixels of a source frame appear in a target frame of the same size.

  Args:
    depth: [..., height, width, 1] float, the source frame's, metres; 0 means missing.
    intrinsics: [..., 3, 3] float, the source frame's, pixels of `depth`.
    target_intrinsics: [..., 3, 3] float, the target frame's, at the same resolution.
    source_to_target: [..., 4, 4] float, `cameras.relative_pose(source, target)`.

  Returns:
    pixels: [..., height, width, 2] (x, y) in the target frame; always finite.
    target_depth: [..., height, width, 1] metres, z of the same points in the target camera's frame.
    visible: [..., height, width, 1], same dtype, 1 where the source has depth and the point is in
      front of the target camera and inside its image; occlusion does not matter.

  Raises:
    ValueError: if a rank is wrong or the leading dimensions differ.
  """
  cameras.check_shapes(depth, target_intrinsics)
  cameras.check_shapes(depth, source_to_target, size=4)
  height, width = depth.shape[-3:-1]
  # A point z K^-1 (x, y, 1) is seen at z H (x, y, 1) + K' t with H = K' R K^-1: one matrix an image
  # instead of three products a pixel. Maps without a last axis, for loops over an axis of 1 or 3
  # run at a fraction of the speed.
  homography = tf.linalg.matmul(
    tf.linalg.matmul(target_intrinsics, source_to_target[..., :3, :3]),
    cameras.inverse_intrinsics(intrinsics),
  )
  offset = tf.linalg.matmul(target_intrinsics, source_to_target[..., :3, 3:])
  h = homography[..., tf.newaxis, tf.newaxis, :, :]
  offset = offset[..., tf.newaxis, tf.newaxis, :, 0]
  z = depth[..., 0]
  x = tf.range(width, dtype=depth.dtype)
  y = tf.range(height, dtype=depth.dtype)[:, tf.newaxis]
  seen = [
    z * (h[..., i, 0] * x + h[..., i, 1] * y + h[..., i, 2]) + offset[..., i] for i in range(3)
  ]
  in_front = (seen[2] > cameras.MIN_DEPTH) & (z > 0)
  scale = tf.where(in_front, tf.ones_like(z), tf.zeros_like(z)) / tf.where(
    in_front, seen[2], tf.ones_like(z)
  )
  pixels = tf.stack([seen[0] * scale, seen[1] * scale], axis=-1)
  visible = tf.cast(in_front, depth.dtype)[..., tf.newaxis] * inside(pixels, height, width)
  return pixels, seen[2][..., tf.newaxis], visible


def inside(pixels: tf.Tensor, height: int, width: int) -> tf.Tensor:
  """1 where pixels [..., 2] lie between the centres of the outer pixels, else 0: [..., 1]."""
  limits = tf.constant([width - 1, height - 1], pixels.dtype)
  result = tf.reduce_all(
    (pixels >= -_BORDER) & (pixels <= limits + _BORDER), axis=-1, keepdims=True
  )
  return tf.cast(result, pixels.dtype)


def sample(image: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
  """Bilinear samples of an image; outside, the nearest border pixel.

  Args:
    image: [..., height, width, channels] float; at least 2 x 2 pixels.
    pixels: [..., rows, columns, 2] float, (x, y), finite; leading dimensions as the image's.

  Returns:
    [..., rows, columns, channels], dtype of `image`. Differentiable in both arguments; outside the
    image the gradient with respect to `pixels` is 0 across the border.

  Raises:
    ValueError: if a rank is wrong, the leading dimensions differ or the image is smaller than 2 x
      2.
  """
  if pixels.shape.rank is None or pixels.shape.rank < 3 or pixels.shape[-1] != 2:
    raise ValueError(f"Expected pixels of shape [..., rows, columns, 2]. Received: {pixels.shape}.")
  if image.shape.rank != pixels.shape.rank or not image.shape[:-3].is_compatible_with(
    pixels.shape[:-3]
  ):
    raise ValueError(f"Leading dimensions differ: image {image.shape}, pixels {pixels.shape}.")
  height, width, channels = image.shape[-3:]
  if height is None or width is None or height < 2 or width < 2:
    raise ValueError(
      f"Expected an image of static size, at least 2 x 2 pixels. Received: {image.shape}."
    )
  x, y = tf.unstack(pixels, axis=-1)
  x = tf.clip_by_value(x, 0, width - 1)
  y = tf.clip_by_value(y, 0, height - 1)
  left = tf.minimum(tf.floor(tf.stop_gradient(x)), width - 2)
  top = tf.minimum(tf.floor(tf.stop_gradient(y)), height - 2)
  right = tf.cast(x - left, image.dtype)[..., tf.newaxis]
  down = tf.cast(y - top, image.dtype)[..., tf.newaxis]

  # Each row of the table holds the four corners of a cell, so that one gather (and one scatter of
  # the gradient) serves all four: reading rows that lie apart is what costs.
  rows = tf.concat([image[..., :-1, :], image[..., 1:, :]], axis=-1)
  table = tf.reshape(
    tf.concat([rows[..., :-1, :, :], rows[..., 1:, :, :]], axis=-1), [-1, 4 * channels]
  )
  cell = tf.cast(top, tf.int32) * (width - 1) + tf.cast(left, tf.int32)
  index = tf.reshape(cell, [-1, pixels.shape[-3] * pixels.shape[-2]])
  index += tf.range(tf.shape(index)[0])[:, tf.newaxis] * ((height - 1) * (width - 1))
  corners = tf.gather(table, tf.reshape(index, tf.shape(cell)))
  upper_left, upper_right, lower_left, lower_right = tf.split(corners, 4, axis=-1)
  upper = upper_left + right * (upper_right - upper_left)
  lower = lower_left + right * (lower_right - lower_left)
  return upper + down * (lower - upper)
