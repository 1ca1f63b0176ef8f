"""Errors of per-pixel object motion, on what moves and on what stands still."""

import numpy as np

from tf_taskology.evaluation import protocol
from tf_taskology.tasks import motion

_LABELS = ("object_motion", "object_motion_back", "depth")


class ObjectMotionProtocol(protocol.Protocol):
  """Length of the difference between predicted and true motion of each pixel between two frames, pixels pooled.

  - moving: mean where objects truly move, by more than `min_motion`; moving_zero is the same of a prediction of no
    motion at all, that is the mean length of the true motion.
  - background: mean where they do not, that is the mean length of the motion that was made up.
  - found, made_up: share of the moving and of the background pixels with a predicted motion above `min_motion`.

  Labels are "object_motion" (to the next frame) and "object_motion_back" (to the one before), NaN where unknown;
  predictions are "motion_field", both in the target camera's axes. Pixels without true depth (the sky) do not count:
  nothing can be known there.

  Args:
    name: heading in tables.
    min_motion: metres between two frames.
    alignment: "none" (metric), or "median": the prediction is multiplied by the ratio of medians of the true and the
      predicted depth of its source frame, for what learns without labels knows no metres; needs the output "depth".
  """

  def __init__(
    self, name: str = "object motion", min_motion: float = 0.05, alignment: str = "median"
  ):
    if not min_motion > 0:
      raise ValueError(
        f"ObjectMotionProtocol.min_motion must be above 0 m. Received: {min_motion}."
      )
    if alignment not in ("none", "median"):
      raise ValueError(
        f"ObjectMotionProtocol.alignment must be 'none' or 'median'. Received: {alignment!r}."
      )
    self.name = name
    self.outputs = (motion.MOTION_FIELD, *(("depth",) if alignment == "median" else ()))
    self._min_motion = min_motion
    self._alignment = alignment
    self.reset()

  @property
  def labels(self) -> tuple[str, ...]:
    return _LABELS

  @property
  def description(self) -> str:
    aligned = ""
    if self._alignment == "median":
      aligned = (
        "predictions times median(true depth) / median(predicted depth) of the source frame; "
      )
    return (
      f"{aligned}pixels of all pairs of frames pooled, without those of unknown depth; moving: true motion above "
      f"{self._min_motion:g} m between the frames, background: the rest"
    )

  @property
  def metrics(self) -> dict[str, protocol.Metric]:
    return {
      "moving": protocol.Metric("error where objects move", "m", False),
      "moving_zero": protocol.Metric("the same of no motion", "m", False),
      "background": protocol.Metric("error on the background", "m", False),
      "found": protocol.Metric("moving pixels found", "%", True),
      "made_up": protocol.Metric("background that moves", "%", False),
    }

  @property
  def num_images(self) -> int:
    return self._num_images

  def reset(self):
    self._num_images = 0
    # Of moving and background pixels: count, sum of errors, sum of true lengths, predicted to move.
    self._sums = np.zeros([2, 4])

  def update(self, labels, predictions):
    fields = predictions[motion.MOTION_FIELD]
    num_frames = labels["depth"].shape[1]
    pairs = motion.pairs(num_frames)
    if fields.shape[1] != len(pairs) or fields.shape[2:4] != labels["depth"].shape[2:4]:
      raise ValueError(
        f"predictions[{motion.MOTION_FIELD!r}] must be [batch, {len(pairs)}, height, width, 3] with the labels' rows "
        f"and columns {labels['depth'].shape[2:4]}. Received shape {fields.shape}."
      )
    for i in range(len(fields)):
      for j, (source, target) in enumerate(pairs):
        label = labels["object_motion" if target > source else "object_motion_back"][i, source]
        depth = labels["depth"][i, source, ..., 0]
        known = np.all(np.isfinite(label), axis=-1) & (depth > 0)
        if known.any():
          scale = self._scale(depth[known], predictions, i, source, known)
          self._add(label[known].astype(np.float64), scale * fields[i, j][known])

  def _scale(self, depth, predictions, i, source, known) -> float:
    if self._alignment == "none":
      return 1.0
    return float(np.median(depth) / np.median(predictions["depth"][i, source, ..., 0][known]))

  def _add(self, truth, answer):
    protocol.check_finite(answer, f"predictions[{motion.MOTION_FIELD!r}]")
    length = np.linalg.norm(truth, axis=-1)
    error = np.linalg.norm(answer - truth, axis=-1)
    moves = np.linalg.norm(answer, axis=-1) > self._min_motion
    for row, chosen in enumerate((length > self._min_motion, length <= self._min_motion)):
      self._sums[row] += [
        np.count_nonzero(chosen),
        error[chosen].sum(),
        length[chosen].sum(),
        np.count_nonzero(moves[chosen]),
      ]
    self._num_images += 1

  def result(self) -> dict[str, float]:
    if not self._num_images:
      raise ValueError(f"Protocol {self.name!r} saw no labelled pixel.")
    values = {}
    (moving, error, length, found), (still, made_up_error, _, made_up) = self._sums
    if moving:
      values = {"moving": error / moving, "moving_zero": length / moving}
    if still:
      values["background"] = made_up_error / still
    if moving:
      values["found"] = 100 * found / moving
    if still:
      values["made_up"] = 100 * made_up / still
    return {key: float(value) for key, value in values.items()}
