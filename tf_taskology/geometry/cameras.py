"""Pinhole cameras: pixels, depths, points and poses.

Conventions, here and everywhere: camera frame x right, y down, z forward; depth is z in metres, 0
where missing; pixel centres are at integer coordinates, (0, 0) the top left pixel's; x is the
column. `...` stands for any leading dimensions, usually [batch, frames].
"""

import tensorflow as tf

MIN_DEPTH = 1e-3
"""Metres. Points nearer to the camera's plane, or behind it, have no projection."""


def pixel_grid(height: int, width: int, dtype=tf.float32) -> tf.Tensor:
  """Pixel coordinates (x, y) of every pixel: [height, width, 2]."""
  x, y = tf.meshgrid(tf.range(width), tf.range(height))
  return tf.cast(tf.stack([x, y], axis=-1), dtype)


def scale_intrinsics(intrinsics: tf.Tensor, scale) -> tf.Tensor:
  """Intrinsics of an image whose pixel (x, y) lies at (x / scale, y / scale) of the original.

  Subsampling `image[::s, ::s]` is scale 1 / s. (Averaging blocks of pixels is not: it also moves
  the centre.)

  Args:
    intrinsics: [..., 3, 3] float, pixels.
    scale: number.

  Returns:
    [..., 3, 3], same dtype.
  """
  return intrinsics * tf.constant([[scale], [scale], [1.0]], intrinsics.dtype)


