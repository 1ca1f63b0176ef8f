"""Depth must be what makes two views with known motion match, found by a plane sweep."""

import math

import tensorflow as tf

from tf_taskology.consistency import views
from tf_taskology.geometry import image_similarity, warping

_L1, _SSIM = 0.85, 1.5  # as TwoView's
_LEAST_SEEN = 0.5  # share of a window that must be visible in the other frame
_NEVER = 1e3  # cost of what cannot be judged
_NOISE = 0.01  # differences of cost below this say nothing


class MatchedDepth(views.TwoFrames):
  """Depth of two frames against the depth at which they match best.

  Following a photometric loss downhill (`TwoView`) needs depth that is right to about a pixel of parallax already, and smooths
  it. Here fronto-parallel planes at fixed depths are tried for each pixel (plane sweep, Collins 1996), the other view is
  warped by each, and the prediction is held to the plane that matches best in the window around the pixel (cf. Depth Hints, Watson et
  al. 2019). The pose between the frames is in metres, so this sees the scale of depth, on images without any label.

  One term, `log_l1`: mean over all windows of |mean over the window of w (log(depth) - log(matched depth))|, with w = 1 - cost
  of the best plane / mean cost of all planes, both plus 0.01: near 0 where texture or parallax is too small to tell depths
  apart, and 0 where the best is the nearest or the farthest plane. Windows are compared as wholes, for a plane that faces the
  camera says where a surface is and nothing of its slope: compared pixel by pixel, it flattens depth. And the matched depth is a
  function of the images alone: if it followed the prediction, the two could drift away together. The scene must stand
  still between the frames.
  """

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    near: float = 0.4,
    far: float = 10.0,
    planes: int = 17,
    window: int = 11,
    jit_compile: bool = True,
    frames: tuple[int, int] = (0, 1),
    name: str | None = None,
  ):
    """Depth by search.

    Args:
      weights: see `ConsistencyLoss`, e.g. {"depth": 1.0}.
      labelled_weights: see `ConsistencyLoss`.
      near: depth of the nearest plane, metres.
      far: depth of the farthest plane, metres.
      planes: how many, evenly spaced in log depth; at least 3.
      window: side of the window in which matches are judged, in pixels of the prediction; odd.
      jit_compile: run the loss under XLA.
      frames: the two frames of the sample.
      name: of the tf.Module.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    if not 0 < near < far:
      raise ValueError(f"MatchedDepth needs 0 < near < far. Received: near={near!r}, far={far!r}.")
    if not (isinstance(planes, int) and planes >= 3):
      raise ValueError(f"MatchedDepth.planes must be an integer >= 3. Received: {planes!r}.")
    if not (isinstance(window, int) and window >= 1 and window % 2):
      raise ValueError(f"MatchedDepth.window must be an odd number >= 1. Received: {window!r}.")
    super().__init__(weights, labelled_weights, jit_compile, frames, name)
    self._near, self._far, self._planes, self._window = near, far, planes, window

  def search(self, image, intrinsics, pose, size, dtype=tf.float32) -> tuple[tf.Tensor, tf.Tensor]:
    """The depth at which views match.

    Args:
      image, intrinsics, pose: as in `ConsistencyLoss.__call__`.
      size: (height, width) of the result, that of the prediction.
      dtype: of the result.

    Returns:
      depth: [2 batch, height, width, 1], metres, of the first frames and then of the second.
      distinctness: the same shape, 0..1; 0 where nothing can be matched.
    """
    pair = views.Pair(image, intrinsics, pose, self._frames, size, dtype)
    first, last = math.log(self._near), math.log(self._far)
    step = (last - first) / (self._planes - 1)
    logs = first + step * tf.range(self._planes, dtype=dtype)
    ones = tf.ones_like(pair.image[..., :1])
    costs = tf.map_fn(lambda log: self._cost(pair, tf.exp(log) * ones), logs)
    best = tf.argmin(costs, axis=0, output_type=tf.int32)
    inner = tf.clip_by_value(best, 1, self._planes - 2)
    chosen = tf.one_hot(inner, self._planes, axis=0, dtype=dtype)
    at, after, before = (
      tf.reduce_sum(costs * tf.roll(chosen, shift, axis=0), axis=0) for shift in (0, 1, -1)
    )
    # The minimum of the parabola through the best cost and its neighbours'.
    usable = (best == inner) & (tf.maximum(before, after) < _NEVER)
    bend = tf.where(usable, before - 2 * at + after, tf.zeros_like(at))
    offset = tf.where(bend > 1e-6, 0.5 * (before - after) / tf.maximum(bend, 1e-6), 0)
    log_depth = tf.gather(logs, inner) + step * tf.clip_by_value(offset, -1, 1)
    known = tf.cast(costs < _NEVER, dtype)
    mean = tf.math.divide_no_nan(tf.reduce_sum(costs * known, axis=0), tf.reduce_sum(known, axis=0))
    distinctness = tf.clip_by_value(1 - (at + _NOISE) / (mean + _NOISE), 0, 1)
    return tf.exp(log_depth), tf.where(usable, distinctness, tf.zeros_like(distinctness))

  def _compute(self, depth, image, intrinsics, pose):
    found = self.search(image, intrinsics, pose, depth.shape[-3:-1], depth.dtype)
    matched, weight = (tf.stop_gradient(x) for x in found)
    own = tf.concat([depth[:, frame] for frame in self._frames], axis=0)
    known = own > 0
    error = tf.math.log(tf.where(known, own, tf.ones_like(own))) - tf.math.log(matched)
    error = (weight * tf.cast(known, depth.dtype) * error)[..., 0]
    return {"log_l1": tf.reduce_mean(tf.abs(_window_sum(error, self._window))) / self._window**2}

  def _cost(self, pair, depth):
    """How badly the views match, [2 batch, height, width, 1]."""
    pixels, _, visible = warping.reproject(
      depth, pair.intrinsics, pair.other_intrinsics, pair.motion
    )
    seen = warping.sample(pair.other_image, pixels * pair.stride)
    cost = _L1 * tf.reduce_mean(tf.abs(seen - pair.image), axis=-1, keepdims=True)
    distance, _ = image_similarity.ssim_distance(pair.image, seen, visible)
    distance = tf.reduce_mean(distance, axis=-1, keepdims=True)
    cost += _SSIM * tf.pad(distance, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    # Maps without a last axis, for loops over an axis of 1 run at a fraction of the speed.
    cost, visible = cost[..., 0], visible[..., 0]
    total, seen = (_window_sum(x, self._window) for x in (cost * visible, visible))
    share = seen / _window_sum(tf.ones_like(seen[:1]), self._window)
    enough = share >= _LEAST_SEEN
    return tf.where(enough, total / tf.where(enough, seen, tf.ones_like(seen)), _NEVER)[
      ..., tf.newaxis
    ]


def _window_sum(x, window):
  """Sums over window x window pixels, 0 outside: [batch, height, width], same shape."""
  reach = window // 2
  for axis in (1, 2):
    size = x.shape[axis]
    padded = tf.pad(x, [[reach, reach] if a == axis else [0, 0] for a in range(3)])
    shifted = (slice(start, start + size) for start in range(window))
    x = sum(padded[:, s] if axis == 1 else padded[:, :, s] for s in shifted)
  return x
