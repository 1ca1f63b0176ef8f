"""One frame's colours and depths against those of another, where motion brings its pixels."""

from typing import NamedTuple

import tensorflow as tf

from tf_taskology.geometry import image_similarity, motion_warp


class Comparison(NamedTuple):
  """How a source frame, moved into a target frame, differs from it.

  Attributes:
    rgb: scalar, |colour - sampled colour| where in view, mean over all pixels and channels.
    ssim: scalar, (1 - SSIM) / 2 in weighted 3 x 3 windows times the window's weight, mean over all.
    depth: scalar, |moved depth - sampled depth| where in view, mean over all pixels.
    in_view: [batch, height, width], 1 where the moved pixel is visible and in front of the target
      frame's surface, else 0.
    proximity: [batch, height, width] in 0..1, near 1 where both depths agree; constant.
  """

  rgb: tf.Tensor
  ssim: tf.Tensor
  depth: tf.Tensor
  in_view: tf.Tensor
  proximity: tf.Tensor


def compare(
  moved: motion_warp.Moved,
  image: tf.Tensor,
  target_image: tf.Tensor,
  target_depth: tf.Tensor,
  stride: int = 1,
  occlusion_tolerance: float = 0.0,
  ignore_unmoved: tf.Tensor | bool = False,
) -> Comparison:
  """The RGBD consistency of Depth from Videos in the Wild and of DML; Taskology eq. 3 sums it up.

  A pixel counts where it lands in front of the target's surface, z' < z: behind it, it may be
  occluded. (The opposite direction sees what is left out.) Means are over all pixels, not over
  those that count.

  Args:
    moved: where the source frame's pixels are in the target frame.
    image: [batch, height, width, 3] float, the source frame, colours in 0..1.
    target_image: [batch, rows, columns, 3] float; `stride` times larger than `image`, or as large.
    target_depth: [batch, height, width] float, metres.
    stride: pixels of `target_image` between two of `image`.
    occlusion_tolerance: a pixel also counts if it lies behind by up to this share of the depth.
    ignore_unmoved: a pixel counts for `rgb` and `ssim` only where its colour fits better than that
      of the same pixel of the target frame, unmoved: what keeps its place in the image, as what
      drives ahead does, would else seem infinitely far away (Godard et al. 2019, section 3.3). A
      tensor, [batch, height, width] in 0..1, says how far this holds of each pixel. Unless it is
      False, windows of `ssim` also count only where in view.

  Returns:
    `Comparison`.
  """
  colours = motion_warp.sample(target_image, moved.x * stride, moved.y * stride)
  seen_depth = motion_warp.sample(target_depth[..., tf.newaxis], moved.x, moved.y)[:, 0]
  in_view = moved.visible & (moved.depth < seen_depth * (1 + occlusion_tolerance))
  in_view = tf.stop_gradient(tf.cast(in_view, image.dtype))
  planes = tf.transpose(image, [0, 3, 1, 2])
  error = tf.abs(colours - planes)
  counted = in_view
  if ignores := ignore_unmoved is not False:
    share = tf.cast(ignore_unmoved, error.dtype)
    counted *= 1 - share * (1 - _is_better_moved(error, planes, target_image))
  rgb = tf.reduce_mean(error * counted[:, tf.newaxis])
  difference = seen_depth - moved.depth
  depth = tf.reduce_mean(tf.abs(difference) * in_view)
  proximity = _proximity(tf.stop_gradient(difference), moved.visible, in_view)
  windows = proximity * counted if ignores else proximity
  ssim = image_similarity.weighted_ssim_loss(colours, planes, windows[:, tf.newaxis])
  return Comparison(rgb, ssim, depth, in_view, proximity)


def _is_better_moved(error, planes, target_image):
  """[batch, height, width]: 1 where `error`, [batch, 3, height, width], is below that without motion."""
  stride = target_image.shape[1] // planes.shape[2]
  unmoved = tf.transpose(target_image[:, ::stride, ::stride], [0, 3, 1, 2])
  box = lambda x: tf.nn.avg_pool2d(tf.reduce_mean(x, 1)[..., tf.newaxis], 3, 1, "SAME")[..., 0]
  is_better = box(error) < box(tf.abs(unmoved - planes))
  return tf.stop_gradient(tf.cast(is_better, error.dtype))


def _proximity(difference, visible, in_view):
  """1 where depths differ by little against the second moment of their differences in view."""
  square = tf.square(difference)
  count = tf.reduce_sum(in_view, axis=[1, 2], keepdims=True)
  moment = tf.reduce_sum(square * in_view, axis=[1, 2], keepdims=True) / (count + 1) + 1e-4
  return moment / (square + moment) * tf.cast(visible, difference.dtype)
