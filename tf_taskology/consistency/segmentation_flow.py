"""The flow that depth and motion give must carry segmentation from frame to frame (eq. 4)."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.consistency import consistency_loss, flow_directions, photometric
from tf_taskology.geometry import motion_warp
from tf_taskology.tasks import task

STOP_GRADIENTS = ("source", "target", "flow", "mask")
DISTANCES = ("l1", "l2")


class SegmentationFlow(consistency_loss.ConsistencyLoss):
  """Taskology eq. 4: a frame's logits against the other frame's, sampled where its pixels land.

  One term, "logits", summed over both directions of neighbouring frames: mean over channels of the
  difference of logits, mean over the pixels in view. Eq. 4 sums over all pixels and says nothing
  of those that leave the image or are occluded; they are left out here.
  """

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    distance: str = "l1",
    stop_gradients: Sequence[str] = ("target", "mask"),
    occlusion_tolerance: float = 0.05,
    frames: Sequence[int] = (0, 1),
    intrinsics: str = "given",
    ego_motion: str = "learned",
    object_motion: bool = True,
    interval: float = 1.0,
    mask: str | None = None,
    movable_classes: Sequence[int] = (),
    dilation: int = 0,
    jit_compile: bool = True,
    name: str | None = None,
  ):
    """Segmentation carried along.

    Args:
      weights: see `ConsistencyLoss`, e.g. {"segmentation": 1.0, "depth": 0.1}.
      labelled_weights: see `ConsistencyLoss`.
      distance: "l1" or "l2" (squared).
      stop_gradients: what counts as constant: any of "source" and "target" (logits of the frame that
        moves and of the one it moves into), "flow" (where pixels land: then neither depth nor motion
        is trained) and "mask" (of objects' motion). Which of them eq. 4 means is not said.
      occlusion_tolerance: a pixel counts as in view if it lies behind the other frame's surface by
        no more than this share of its depth.
      frames: see `flow_directions.Reading`, as the following.
      intrinsics: see there.
      ego_motion: see there.
      object_motion: see there.
      interval: see there.
      mask: see there.
      movable_classes: see there.
      dilation: see there.
      jit_compile: run the loss under XLA.
      name: of the tf.Module.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    if distance not in DISTANCES:
      raise ValueError(
        f"SegmentationFlow.distance must be one of {DISTANCES}. Received: {distance!r}."
      )
    if not occlusion_tolerance >= 0:
      raise ValueError(
        f"SegmentationFlow.occlusion_tolerance must be >= 0. Received: {occlusion_tolerance!r}."
      )
    self._constant = photometric.check_stop_gradients(
      "SegmentationFlow", stop_gradients, STOP_GRADIENTS
    )
    self._reading = flow_directions.Reading(
      "SegmentationFlow",
      frames=frames,
      intrinsics=intrinsics,
      ego_motion=ego_motion,
      object_motion=object_motion,
      interval=interval,
      mask=mask,
      movable_classes=movable_classes,
      dilation=dilation,
    )
    super().__init__(weights, labelled_weights, name)
    self._distance = distance
    self._occlusion_tolerance = occlusion_tolerance
    self._terms = (
      tf.function(self._compute, jit_compile=True, autograph=False)
      if jit_compile
      else self._compute
    )

  @property
  def needs(self):
    return {**self._reading.needs, flow_directions.SEGMENTATION: self._reading.frames}

  @property
  def needs_inputs(self):
    return self._reading.needs_inputs

  def __call__(self, predictions, inputs, labels=None):
    labels = {
      name: value for name, value in (labels or {}).items() if name != flow_directions.SEGMENTATION
    }
    return self._terms(self._reading.select(self.needs, predictions, inputs, labels))

  def _compute(self, read):
    directions = flow_directions.Directions(self._reading, read, self._constant)
    moved = directions.moved
    seen_depth = motion_warp.sample(directions.other_depth[..., tf.newaxis], moved.x, moved.y)[:, 0]
    in_view = moved.visible & (moved.depth < seen_depth * (1 + self._occlusion_tolerance))
    logits = read[flow_directions.SEGMENTATION]
    source, target = directions.sources(logits), directions.targets(logits)
    if "source" in self._constant:
      source = tf.stop_gradient(source)
    if "target" in self._constant:
      target = tf.stop_gradient(target)
    x, y = moved.x, moved.y
    if "flow" in self._constant:
      x, y = tf.stop_gradient(x), tf.stop_gradient(y)
    difference = motion_warp.sample(target, x, y) - tf.transpose(source, [0, 3, 1, 2])
    size = tf.abs(difference) if self._distance == "l1" else tf.square(difference)
    value = task.masked_mean(
      tf.reduce_mean(size, axis=1), tf.stop_gradient(tf.cast(in_view, size.dtype))
    )
    return {"logits": directions.count * value}
