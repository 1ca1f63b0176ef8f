"""Depth must be what makes two views with known motion match, found by search."""

import tensorflow as tf

from tf_taskology.consistency import consistency_loss, views
from tf_taskology.geometry import image_similarity, warping

_L1, _SSIM = 0.85, 1.5  # as TwoView's
_LEAST_SEEN = 0.5  # share of a window that must be visible in the other frame
_NEVER = 1e3  # cost of what cannot be judged
_NOISE = 0.01  # differences of cost below this say nothing


class MatchedDepth(consistency_loss.ConsistencyLoss):
  """Depth of two frames against the depth that, near it, matches the images best.

  Following a photometric loss downhill (`TwoView`) needs depth that is right to about a pixel of parallax already, and smooths
  it. Here multiples of the predicted depth are tried, the other view is warped by each, and the best match in the window
  around a pixel is what the prediction is held to (cf. Depth Hints, Watson et al. 2019, which finds its hints by stereo
  matching beforehand). The pose between the frames is in metres, so this sees the scale of depth, on images without any label.

  One term, `log_l1`: mean over all pixels of w |log(depth) - log(matched depth)|. The matched depth is a constant for gradients.
  w = 1 - cost of the best match / mean cost of all multiples, both plus 0.01: near 0 where texture or parallax is too
  small to tell depths apart, so that such frames teach little. The search reaches further towards the camera than
  away from it, and w is 0 where the best multiple is the largest. For far away all depths look alike: without these
  two, depth that is once too far is never called back, and runs away. The scene must stand still between the frames.
  """

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    span: float = 0.6,
    candidates: int = 13,
    window: int = 11,
    jit_compile: bool = True,
    frames: tuple[int, int] = (0, 1),
    name: str | None = None,
  ):
    """Depth by search.

    Args:
      weights: see `ConsistencyLoss`, e.g. {"depth": 1.0}.
      labelled_weights: see `ConsistencyLoss`.
      span: multiples reach from exp(-2 span) to exp(span).
      candidates: how many multiples are tried, evenly spaced in log depth: 4, 7, 10, ..., so that the prediction is one.
      window: side of the window in which matches are judged, in pixels of the prediction; odd.
      jit_compile: run the loss under XLA.
      frames: the two frames of the sample.
      name: of the tf.Module.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    self._frames = views.check_frames("MatchedDepth", frames)
    if not span > 0:
      raise ValueError(f"MatchedDepth.span must be > 0. Received: {span!r}.")
    if not (isinstance(candidates, int) and candidates >= 4 and candidates % 3 == 1):
      raise ValueError(
        f"MatchedDepth.candidates must be one of 4, 7, 10, .... Received: {candidates!r}."
      )
    if not (isinstance(window, int) and window >= 1 and window % 2):
      raise ValueError(f"MatchedDepth.window must be an odd number >= 1. Received: {window!r}.")
    super().__init__(weights, labelled_weights, name)
    self._span, self._candidates, self._window = span, candidates, window
    self._terms = (
      tf.function(self._compute, jit_compile=True, autograph=False)
      if jit_compile
      else self._compute
    )

  @property
  def needs(self):
    return {"depth": self._frames}

  @property
  def needs_inputs(self):
    return ("intrinsics", "pose")

  def __call__(self, predictions, inputs, labels=None):
    return self._terms(**views.select("MatchedDepth", self._frames, predictions, inputs, labels))

  def search(self, depth, image, intrinsics, pose) -> tuple[tf.Tensor, tf.Tensor]:
    """The best multiples of depth.

    Args:
      depth: [batch, frames, height, width, 1] float, metres.
      image, intrinsics, pose: as in `ConsistencyLoss.__call__`.

    Returns:
      log_factor: [2 batch, height, width, 1], log of the multiple, for the first frames and then for the second.
      distinctness: the same shape, 0..1; 0 where nothing can be matched.
    """
    pair = views.Pair(image, intrinsics, pose, self._frames, depth.shape[-3:-1], depth.dtype)
    source, _ = pair.directions(depth)
    step = 3 * self._span / (self._candidates - 1)
    logs = step * tf.range(self._candidates, dtype=depth.dtype) - 2 * self._span
    costs = tf.map_fn(lambda log: self._cost(pair, source * tf.exp(log)), logs)
    best = tf.argmin(costs, axis=0, output_type=tf.int32)
    inner = tf.clip_by_value(best, 1, self._candidates - 2)
    chosen = tf.one_hot(inner, self._candidates, axis=0, dtype=depth.dtype)
    at, after, before = (
      tf.reduce_sum(costs * tf.roll(chosen, shift, axis=0), axis=0) for shift in (0, 1, -1)
    )
    judged = tf.maximum(tf.maximum(before, after), at) < _NEVER
    # The minimum of the parabola through the best cost and its neighbours'.
    bend = before - 2 * at + after
    offset = tf.where(
      judged & (bend > 1e-6), 0.5 * (before - after) / tf.maximum(bend, 1e-6), tf.zeros_like(at)
    )
    log_factor = tf.gather(logs, inner) + step * tf.clip_by_value(offset, -1, 1)
    known = tf.cast(costs < _NEVER, depth.dtype)
    mean = tf.math.divide_no_nan(tf.reduce_sum(costs * known, axis=0), tf.reduce_sum(known, axis=0))
    distinctness = tf.clip_by_value(1 - (at + _NOISE) / (mean + _NOISE), 0, 1)
    usable = judged & (best < self._candidates - 1) & (source > 0)
    return log_factor, tf.where(usable, distinctness, tf.zeros_like(distinctness))

  def _compute(self, depth, image, intrinsics, pose):
    log_factor, weight = self.search(tf.stop_gradient(depth), image, intrinsics, pose)
    log_factor, weight = tf.stop_gradient(log_factor), tf.stop_gradient(weight)
    own = tf.concat([depth[:, frame] for frame in self._frames], axis=0)
    known = own > 0
    log_depth = tf.math.log(tf.where(known, own, tf.ones_like(own)))
    target = tf.stop_gradient(log_depth) + log_factor
    return {"log_l1": tf.reduce_mean(weight * tf.abs(log_depth - target))}

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
