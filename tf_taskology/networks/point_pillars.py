"""PointPillars (Lang et al. 2019): detection and box flow from point clouds by 2D convolutions."""

import math
from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.geometry import bev_grid
from tf_taskology.networks import layers, pillars

NORMALIZATIONS = ("batch", "instance", "none")
FUSIONS = ("late", "early")

# Settings of `PointPillars` for vehicles of the Waymo Open Dataset: 468 x 468 cells of 0.32 m.
FULL = {
  "pillar_channels": 64,
  "blocks": (3, 5, 5),
  "channels": (64, 128, 256),
  "strides": (1, 2, 2),
  "up_channels": 128,
  "fusion_channels": 128,
}
# For small grids on few CPU cores.
COMPACT = {
  "pillar_channels": 16,
  "blocks": (1, 2, 2),
  "channels": (24, 48, 64),
  "strides": (2, 2, 2),
  "up_channels": 24,
  "fusion_channels": 32,
}


class PointPillars:
  """Builds a PointPillars network for tasks that take frames or whole sequences.

  Blocks of 3x3 convolutions go down; every block's output is brought to the stride of the first by
  a transposed convolution, and all are put beside each other. Tasks that take a frame have a 1x1
  head on each frame's features. With `FULL`, points of five numbers and detection of one class it
  has 4,814,868 trainable parameters. Padding is TensorFlow's: where a stride is 2, windows lie one
  cell further along both axes than in OpenPCDet, which pads both sides.

  Tasks that take a sequence need all frames at once. With "late" fusion the backbone sees each
  frame, its features of all frames are put beside each other and go through a smaller backbone of
  the same kind: detection and flow can share everything up to there. With "early" fusion the
  pillars of all frames are put beside each other and the backbone sees them at once: less work, for
  a module that has only the flow.
  """

  def __init__(
    self,
    grid: bev_grid.BevGrid,
    pillar_channels: int = 64,
    blocks: Sequence[int] = (3, 5, 5),
    channels: Sequence[int] = (64, 128, 256),
    strides: Sequence[int] = (1, 2, 2),
    up_channels: int = 128,
    fusion: str = "late",
    fusion_channels: int = 128,
    normalization: str = "batch",
    point_size: int = 4,
    head_gain: float = 0.1,
    name: str = "point_pillars",
  ):
    """PointPillars.

    Args:
      grid: of the pillars.
      pillar_channels: features of a pillar.
      blocks: 3x3 convolutions of each block after its first, which has the stride.
      channels: of each block.
      strides: of each block's first convolution. The first is the output's stride.
      up_channels: of each block's output.
      fusion: "late" or "early", see above.
      fusion_channels: of the smaller backbone of "late".
      normalization: after each convolution: "batch", "instance" or "none". Pillars have "batch" or
        else none.
      point_size: numbers of a point, x, y, z and what the sensor gives besides.
      head_gain: factor of the usual initial weights of heads. With 1 boxes begin several metres off, and
        training with unlearning that.
      name: of the Keras model.

    Raises:
      ValueError: an argument is out of its range, or the grid is no multiple of the largest stride.
    """
    if not blocks or not len(blocks) == len(channels) == len(strides):
      raise ValueError(
        "PointPillars: blocks, channels and strides need one entry for each block. "
        f"Received: {tuple(blocks)}, {tuple(channels)}, {tuple(strides)}."
      )
    for field, value, valid in (
      ("fusion", fusion, FUSIONS),
      ("normalization", normalization, NORMALIZATIONS),
    ):
      if value not in valid:
        raise ValueError(f"PointPillars: {field} must be one of {valid}. Received: {value!r}.")
    if point_size < 3:
      raise ValueError(f"PointPillars: point_size must be >= 3 (x, y, z). Received: {point_size}.")
    grid.coarser(math.prod(strides))  # refuses what does not divide
    self._grid = grid
    self._pillar_channels = pillar_channels
    self._blocks, self._channels, self._strides = tuple(blocks), tuple(channels), tuple(strides)
    self._up_channels = up_channels
    self._fusion = fusion
    self._fusion_channels = fusion_channels
    self._normalization = normalization
    self._point_size = point_size
    self._head_gain = head_gain
    self._name = name

  @property
  def stride(self) -> int:
    """Cells of the grid along a cell of the output; anchors need the same stride."""
    return self._strides[0]

  def __call__(self, tasks: Sequence, num_frames: int | None = None) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: tasks to perform, each with `anchors` at the network's stride.
      num_frames: of a sample; None for any number, where all tasks take a frame.

    Returns:
      Keras model: {"points": [N, F, P, point_size] float32 (metres, and what is given besides),
      "num_points": [N, F] int32} -> {task name: [N, F or 1, rows, columns, raw_channels] float32}.

    Raises:
      ValueError: anchors of another grid, a task of another kind, or frames that do not fit.
    """
    self._check(tasks, num_frames)
    inputs = {
      "points": tf.keras.Input((num_frames, None, self._point_size), name="points"),
      "num_points": tf.keras.Input((num_frames,), dtype=tf.int32, name="num_points"),
    }
    grid = self._grid
    cells = pillars.PillarFeatures(
      grid.x_range,
      grid.y_range,
      grid.z_range,
      grid.cell,
      self._pillar_channels,
      "batch" if self._normalization == "batch" else "none",
      name="pillars",
    )(
      pillars.FoldFrames(name="fold_points")(inputs["points"]),
      pillars.FoldFrames(name="fold_num_points")(inputs["num_points"]),
    )
    single = [task for task in tasks if task.takes == "frame"]
    several = [task for task in tasks if task.takes == "sequence"]
    outputs = {}
    if self._fusion == "late":
      cells = self._backbone(cells, self._blocks, self._channels, self._strides, "")
    if single:
      for name, raw in layers.heads(single, cells, 1, gain=self._head_gain).items():
        unfold = pillars.UnfoldFrames(name=f"{name}_frames")
        outputs[name] = unfold(raw, inputs["points"])
    if several:
      fused = self._fuse(pillars.StackFrames(num_frames, name="stack")(cells))
      for name, raw in layers.heads(several, fused, 1, gain=self._head_gain).items():
        outputs[name] = tf.keras.layers.Reshape((1, *raw.shape[1:]), name=f"{name}_frame")(raw)
    return tf.keras.Model(inputs, outputs, name=self._name)

  def _fuse(self, stacked):
    """Features of a sequence from those of its frames, or from their pillars."""
    if self._fusion == "early":
      return self._backbone(stacked, self._blocks, self._channels, self._strides, "")
    depth = len(self._blocks)
    width = (self._fusion_channels,) * depth
    return self._backbone(stacked, (1,) * depth, width, (1, *self._strides[1:]), "fusion_")

  def _check(self, tasks, num_frames):
    out = self._grid.coarser(self.stride)
    for task in tasks:
      if task.anchors.shape[:2] != (out.rows, out.columns):
        raise ValueError(
          f"PointPillars: the anchors of {task.name!r} lie on {task.anchors.shape[:2]} cells, the "
          f"network's output has {(out.rows, out.columns)}: give Anchors the stride {self.stride}."
        )
    takes = {task.takes for task in tasks}
    if not takes <= {"frame", "sequence"}:
      raise ValueError(f"PointPillars: tasks take a frame or a sequence. Received: {takes}.")
    if self._fusion == "early" and "frame" in takes:
      raise ValueError("PointPillars: fusion 'early' has no features of single frames. Use 'late'.")
    if "sequence" in takes:
      wanted = {task.num_frames for task in tasks if task.takes == "sequence"}
      if wanted != {num_frames}:
        raise ValueError(
          f"PointPillars: num_frames must be that of the tasks, {sorted(wanted)}. "
          f"Received: {num_frames}."
        )

  def _backbone(self, x, blocks, channels, strides, prefix):
    """Features of all blocks at the first one's stride."""
    found, up = [], 1
    for number, (count, width, stride) in enumerate(zip(blocks, channels, strides, strict=True), 1):
      name = f"{prefix}block{number}"
      for i in range(count + 1):
        x = self._convolve(x, width, stride if i == 0 else 1, f"{name}_conv{i}")
      up *= stride if number > 1 else 1
      found.append(self._raise(x, up, f"{prefix}up{number}"))
    if len(found) == 1:
      return found[0]
    return tf.keras.layers.Concatenate(name=f"{prefix}features")(found)

  def _convolve(self, x, channels, stride, name):
    convolution = tf.keras.layers.Conv2D(
      channels, 3, stride, "same", use_bias=self._normalization == "none", name=name,
      kernel_initializer="he_normal",
    )  # fmt: skip
    return self._finish(convolution(x), name)

  def _raise(self, x, factor, name):
    convolution = tf.keras.layers.Conv2DTranspose(
      self._up_channels, factor, factor, use_bias=self._normalization == "none", name=name,
      kernel_initializer="he_normal",
    )  # fmt: skip
    return self._finish(convolution(x), name)

  def _finish(self, x, name):
    if self._normalization == "batch":
      x = tf.keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(x)
    elif self._normalization == "instance":
      x = layers.InstanceNorm(name=f"{name}_norm")(x)
    return tf.keras.layers.ReLU(name=f"{name}_relu")(x)
