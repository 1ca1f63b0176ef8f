"""Depth and motion must warp one frame of a video onto the next: the photometric loss (eq. 3)."""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.consistency import flow_relation, photometric_presets
from tf_taskology.geometry import image_similarity, motion_fields, rgbd

# Logarithm of the factor by which a batch's mean depth may be off without being drawn back.
_SCALE_FREEDOM = math.log(2.0)
_MOVABLE = "movable"
_SCALED = "scaled_depth"  # with its gradients, where those of depth leave scale out


class Photometric(flow_relation.FlowRelation):
  """Taskology eq. 3 with the terms and constants of Depth from Videos in the Wild, or of DML.

  A frame's pixels are lifted with its depth, turned and moved by the camera's motion and by what
  objects move besides, and compared with what the other frame shows there. Both directions of
  neighbouring frames (or of frames further apart, see `spans`) are evaluated, and each term is their
  sum (over frames, for `smoothness`), times its weight:

    rgb: mean over all pixels of the colour difference (0..1) where in view.
    ssim: (1 - SSIM) / 2 without luminance factor, in windows weighted by how well depths agree.
    depth: mean over all pixels of the depth difference (metres) where in view.
    smoothness: edge-aware smoothness of disparity divided by its mean.
    rotation_cycle, translation_cycle: motion there and back is none (`motion_fields`).
    motion_smoothness: total variation of the translation field divided by its size.
    sparsity: L1/2 regulariser of the objects' motion divided by the total's size.
    scale: squared logarithm of the batch's geometric mean depth over `mean_depth`, as far as it is more
      than that of 2; published: 0. Video alone does not tell scale; left free, depth can flee to
      where nothing is seen to move.

  In view is where a moved pixel lands in the image and before its surface. Taskology's eq. 3 is a
  sum over pixels; means, as in the published code, let weights and learning rates carry over.

  Samples without labels, without masks and without known intrinsics can be trained on.
  """

  STOP_GRADIENTS = ("mask", "target_depth", "reverse_motion")

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    preset: str = "dvw",
    term_weights: Mapping[str, float] | None = None,
    stop_gradients: Sequence[str] | None = None,
    occlusion_tolerance: float = 0.0,
    ignore_unmoved: bool | str = False,
    mean_depth: float = 10.0,
    keep_scale: bool = False,
    **arguments,
  ):
    """Photometric consistency.

    Args:
      weights: see `ConsistencyLoss`, e.g. {"depth": 1.0, "rotation": 1.0}. Each module is trained
        with the sum of the weights of its outputs: name one of motion's.
      labelled_weights: see `ConsistencyLoss`.
      preset: "dvw" or "dml", which constants hold (`photometric_presets`).
      term_weights: term -> weight, in place of the preset's.
      stop_gradients: what counts as constant, in place of the preset's: any of "mask" (segmentation
        is not trained through it), "target_depth" (of the frame that is sampled) and
        "reverse_motion" (the second motion of a cycle). Besides, the weights of SSIM's windows are
        always constant, for else depths are pushed apart rather than colours made equal, and so are
        the places at which a cycle samples.
      occlusion_tolerance: a pixel counts as in view also if it lies behind the other frame's surface
        by up to this share of its depth; published: 0.
      ignore_unmoved: colours count only where moving a pixel explains them better than leaving it in
        its place, which leaves out what drives as fast as the camera; see `rgbd.compare`. Motion must
        be good by then: else nothing is explained, and all is left out. "movable" asks this only of
        what `mask` says is movable; all else counts, and it can hold from the beginning.
      mean_depth: metres, of the term `scale`.
      keep_scale: no gradient makes the batch's depth as a whole larger or smaller, measured by its mean
        inverse. With learned motion every scale fits as well, and what little prefers smaller ones makes
        depth shrink on and on, until far things are at infinity (Wang et al. 2018, section 3.1, who
        divide each image's inverse depth by its mean).
      **arguments: what is read and how, `jit_compile` and `name`: see `FlowRelation`. The published
        samples have the frames (0, 1, 2) (DVW) and (0, 1).

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    if preset not in photometric_presets.PRESETS:
      raise ValueError(
        f"Photometric.preset must be one of {sorted(photometric_presets.PRESETS)}. Received: {preset!r}."
      )
    self._preset = photometric_presets.PRESETS[preset]
    self._term_weights = {**self._preset.weights, **(term_weights or {})}
    for term, weight in self._term_weights.items():
      if term not in photometric_presets.TERMS or not weight >= 0:
        raise ValueError(
          f"Photometric.term_weights must be numbers >= 0 for any of {photometric_presets.TERMS}. "
          f"Received: {term!r}: {weight!r}."
        )
    if stop_gradients is None:
      stop_gradients = self._preset.stop_gradients
    if not mean_depth > 0:
      raise ValueError(f"Photometric.mean_depth must be > 0 metres. Received: {mean_depth!r}.")
    if ignore_unmoved not in (False, True, _MOVABLE):
      raise ValueError(
        f"Photometric.ignore_unmoved must be False, True or {_MOVABLE!r}. Received: {ignore_unmoved!r}."
      )
    self._mean_depth = mean_depth
    self._keep_scale = keep_scale
    self._ignore_unmoved = ignore_unmoved
    super().__init__(weights, labelled_weights, stop_gradients, occlusion_tolerance, **arguments)
    if keep_scale and self._reading.ego_motion == "given":
      raise ValueError(
        "Photometric.keep_scale=True has no use with ego_motion='given', which tells scale."
      )
    if ignore_unmoved == _MOVABLE and self._reading.mask is None:
      raise ValueError(
        f"Photometric.ignore_unmoved={_MOVABLE!r} needs a mask that says what is movable; mask is None."
      )

  def _read_and_compute(self, read):
    if self._keep_scale:
      inverse = tf.reduce_mean(1 / tf.maximum(read["depth"], 1e-3))
      kept = read["depth"] * (inverse / tf.stop_gradient(inverse))
      read = {**read, "depth": kept, _SCALED: read["depth"]}
    return super()._read_and_compute(read)

  def _compute(self, read, directions):
    compared = rgbd.compare(
      directions.moved,
      directions.image,
      directions.other_image,
      directions.other_depth,
      directions.stride,
      self._occlusion_tolerance,
      self._ignored(directions),
    )
    terms = {"rgb": compared.rgb, "ssim": compared.ssim, "depth": compared.depth}
    if self._reading.ego_motion == "learned":
      terms.update(self._cycles(directions, compared.in_view))
    if directions.residual is not None:
      terms.update(self._simple_fields(directions))
    terms = {name: directions.count * value for name, value in terms.items()}
    terms["smoothness"] = self._depth_smoothness(read, directions)
    mean_log = tf.reduce_mean(tf.math.log(tf.maximum(read.get(_SCALED, read["depth"]), 1e-3)))
    excess = tf.abs(mean_log - math.log(self._mean_depth)) - _SCALE_FREEDOM
    terms["scale"] = tf.square(tf.nn.relu(excess))
    return {
      name: self._term_weights[name] * terms[name]
      for name in photometric_presets.TERMS
      if name in terms and self._term_weights[name]
    }

  def _ignored(self, directions):
    """Where what fits better unmoved does not count, see `rgbd.compare`."""
    if self._ignore_unmoved != _MOVABLE:
      return self._ignore_unmoved
    # Constant, or segmentation could call movable what does not fit.
    return tf.stop_gradient(directions.movable[..., 0])

  def _cycles(self, directions, in_view):
    reverse_rotation = directions.reversed(directions.rotation)
    reverse_translation = directions.reversed(directions.translation)
    if "reverse_motion" in self._constant:
      reverse_rotation = tf.stop_gradient(reverse_rotation)
      reverse_translation = tf.stop_gradient(reverse_translation)
    return {
      "rotation_cycle": motion_fields.rotation_cycle(directions.rotation, reverse_rotation),
      "translation_cycle": motion_fields.translation_cycle(
        directions.moved,
        in_view,
        directions.rotation,
        directions.translation,
        reverse_translation,
        self._preset.resampled_denominator,
      ),
    }

  def _simple_fields(self, directions):
    residual = motion_fields.normalized(directions.residual, directions.translation)
    smoothed = residual
    if self._preset.smooth_total:
      smoothed = motion_fields.normalized(directions.translation, directions.translation)
    return {
      "motion_smoothness": motion_fields.field_smoothness(smoothed, self._preset.wrap_around),
      "sparsity": motion_fields.sparsity(residual),
    }

  def _depth_smoothness(self, read, directions):
    """Summed over frames, each once, whatever the number of directions it takes part in."""
    parts = tf.split(directions.image, directions.count, axis=0)
    # Of several directions with the same source, one.
    images = {source: part for (source, _), part in zip(self._reading.compared, parts, strict=True)}
    depths = [read["depth"][:, frame] for frame in images]
    return len(images) * image_similarity.disparity_smoothness(
      tf.concat(depths, axis=0), tf.concat([*images.values()], axis=0)
    )
