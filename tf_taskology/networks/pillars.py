"""From points to a picture seen from above: pillars without a limit on pillars or points in them.

Dynamic voxelisation (Zhou et al. 2019) by TensorFlow's segment operations: no custom kernel, static
shapes. keras-cv's DynamicVoxelization does not serve: it fixes 128 channels, knows no mean of a
pillar's points, cannot be restored from its configuration, and puts invalid points into pillar 0.
"""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.geometry import bev_grid

_PACKAGE = "tf_taskology"
NORMALIZATIONS = ("batch", "none")


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class PillarFeatures(tf.keras.layers.Layer):
  """Points of a sweep as features of grid cells (Lang et al. 2019, section 2.1).

  Each point has its numbers as given (x, y, z from -1 to 1 over the grid's extent), its offset from
  the mean of its pillar's points and from the pillar's centre (in cells): with two numbers besides
  x, y, z that makes 10. A linear layer, normalisation and ReLU follow, then the maximum over the
  pillar. (The paper has the same numbers in metres; OpenPCDet has z's offset from the centre, too.)

  Points behind the count, outside the grid or with a number that is not finite are left out, also
  of the normalisation's moments and of the maximum, where OpenPCDet has its padding take part; a
  sweep without points gives zeros.

  Args:
    x_range: of the grid, see `BevGrid`.
    y_range: of the grid.
    z_range: of the grid.
    cell: of the grid.
    channels: features of a cell.
    normalization: "batch" (over the points of the batch) or "none".
  """

  def __init__(
    self,
    x_range: Sequence[float],
    y_range: Sequence[float],
    z_range: Sequence[float],
    cell: float,
    channels: int = 64,
    normalization: str = "batch",
    **kwargs,
  ):
    super().__init__(autocast=False, **kwargs)  # half precision would move points
    if normalization not in NORMALIZATIONS:
      raise ValueError(f"normalization must be one of {NORMALIZATIONS}, got {normalization!r}.")
    self._grid = bev_grid.BevGrid(tuple(x_range), tuple(y_range), tuple(z_range), cell)
    self.channels = channels
    self.normalization = normalization
    normalized = normalization == "batch"
    self.linear = tf.keras.layers.Dense(channels, use_bias=not normalized, name="linear")
    self.norm = (
      tf.keras.layers.BatchNormalization(epsilon=1e-3, name="norm") if normalized else None
    )

  def call(self, points, num_points, training=None):
    """[N, P, 3 or more] and [N] int32 -> [N, rows, columns, channels] in the compute dtype."""
    grid = self._grid
    batch, most = tf.shape(points)[0], tf.shape(points)[1]
    cells = grid.rows * grid.columns
    pillar, valid = self._pillars(points, num_points)
    points = tf.where(valid[..., tf.newaxis], points, tf.zeros_like(points))
    # Segments below 0 are dropped.
    segment = pillar + cells * tf.range(batch)[:, tf.newaxis]
    segment = tf.reshape(tf.where(valid, segment, -1), [-1])
    flat = tf.reshape(points, [batch * most, points.shape[-1]])
    features = self._features(flat, segment, batch * cells)
    features = self.linear(tf.cast(features, self.compute_dtype))
    if self.norm is not None:
      counted = segment >= 0
      # Moments over no points at all would be 0 / 0.
      counted |= ~tf.reduce_any(counted)
      features = self.norm(features, training=training, mask=counted)
    # ReLU after the maximum: the same numbers, and empty pillars become 0.
    features = tf.nn.relu(tf.math.unsorted_segment_max(features, segment, batch * cells))
    return tf.reshape(features, [batch, grid.rows, grid.columns, self.channels])

  def get_config(self):
    grid = self._grid
    return {
      **super().get_config(),
      "x_range": grid.x_range,
      "y_range": grid.y_range,
      "z_range": grid.z_range,
      "cell": grid.cell,
      "channels": self.channels,
      "normalization": self.normalization,
    }

  def _pillars(self, points, num_points):
    """Cell of each point, [N, P] int32, and whether it counts."""
    grid = self._grid
    valid = tf.range(tf.shape(points)[1]) < tf.cast(num_points, tf.int32)[:, tf.newaxis]
    valid &= tf.reduce_all(tf.math.is_finite(points), axis=-1)
    for axis, (low, high) in enumerate((grid.x_range, grid.y_range, grid.z_range)):
      valid &= (points[..., axis] >= low) & (points[..., axis] < high)
    # What does not count may be too large for an integer.
    x = tf.where(valid, points[..., 0], grid.x_range[0])
    y = tf.where(valid, points[..., 1], grid.y_range[0])
    index = lambda value, low, count: tf.minimum(
      tf.cast((value - low) / grid.cell, tf.int32), count - 1
    )
    column = index(x, grid.x_range[0], grid.columns)
    row = index(y, grid.y_range[0], grid.rows)
    return row * grid.columns + column, valid

  def _features(self, points, segment, num_segments):
    """[n, D] points of segments -> [n, D + 5]."""
    grid = self._grid
    place = points[:, :3]
    one = tf.ones_like(place[:, :1])
    sums = tf.math.unsorted_segment_sum(tf.concat([place, one], -1), segment, num_segments)
    own = tf.gather(sums, tf.maximum(segment, 0))
    mean = own[:, :3] / tf.maximum(own[:, 3:], 1.0)
    low = tf.constant([grid.x_range[0], grid.y_range[0]])
    centre = (tf.floor((place[:, :2] - low) / grid.cell) + 0.5) * grid.cell + low
    extent = [high - low for low, high in (grid.x_range, grid.y_range, grid.z_range)]
    middle = [0.5 * sum(pair) for pair in (grid.x_range, grid.y_range, grid.z_range)]
    parts = [
      2 * (place - middle) / extent,
      points[:, 3:],
      (place - mean) / grid.cell,
      (place[:, :2] - centre) / grid.cell,
    ]
    valid = tf.cast(segment >= 0, points.dtype)[:, tf.newaxis]
    return tf.concat(parts, axis=-1) * valid


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class FoldFrames(tf.keras.layers.Layer):
  """[N, F, ...] -> [N * F, ...]."""

  def call(self, x):
    shape = tf.shape(x)
    folded = tf.reshape(x, tf.concat([[shape[0] * shape[1]], shape[2:]], axis=0))
    return tf.ensure_shape(folded, [None, *x.shape[2:]])


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class UnfoldFrames(tf.keras.layers.Layer):
  """[N * F, ...] -> [N, F, ...], F as in a second tensor [N, F, ...]."""

  def call(self, x, like):
    shape = tf.concat([tf.shape(like)[:2], tf.shape(x)[1:]], axis=0)
    return tf.ensure_shape(tf.reshape(x, shape), [None, like.shape[1], *x.shape[1:]])


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class StackFrames(tf.keras.layers.Layer):
  """[N * F, rows, columns, C] -> [N, rows, columns, F * C]: frames beside each other.

  Args:
    num_frames: F.
  """

  def __init__(self, num_frames: int, **kwargs):
    super().__init__(**kwargs)
    self.num_frames = num_frames

  def call(self, x):
    _, rows, columns, channels = x.shape
    x = tf.reshape(x, [-1, self.num_frames, rows, columns, channels])
    x = tf.transpose(x, [0, 2, 3, 1, 4])
    return tf.reshape(x, [-1, rows, columns, self.num_frames * channels])

  def get_config(self):
    return {**super().get_config(), "num_frames": self.num_frames}