def stride(image_size: tuple[int, int], size: tuple[int, int]) -> int:
  """The stride s for which an image of `image_size` subsampled as `[::s, ::s]` has `size` (both
  (height, width)).

  Raises:
    ValueError: if there is none.
  """
  if None in (*image_size, *size):
    raise ValueError(f"Sizes must be static. Received image size {image_size} and size {size}.")
  result = -(-image_size[0] // size[0])
  if tuple(-(-side // result) for side in image_size) != tuple(size):
    raise ValueError(
      f"No stride s makes an image of size {tuple(image_size)} (height, width) have size "
      f"{tuple(size)} when subsampled "
      "as [::s, ::s]; predictions must be at such a size."
    )
  return result


def inverse_intrinsics(intrinsics: tf.Tensor) -> tf.Tensor:
  """Inverse of intrinsics [..., 3, 3] (upper triangular, last row (0, 0, 1)), in closed form."""
  fx, fy = intrinsics[..., 0, 0], intrinsics[..., 1, 1]
  skew, cx, cy = intrinsics[..., 0, 1], intrinsics[..., 0, 2], intrinsics[..., 1, 2]
  zero, one = tf.zeros_like(fx), tf.ones_like(fx)
  rows = [
    [1 / fx, -skew / (fx * fy), (skew * cy / fy - cx) / fx],
    [zero, 1 / fy, -cy / fy],
    [zero, zero, one],
  ]
  return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def unproject(pixels: tf.Tensor, intrinsics: tf.Tensor) -> tf.Tensor:
  """Rays through pixels, scaled to z = 1.

  Args:
    pixels: [height, width, 2] or [..., height, width, 2] float, (x, y).
    intrinsics: [..., 3, 3] float, upper triangular with last row (0, 0, 1).

  Returns:
    [..., height, width, 3], same dtype.
  """
  k = intrinsics[..., tf.newaxis, tf.newaxis, :, :]
  y = (pixels[..., 1] - k[..., 1, 2]) / k[..., 1, 1]
  x = (pixels[..., 0] - k[..., 0, 2] - k[..., 0, 1] * y) / k[..., 0, 0]
  return tf.stack([x, y, tf.ones_like(x)], axis=-1)


def depth_to_points(depth: tf.Tensor, intrinsics: tf.Tensor) -> tf.Tensor:
  """Lifts a depth map to points in the camera frame (x right, y down, z forward).

  Args:
    depth: [..., height, width, 1] float; metres along the optical axis. 0 means no measurement.
    intrinsics: [..., 3, 3] float; pixels, for the resolution of `depth`.

  Returns:
    [..., height, width, 3], same dtype, metres; 0 where depth is 0. Differentiable in both
    arguments.

  Raises:
    ValueError: if a rank is wrong or the leading dimensions differ.
  """
  check_shapes(depth, intrinsics)
  height, width = depth.shape[-3:-1]
  return depth * unproject(pixel_grid(height, width, depth.dtype), intrinsics)


def project(
  points: tf.Tensor, intrinsics: tf.Tensor, min_depth: float = MIN_DEPTH
) -> tuple[tf.Tensor, tf.Tensor]:
  """Projects points of the camera frame.

  Args:
    points: [..., height, width, 3] float, metres.
    intrinsics: [..., 3, 3] float, upper triangular with last row (0, 0, 1).
    min_depth: metres; points nearer than this (or behind the camera) have no projection.

  Returns:
    pixels: [..., height, width, 2], (x, y). For points without a projection: finite, of no meaning,
      with zero gradient.
    visible: [..., height, width, 1], same dtype, 1 where z > min_depth, else 0. Says nothing about
      image borders.
  """
  x, y, z = tf.unstack(points, axis=-1)
  visible = z > min_depth
  safe = tf.where(visible, z, tf.ones_like(z))
  x = tf.where(visible, x, tf.zeros_like(x)) / safe
  y = tf.where(visible, y, tf.zeros_like(y)) / safe
  k = intrinsics[..., tf.newaxis, tf.newaxis, :, :]
  pixels = tf.stack(
    [k[..., 0, 0] * x + k[..., 0, 1] * y + k[..., 0, 2], k[..., 1, 1] * y + k[..., 1, 2]], axis=-1
  )
  return pixels, tf.cast(visible, points.dtype)[..., tf.newaxis]


def transform_points(points: tf.Tensor, transform: tf.Tensor) -> tf.Tensor:
  """Applies a rigid transform to every point.

  Args:
    points: [..., height, width, 3] float, metres.
    transform: [..., 4, 4] float; the last row is taken to be (0, 0, 0, 1).

  Returns:
    [..., height, width, 3], same dtype.
  """
  t = transform[..., tf.newaxis, tf.newaxis, :, :]
  # Sums of products rather than matmul: a 3 x 3 matrix per image is too small for it to pay.
  rows = [
    t[..., i, 0] * points[..., 0]
    + t[..., i, 1] * points[..., 1]
    + t[..., i, 2] * points[..., 2]
    + t[..., i, 3]
    for i in range(3)
  ]
  return tf.stack(rows, axis=-1)


def inverse_pose(pose: tf.Tensor) -> tf.Tensor:
  """Inverse of rigid transforms [..., 4, 4], in closed form."""
  rotation = tf.linalg.matrix_transpose(pose[..., :3, :3])
  translation = -tf.linalg.matmul(rotation, pose[..., :3, 3:])
  return tf.concat([tf.concat([rotation, translation], axis=-1), pose[..., 3:, :]], axis=-2)


def relative_pose(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
  """The transform that takes points of the source camera's frame to the target camera's frame.

  Args:
    source: [..., 4, 4] float, camera-to-world pose.
    target: [..., 4, 4] float, camera-to-world pose.

  Returns:
    [..., 4, 4]: inverse(target) source.
  """
  return tf.linalg.matmul(inverse_pose(target), source)


def check_shapes(maps: tf.Tensor, matrices: tf.Tensor, channels: int = 1, size: int = 3):
  """Refuses all but maps [..., height, width, channels] with matrices [..., size, size]."""
  if maps.shape.rank is None or maps.shape.rank < 3 or maps.shape[-1] != channels:
    raise ValueError(
      f"Expected a map of shape [..., height, width, {channels}]. Received: {maps.shape}."
    )
  if not maps.shape[-3:-1].is_fully_defined():
    raise ValueError(f"Height and width must be static. Received: {maps.shape}.")
  if matrices.shape.rank is None or matrices.shape.rank < 2 or matrices.shape[-2:] != [size, size]:
    raise ValueError(
      f"Expected matrices of shape [..., {size}, {size}]. Received: {matrices.shape}."
    )
  if not maps.shape[:-3].is_compatible_with(matrices.shape[:-2]):
    raise ValueError(
      f"Leading dimensions differ: maps of shape {maps.shape}, matrices of shape {matrices.shape}."
    )
