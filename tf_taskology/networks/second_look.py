"""How two pictures still differ once one is turned as the camera is thought to have turned."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.geometry import motion_warp, rotations

_MOST = 2.0  # pixels of a scale: beyond, the first order of the brightness says nothing
_NOISE = 1e-4  # added to mean squared slopes, for pictures of standard deviation 1/4


@tf.keras.utils.register_keras_serializable(package="tf_taskology")
class TurnedShifts(tf.keras.layers.Layer):
  """(pair [N, H, W, 2 C], angles [N, 1, 1, 3]) -> [N, H / cell, W / cell, 5 scales]: how both pictures still differ.

  The first three channels of each picture are its colours. The second picture is turned back by the angles (the
  rotation from the first camera's frame to the second's, see `geometry.rotations`). Of what remains, each cell finds
  the shift by least squares over brightness (Lucas and Kanade 1981), of the pictures' means over s x s pixels for each
  scale s. It gives 5 numbers: the shift (x, y) in pixels, within 2 s; the slopes (x, y), which say how sure it is; and
  what it does not explain. Patch matches find large shifts to a fraction of their stride, this finds small ones to a
  tenth of a pixel. Pictures are first made alike in brightness and contrast. There are no weights and no gradients.

  Args:
    focal: focal length in picture widths; roughly right is enough, as what is left tells of the rest.
    cell: pixels, a divisor of the pictures' height and width.
    scales: divisors of `cell`.
  """

  def __init__(self, focal: float, cell: int, scales: Sequence[int] = (1, 2, 4), **kwargs):
    super().__init__(autocast=False, **kwargs)
    if not focal > 0:
      raise ValueError(f"TurnedShifts needs a focal length > 0 picture widths, got {focal}.")
    if not scales or any(cell % scale for scale in scales):
      raise ValueError(f"TurnedShifts: scales must divide cell, got {tuple(scales)} and {cell}.")
    self.focal, self.cell, self.scales = focal, cell, tuple(scales)

  def call(self, inputs):
    pair, angles = inputs
    pictures = tf.split(tf.cast(pair, tf.float32), 2, axis=-1)
    grey = [_standardized(picture[..., :3]) for picture in pictures]
    turned, seen = _turned(grey[1], tf.cast(angles, tf.float32)[:, 0, 0], self.focal)
    parts = [_shifts(grey[0], turned, seen, scale, self.cell) for scale in self.scales]
    return tf.stop_gradient(tf.concat(parts, axis=-1))

  def get_config(self):
    own = {"focal": self.focal, "cell": self.cell, "scales": self.scales}
    return {**super().get_config(), **own}


def _standardized(picture):
  """Grey [N, H, W, 1] with mean 0 and standard deviation 1/4; what is flat stays flat."""
  grey = tf.reduce_mean(picture, axis=-1, keepdims=True)
  grey -= tf.reduce_mean(grey, axis=[1, 2], keepdims=True)
  deviation = tf.math.reduce_std(grey, axis=[1, 2], keepdims=True)
  return 0.25 * grey / tf.maximum(deviation, 1e-3 * 255.0)


def _turned(picture, angles, focal):
  """`picture` as the first camera sees it if only `angles` lie between both, and 1 where it does [N, H, W, 1]."""
  height, width = picture.shape[1:3]
  length = focal * width
  camera = [[length, 0.0, (width - 1) / 2], [0.0, length, (height - 1) / 2], [0.0, 0.0, 1.0]]
  rotation = rotations.matrix_from_angles(angles)
  moved = motion_warp.move(
    tf.ones_like(picture[..., 0]),
    rotation,
    tf.zeros([1, 1, 1, 3]),
    tf.broadcast_to(tf.constant(camera), tf.shape(rotation)),
  )
  sampled = tf.transpose(motion_warp.sample(picture, moved.x, moved.y), [0, 2, 3, 1])
  return sampled, tf.cast(moved.visible, tf.float32)[..., tf.newaxis]


def _shifts(first, second, seen, scale, cell):
  """[N, H / cell, W / cell, 5] of pictures [N, H, W, 1]."""
  if scale > 1:
    first, second, seen = (
      tf.nn.avg_pool2d(x, scale, scale, "VALID") for x in (first, second, seen)
    )
  mean, change = (first + second) / 2, second - first
  counted = tf.cast(seen[:, 1:-1, 1:-1] > 0.99, tf.float32)
  right = counted * (mean[:, 1:-1, 2:] - mean[:, 1:-1, :-2]) / 2
  down = counted * (mean[:, 2:, 1:-1] - mean[:, :-2, 1:-1]) / 2
  change = counted * change[:, 1:-1, 1:-1]
  pairs = ((right, right), (right, down), (down, down), (right, change), (down, change))
  products = tf.concat([*(a * b for a, b in pairs), change * change], axis=-1)
  products = tf.pad(products, [[0, 0], [1, 1], [1, 1], [0, 0]])
  side = cell // scale
  means = tf.unstack(tf.nn.avg_pool2d(products, side, side, "VALID"), axis=-1)
  xx, xy, yy, xt, yt, tt = means
  xx, yy = xx + _NOISE, yy + _NOISE
  determinant = xx * yy - xy * xy
  x = (xy * yt - yy * xt) / determinant
  y = (xy * xt - xx * yt) / determinant
  unexplained = tf.maximum(tt + x * xt + y * yt, 0.0)
  x, y = (scale * tf.clip_by_value(shift, -_MOST, _MOST) for shift in (x, y))
  return tf.stack([x, y, *(3 * tf.sqrt(value + 1e-4) for value in (xx, yy, unexplained))], axis=-1)
