"""Depth and surface normals describe one surface."""

import tensorflow as tf

from tf_taskology.consistency import consistency_loss
from tf_taskology.geometry import cameras, depth_edges, surface_normals
from tf_taskology.tasks import task


class DepthNormals(consistency_loss.ConsistencyLoss):
  """Cosine distance between predicted normals and normals of predicted depth (Taskology eq. 6).

  One term, "cosine": the mean of 1 - cos over pixels where both are known. It says nothing about
  the scale of depth.
  """

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    agreement_temperature: float | None = None,
    agreement_normalised: bool = False,
    edge_threshold: float | None = None,
    window: int = 1,
    jit_compile: bool = False,
    frames: tuple[int, ...] = (0,),
    name: str | None = None,
  ):
    """Depth-normals consistency; without further arguments the plain loss of the paper.

    Args:
      weights: see `ConsistencyLoss`, e.g. {"depth": 0.2, "normals": 1.0}.
      labelled_weights: see `ConsistencyLoss`.
      agreement_temperature: None for equal pixels. Else each pixel's gradient is multiplied by
        w = exp(-(1 - cos) / temperature), so that pixels on which the two networks contradict each
        other, where nothing tells who is wrong, pull little. Not used when either side is a label.
        The term is then temperature * (1 - w), whose gradient is that of the weighted loss and
        which, unlike it, grows with disagreement.
      agreement_normalised: divide by the sum of w instead of the number of pixels. The default lets
        the total pull shrink where networks disagree; True keeps it constant, and leaves it to ever
        fewer pixels.
      edge_threshold: None, or leave out pixels whose window holds a jump of depth by more than this
        ratio (`depth_edges.depth_edges`): the differences there span two surfaces. An untrained
        depth network may jump everywhere, and then learns nothing.
      window: side in pixels of the window, odd, in which a plane is fitted to depth for its
        normals; 1 takes differences of neighbours. Larger ones make noisy depth a better teacher,
        and blur edges (see `edge_threshold`).
      jit_compile: run the loss under XLA. On CPUs this saves about a third of its time, a few
        milliseconds on small images, and costs a second or two once.
      frames: frames of the sample on which consistency is asked.
      name: of the tf.Module.

    Raises:
      ValueError: for a value out of range, or as `ConsistencyLoss`.
    """
    if not frames or len(set(frames)) != len(frames) or min(frames) < 0:
      raise ValueError(
        f"DepthNormals.frames must be distinct frame numbers >= 0. Received: {frames!r}."
      )
    for field, value in (
      ("agreement_temperature", agreement_temperature),
      ("edge_threshold", edge_threshold),
    ):
      if value is not None and not value > 0:
        raise ValueError(f"DepthNormals.{field} must be None or > 0. Received: {value!r}.")
    if window < 1 or window % 2 == 0:
      raise ValueError(
        f"DepthNormals.window must be an odd number of pixels. Received: {window!r}."
      )
    self._frames = tuple(frames)
    super().__init__(weights, labelled_weights, name)
    self._agreement_temperature = agreement_temperature
    self._agreement_normalised = agreement_normalised
    self._edge_threshold = edge_threshold
    self._window = window
    self._terms = consistency_loss.compiled(self._compute, jit_compile)

  @property
  def needs(self):
    return {"depth": self._frames, "normals": self._frames}

  def __call__(self, predictions, inputs, labels=None):
    labels = {name: label for name, label in (labels or {}).items() if name in self.needs}
    depth = self._select({**predictions, **labels}["depth"])
    normals = self._select({**predictions, **labels}["normals"])
    image_size = tuple(inputs["image"].shape[-3:-1])
    stride = cameras.stride(image_size, tuple(depth.shape[-3:-1]))
    intrinsics = tf.cast(self._select(inputs["intrinsics"]), depth.dtype)
    intrinsics = cameras.scale_intrinsics(intrinsics, 1 / stride)
    return self._terms(depth, normals, intrinsics, trusted=bool(labels))

  def _compute(self, depth, normals, intrinsics, trusted):
    normals_of_depth, valid = surface_normals.depth_to_normals(depth, intrinsics, self._window)
    known = tf.reduce_any(normals != 0, axis=-1, keepdims=True)
    mask = valid * tf.cast(known, valid.dtype)
    if self._edge_threshold is not None:
      edges = depth_edges.depth_edges(depth, self._edge_threshold, margin=self._window // 2)
      mask *= 1 - tf.cast(edges, mask.dtype)
    distance = 1 - tf.reduce_sum(normals_of_depth * normals, axis=-1, keepdims=True)
    if self._agreement_temperature is None or trusted:
      return {"cosine": task.masked_mean(distance, mask)}
    agreement = tf.exp(-distance / self._agreement_temperature)
    term = task.masked_mean(self._agreement_temperature * (1 - agreement), mask)
    if self._agreement_normalised:
      term = tf.math.divide_no_nan(term, tf.stop_gradient(task.masked_mean(agreement, mask)))
    return {"cosine": term}

  def _select(self, x):
    """The frames that the loss reads, [batch, len(frames), ...]."""
    if max(self._frames) >= x.shape[1]:
      raise ValueError(
        f"DepthNormals.frames={self._frames} but the sample has {x.shape[1]} frames."
      )
    return x if self._frames == tuple(range(x.shape[1])) else tf.gather(x, self._frames, axis=1)
