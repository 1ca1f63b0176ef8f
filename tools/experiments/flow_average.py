"""Averages of what is said of a frame and of its neighbours, along a flow."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tf_taskology.consistency import flow_directions
from tf_taskology.geometry import motion_warp
from tf_taskology.tasks import motion

FRAMES = (0, 1, 2)  # of a sample
LABELS = ("depth", "object_motion", "object_motion_back")  # that `true` reads


def average(values: tf.Tensor, read: Mapping, ego_motion: str, tolerance: float) -> tf.Tensor:
  """The mean of the middle frame's values and its neighbours', where those show the same surface.

  Args:
    values: [batch, 3, H, W, channels] float32.
    read: as from `flow_directions.Reading.select`, all of that size: "image", "intrinsics", "depth", what the camera's
      motion is read from, and "motion_field" if objects move.
    ego_motion: "learned" or "given", as of `flow_directions.Reading`.
    tolerance: of the depth that is seen, as a share of it.

  Returns:
    [batch, H, W, channels] float32.
  """
  middle = FRAMES[1]
  reading = flow_directions.Reading(
    "average", FRAMES, ego_motion=ego_motion, object_motion=motion.MOTION_FIELD in read
  )
  directions = flow_directions.Directions(reading, read)
  moved = directions.moved
  seen = motion_warp.sample(directions.other_depth[..., tf.newaxis], moved.x, moved.y)[:, 0]
  same = moved.visible & (tf.abs(moved.depth - seen) <= tolerance * seen)
  carried = motion_warp.sample(directions.targets(values), moved.x, moved.y)
  carried = tf.transpose(carried, [0, 2, 3, 1])
  total, count = values[:, middle], tf.ones_like(values[:, middle, ..., :1])
  parts = (tf.split(part, len(reading.compared)) for part in (carried, same))
  for (source, _), value, counts in zip(reading.compared, *parts, strict=True):
    if source == middle:
      counts = tf.cast(counts, values.dtype)[..., tf.newaxis]
      total, count = total + counts * value, count + counts
  return total / count


def true(batch: Mapping) -> dict[str, tf.Tensor]:
  """What `average` reads, from labels; depth 0, the sky's, is in no view."""
  labels = batch["labels"]
  there, back = labels["object_motion"], labels["object_motion_back"]
  fields = [(there if b > a else back)[:, a] for a, b in motion.pairs(len(FRAMES))]
  return {
    **{name: batch[name] for name in ("image", "intrinsics", "pose")},
    "depth": labels["depth"],
    motion.MOTION_FIELD: tf.stack(fields, axis=1),
  }


def predicted(batch: Mapping, answers: Mapping) -> dict[str, tf.Tensor]:
  """What `average` reads, from predictions."""
  outputs = ("depth", motion.ROTATION, motion.TRANSLATION, motion.MOTION_FIELD)
  read = {name: tf.constant(answers[name]) for name in outputs if name in answers}
  return read | {name: batch[name] for name in ("image", "intrinsics")}


def with_depth(read: Mapping, depth: tf.Tensor) -> dict[str, tf.Tensor]:
  """What `average` reads with another depth in place of its own, and motion in the scale of that."""
  seen = depth.numpy() > 0
  scale = np.median(depth.numpy()[seen]) / np.median(read["depth"].numpy()[seen])
  scaled = {n: read[n] * scale for n in (motion.TRANSLATION, motion.MOTION_FIELD) if n in read}
  return {**read, **scaled, "depth": depth}
