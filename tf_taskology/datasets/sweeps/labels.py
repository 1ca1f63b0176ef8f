"""What becomes of sweeps and their boxes before training: one frame of reference, few labels."""

import numpy as np
import tensorflow as tf

from tf_taskology.geometry import boxes as boxes_lib
from tf_taskology.tasks import anchor_targets


def to_first_frame(
  points: tf.Tensor, num_points: tf.Tensor, boxes: tf.Tensor, pose: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
  """Points and boxes of all sweeps in the frame of reference of the first.

  Args:
    points: [frames, n, 3 or more] float32, each sweep in its own frame.
    num_points: [frames] int32; what is behind stays as it is.
    boxes: [frames, m, 7] float32.
    pose: [frames, 4, 4] float32, own frame to world.

  Returns:
    points and boxes of the same shapes. Boxes of size 0 (padding) stay as they are.
  """
  # Far from the world's origin single precision would move points by centimetres.
  pose = tf.cast(pose, tf.float64)
  to_first = tf.cast(tf.linalg.matmul(tf.linalg.inv(pose[:1]), pose), points.dtype)
  moved = tf.einsum("fij,fnj->fni", to_first[:, :3, :3], points[..., :3])
  moved += to_first[:, tf.newaxis, :3, 3]
  moved = tf.concat([moved, points[..., 3:]], axis=-1)
  counted = tf.range(tf.shape(points)[1]) < num_points[:, tf.newaxis]
  there = boxes[..., 3:4] > 0
  return (
    tf.where(counted[..., tf.newaxis], moved, points),
    tf.where(there, boxes_lib.transform(boxes, to_first), boxes),
  )


def labelled_samples(count: int, share: float, seed: int) -> np.ndarray:
  """Which samples keep their labels: [count] bool, share * count of them, rounded, at least one.

  For one seed, those of a smaller share are among those of a larger one.
  """
  order = np.random.Generator(np.random.PCG64([seed, count])).permutation(count)
  labelled = np.zeros(count, bool)
  labelled[order[: max(1, round(share * count))]] = True
  return labelled


def withhold_tracks(
  classes: tf.Tensor, tracks: tf.Tensor, sample: tf.Tensor, share: float, seed: int
) -> tf.Tensor:
  """Classes with `anchor_targets.DO_NOT_CARE` for vehicles whose labels are withheld, in all frames at once.

  Args:
    classes: [frames, m] int32.
    tracks: [frames, m] int32.
    sample: scalar int64, tells samples apart.
    share: of the vehicles that keep their labels.
    seed: of the choice; it depends on nothing else but sample and track.
  """

  def keeps(track):
    key = tf.stack([tf.cast(seed, tf.int64) * 1000003 + sample, tf.cast(track, tf.int64)])
    return tf.random.stateless_uniform([], key) < share

  kept = tf.map_fn(keeps, tf.reshape(tracks, [-1]), fn_output_signature=tf.bool)
  kept = tf.reshape(kept, tf.shape(tracks))
  return tf.where((classes > 0) & ~kept, anchor_targets.DO_NOT_CARE, classes)
