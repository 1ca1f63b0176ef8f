"""The flow that depth and motion give must carry segmentation from frame to frame (eq. 4)."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.consistency import flow_directions, flow_relation
from tf_taskology.geometry import motion_warp
from tf_taskology.tasks import task

DISTANCES = ("l1", "l2", "cross_entropy")


class SegmentationFlow(flow_relation.FlowRelation):
  """Taskology eq. 4: a frame's logits against the other frame's, sampled where its pixels land.

  One term, named by the distance ("logits" for differences of logits): mean over channels of the
  difference, mean over the pixels in view, of all directions of neighbouring frames together, times
  the number of directions. A direction with few pixels in view thus counts less than the others.
  Eq. 4 sums over all pixels and says nothing of those that leave the image or are occluded; they are
  left out here.
  """

  STOP_GRADIENTS = ("source", "target", "flow", "mask")

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    distance: str = "l1",
    stop_gradients: Sequence[str] = ("target", "mask"),
    occlusion_tolerance: float = 0.05,
    surface_tolerance: float | None = None,
    temperature: float = 1.0,
    **arguments,
  ):
    """Segmentation carried along.

    Args:
      weights: see `ConsistencyLoss`, e.g. {"segmentation": 1.0, "depth": 0.1}.
      labelled_weights: see `ConsistencyLoss`.
      distance: "l1" or "l2" (squared), of logits; "cross_entropy": of the source's probabilities
        against the target's, which classes that both rule out do not take part in.
      stop_gradients: what counts as constant: any of "source" and "target" (logits of the frame that
        moves and of the one it moves into), "flow" (where pixels land: then neither depth nor motion
        is trained) and "mask" (of objects' motion). Which of them eq. 4 means is not said.
      occlusion_tolerance: a pixel counts as in view if it lies behind the other frame's surface by
        no more than this share of its depth.
      surface_tolerance: a pixel counts as in view only if it lies before the other frame's surface by
        no more than this share of its depth, too, so that it is the same surface; None: however far.
        Landing half a pixel beside a thin thing, its pixels are else compared with what is behind it:
        with true depth and motion of streets at 32 x 96 pixels, 18 % of people's and 27 % of poles'
        then have another class, and 3 % and 4 % with a tolerance of 0.05.
      temperature: for "cross_entropy", by which the target's logits are divided; below 1 the target is
        surer of itself than the source.
      **arguments: what is read and how, `jit_compile` and `name`: see `FlowRelation`.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    if distance not in DISTANCES:
      raise ValueError(
        f"SegmentationFlow.distance must be one of {DISTANCES}. Received: {distance!r}."
      )
    if surface_tolerance is not None and not surface_tolerance >= 0:
      raise ValueError(
        f"SegmentationFlow.surface_tolerance must be None or >= 0. Received: {surface_tolerance!r}."
      )
    if not temperature > 0:
      raise ValueError(f"SegmentationFlow.temperature must be > 0. Received: {temperature!r}.")
    super().__init__(weights, labelled_weights, stop_gradients, occlusion_tolerance, **arguments)
    self._distance = distance
    self._surface_tolerance = surface_tolerance
    self._temperature = temperature

  @property
  def needs(self):
    return {**self._reading.needs, flow_directions.SEGMENTATION: self._reading.frames}

  def __call__(self, predictions, inputs, labels=None):
    labels = {
      name: value for name, value in (labels or {}).items() if name != flow_directions.SEGMENTATION
    }
    return super().__call__(predictions, inputs, labels)

  def _compute(self, read, directions):
    moved = directions.moved
    seen_depth = motion_warp.sample(directions.other_depth[..., tf.newaxis], moved.x, moved.y)[:, 0]
    in_view = moved.visible & (moved.depth < seen_depth * (1 + self._occlusion_tolerance))
    if self._surface_tolerance is not None:
      in_view &= moved.depth > seen_depth * (1 - self._surface_tolerance)
    logits = read[flow_directions.SEGMENTATION]
    source, target = directions.sources(logits), directions.targets(logits)
    if "source" in self._constant:
      source = tf.stop_gradient(source)
    if "target" in self._constant:
      target = tf.stop_gradient(target)
    x, y = moved.x, moved.y
    if "flow" in self._constant:
      x, y = tf.stop_gradient(x), tf.stop_gradient(y)
    value = task.masked_mean(
      self._differences(source, target, x, y), tf.stop_gradient(tf.cast(in_view, source.dtype))
    )
    name = "cross_entropy" if self._distance == "cross_entropy" else "logits"
    return {name: directions.count * value}

  def _differences(self, source, target, x, y):
    """[n, height, width], of the source's logits and the target's [n, height, width, classes] at (x, y)."""
    if self._distance == "cross_entropy":
      # Probabilities are interpolated, for those of two classes' border are of one or the other.
      expected = motion_warp.sample(tf.nn.softmax(target / self._temperature), x, y)
      found = tf.transpose(tf.nn.log_softmax(source), [0, 3, 1, 2])
      return -tf.reduce_sum(expected * found, axis=1)
    difference = motion_warp.sample(target, x, y) - tf.transpose(source, [0, 3, 1, 2])
    size = tf.abs(difference) if self._distance == "l1" else tf.square(difference)
    return tf.reduce_mean(size, axis=1)
