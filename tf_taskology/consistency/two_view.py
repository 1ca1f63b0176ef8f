"""Two views of one scene, with known motion between them, must show the same surface."""

import tensorflow as tf

from tf_taskology.consistency import views
from tf_taskology.geometry import image_similarity, warping
from tf_taskology.tasks import task


class TwoView(views.TwoFrames):
  """Depth of two frames against each other and against both images, with known camera motion.

  The pose between the frames is in metres, so this sees the scale of depth, on images without any
  label. Each frame's pixels are lifted with its depth, moved into the other frame and compared with
  what is seen there. Both directions are evaluated. Terms, each multiplied by its own weight:

    l1: mean absolute colour difference (colours in 0..1).
    ssim: (1 - SSIM) / 2 over 3 x 3 windows of the prediction's grid
      (`image_similarity.ssim_distance`).
    geometric: |z' - z| / (z' + z), z' the moved point's depth and z the depth predicted there (Bian
      et al. 2019).
    smoothness: edge-aware smoothness of disparity divided by its mean.

  The scene must stand still between the frames.
  """

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    l1: float = 0.85,
    ssim: float = 1.5,
    geometric: float = 0.5,
    smoothness: float = 0.01,
    occlusion_tolerance: float = 0.1,
    match_brightness: bool = False,
    jit_compile: bool = True,
    frames: tuple[int, int] = (0, 1),
    name: str | None = None,
  ):
    """Two-view consistency.

    Args:
      weights: see `ConsistencyLoss`, e.g. {"depth": 1.0}.
      labelled_weights: see `ConsistencyLoss`.
      l1: weight of the term; the default is that of Depth from Videos in the Wild.
      ssim: the same; its 3.0, times the 0.5 that it applies to this term besides.
      geometric: weight of the term; the default is that of Bian et al. 2019.
      smoothness: weight of the term; the default is that of Depth from Videos in the Wild.
      occlusion_tolerance: a pixel counts as occluded, and is left out, when it lies behind the
        other frame's surface by more than this share of its depth. Depth from Videos in the Wild
        uses 0, which drops about half of all pixels.
      match_brightness: bring the sampled image to the mean and standard deviation of the other (a
        channel and image over what both see) before comparing, for cameras that adapt exposure or
        white balance between frames.
      jit_compile: run the loss under XLA. On CPUs this takes a third of the time, and costs a few
        seconds once.
      frames: the two frames of the sample.
      name: of the tf.Module.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    self._term_weights = {"l1": l1, "ssim": ssim, "geometric": geometric, "smoothness": smoothness}
    for field, value in {**self._term_weights, "occlusion_tolerance": occlusion_tolerance}.items():
      if not value >= 0:
        raise ValueError(f"TwoView.{field} must be >= 0. Received: {value!r}.")
    super().__init__(weights, labelled_weights, jit_compile, frames, name)
    self._occlusion_tolerance = occlusion_tolerance
    self._match_brightness = match_brightness

  def _compute(self, depth, image, intrinsics, pose):
    pair = views.Pair(image, intrinsics, pose, self._frames, depth.shape[-3:-1], depth.dtype)
    depth, other_depth = pair.directions(depth)
    pixels, moved_depth, visible = warping.reproject(
      depth, pair.intrinsics, pair.other_intrinsics, pair.motion
    )
    # Missing depth is sunk so far that a sample which mixes any of it in is negative, and so never
    # visible.
    sunk = tf.where(other_depth > 0, other_depth, -1e9 * tf.ones_like(other_depth))
    seen_depth = warping.sample(sunk, pixels)
    in_view = moved_depth <= seen_depth * (1 + self._occlusion_tolerance)
    visible *= tf.cast(in_view, depth.dtype)

    weights = self._term_weights
    terms = {}
    if weights["l1"] or weights["ssim"]:
      seen_image = warping.sample(pair.other_image, pixels * pair.stride)
      terms.update(self._photometric(pair.image, seen_image, visible))
    if weights["geometric"]:
      total = tf.where(visible > 0, moved_depth + seen_depth, tf.ones_like(depth))
      terms["geometric"] = task.masked_mean(tf.abs(moved_depth - seen_depth) / total, visible)
    if weights["smoothness"]:
      terms["smoothness"] = image_similarity.disparity_smoothness(depth, pair.image)
    return {name: weights[name] * value for name, value in terms.items() if weights[name]}

  def _photometric(self, image, seen_image, visible):
    if self._match_brightness:
      seen_image = _matched(seen_image, image, visible)
    difference = tf.reduce_mean(tf.abs(seen_image - image), axis=-1, keepdims=True)
    distance, window = image_similarity.ssim_distance(image, seen_image, visible)
    distance = tf.reduce_mean(distance, axis=-1, keepdims=True)
    return {
      "l1": task.masked_mean(difference, visible),
      "ssim": task.masked_mean(distance, window),
    }


def _matched(x, reference, weight):
  """`x` with the weighted mean and standard deviation of `reference`, which count as constants."""

  def weighted_mean(values):
    total = tf.reduce_sum(values * weight, axis=[-3, -2], keepdims=True)
    return total / (tf.reduce_sum(weight, axis=[-3, -2], keepdims=True) + 1e-3)

  def moments(values):
    mean = weighted_mean(values)
    return mean, tf.sqrt(weighted_mean(tf.square(values - mean)) + 1e-4)

  mean, deviation = moments(tf.stop_gradient(x))
  reference_mean, reference_deviation = moments(reference)
  return (x - mean) * (reference_deviation / deviation) + reference_mean
