"""Surface normals of depth maps."""

import numpy as np
import tensorflow as tf

from tf_taskology.geometry import cameras

# Metres. At smaller depths the square of inverse depth, in gradients, could overflow.
_MIN_DEPTH = 1e-6


def depth_to_normals(
  depth: tf.Tensor, intrinsics: tf.Tensor, window: int = 1
) -> tuple[tf.Tensor, tf.Tensor]:
  """Normals of the surface that a depth map shows, as Taskology eq. 6 needs them.

  With window 1 the normal is the cross product of the differences of lifted points to the right and
  left, and below and above: central differences where both neighbours have depth, one-sided ones at
  image borders and next to missing depth. A larger window fits a plane to the pixels that have depth
  in it, by least squares of inverse depth, which is linear in pixel coordinates on every plane; this
  takes noise away and rounds edges. Both are exact on planes, borders and missing depth included.

  Args:
    depth: [..., height, width, 1] float, metres along the optical axis; below 1e-6 or not finite
      means missing.
    intrinsics: [..., 3, 3] float, pixels of `depth`.
    window: 1, or side of the window in pixels, odd.

  Returns:
    normals: [..., height, width, 3], same dtype, unit length, camera frame, normal . ray < 0; 0
      where not valid.
    valid: [..., height, width, 1], same dtype, 1 where the pixel has depth and its neighbours with
      depth span a plane. Differentiable in both arguments; gradients are finite everywhere and 0
      where not valid.

  Raises:
    ValueError: if a rank is wrong, the leading dimensions differ, or the window is not odd.
  """
  cameras.check_shapes(depth, intrinsics)
  if window < 1 or window % 2 == 0:
    raise ValueError(f"`window` must be an odd number of pixels. Received: {window}.")
  has_depth = (depth > _MIN_DEPTH) & tf.math.is_finite(depth)
  if window == 1:
    slope_x, valid_x = _relative_slope(depth, has_depth, axis=-2)
    slope_y, valid_y = _relative_slope(depth, has_depth, axis=-3)
    valid = has_depth & valid_x & valid_y
  else:
    slope_x, slope_y, valid = _relative_slopes_of_planes(depth, has_depth, window)
  # With ray r = (X, Y, 1) and A = fx / z dz/dx (C along y), the cross product of the tangents is a
  # multiple of (A, C, -(1 + X A + Y C)). This form does not depend on the scale of depth, its
  # product with r is -1, so that it faces the camera, and it is never shorter than 1 / |r|, so that
  # nothing needs an epsilon.
  k = intrinsics[..., tf.newaxis, tf.newaxis, :, :]
  a = k[..., 0, 0, tf.newaxis] * slope_x
  c = k[..., 1, 1, tf.newaxis] * slope_y + k[..., 0, 1, tf.newaxis] * slope_x
  grid = cameras.pixel_grid(*depth.shape[-3:-1], depth.dtype)
  rays = cameras.unproject(grid, intrinsics)
  b = -(1 + rays[..., 0:1] * a + rays[..., 1:2] * c)
  valid = tf.cast(valid, depth.dtype)
  scale = valid * tf.math.rsqrt(a * a + b * b + c * c)
  return tf.concat([a, c, b], axis=-1) * scale, valid


def _relative_slope(depth, has_depth, axis):
  """Change of depth per pixel along `axis`, relative to depth, and where it is known."""
  near, far = _ends(depth, axis)
  near_known, far_known = _ends(has_depth, axis)
  known = near_known & far_known
  near = tf.where(known, near, tf.zeros_like(near))
  far = tf.where(known, far, tf.zeros_like(far))
  # Each pair of neighbours gives its first pixel a forward difference over the depth at its end,
  # and its second pixel a backward difference over the depth at its start; their sum is the central
  # difference.
  before, after = _paddings(depth.shape.rank, axis)
  difference = far - near
  change = tf.pad(difference, after) + tf.pad(difference, before)
  total = tf.pad(far, after) + tf.pad(near, before)
  valid = total > 0
  return change / tf.where(valid, total, tf.ones_like(total)), valid


def _ends(x, axis):
  """`x` without its last, and without its first entry along `axis` (-2 or -3)."""
  if axis == -2:
    return x[..., :-1, :], x[..., 1:, :]
  return x[..., :-1, :, :], x[..., 1:, :, :]


def _paddings(rank, axis):
  before = [[0, 0] for _ in range(rank)]
  after = [[0, 0] for _ in range(rank)]
  before[axis][0] = 1
  after[axis][1] = 1
  return before, after


def _relative_slopes_of_planes(depth, has_depth, window):
  """Both relative slopes, from the plane p x + q y + w0 that best fits inverse depth."""
  shape = tf.shape(depth)
  known = tf.cast(has_depth, depth.dtype)
  inverse = known / tf.where(has_depth, depth, tf.ones_like(depth))
  both = tf.reshape(tf.concat([known, inverse], axis=-1), [-1, *depth.shape[-3:-1], 2])
  sums = tf.nn.conv2d(both, _moment_kernel(window, depth.dtype), 1, "SAME")
  sums = tf.reshape(sums, tf.concat([shape[:-1], [9]], axis=0))
  n, x, y, xx, xy, yy, w, wx, wy = tf.split(sums, 9, axis=-1)
  # Cramer's rule on the normal equations. Their determinant is a whole number: 0 if the pixels lie
  # on a line.
  determinant = xx * (yy * n - y * y) - xy * (xy * n - y * x) + x * (xy * y - yy * x)
  p = wx * (yy * n - y * y) - xy * (wy * n - y * w) + x * (wy * y - yy * w)
  q = xx * (wy * n - y * w) - wx * (xy * n - y * x) + x * (xy * w - wy * x)
  w0 = xx * (yy * w - wy * y) - xy * (xy * w - wy * x) + wx * (xy * y - yy * x)
  valid = has_depth & (determinant > 0.5) & (w0 > 0)
  w0 = tf.where(valid, w0, tf.ones_like(w0))
  zero = tf.zeros_like(w0)
  return tf.where(valid, -p / w0, zero), tf.where(valid, -q / w0, zero), valid


def _moment_kernel(window, dtype):
  """Kernel [window, window, 2, 9] from (known, w) to sums of known, x, y, xx, ..., w, wx, wy."""
  offset = np.arange(window) - window // 2
  y, x = np.meshgrid(offset, offset, indexing="ij")
  one, zero = np.ones_like(x), np.zeros_like(x)
  of_known = [one, x, y, x * x, x * y, y * y, zero, zero, zero]
  of_inverse = [zero] * 6 + [one, x, y]
  return tf.constant(np.stack([np.stack(of_known, -1), np.stack(of_inverse, -1)], -2), dtype)
