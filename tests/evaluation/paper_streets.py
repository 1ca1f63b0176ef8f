"""A tiny in-memory video with exact labels, and tiny published models of it, for tests of evaluation and report."""

import pathlib

import numpy as np
import tensorflow as tf

from tests.evaluation import in_memory

SIZE = (16, 32)
DEPTH = 10.0  # metres, of the poster that the camera passes
PIXELS = 2  # by which the poster moves a frame
STEP = DEPTH * PIXELS / SIZE[1]  # metres to the right, with a focal length of SIZE[1]
NUM_CLASSES = 19
LABELS = ("depth", "segmentation", "object_motion", "object_motion_back")


def source(num_samples=4, labels=LABELS, pose=True, num_frames=3):
  """A camera that moves to the right past a poster; samples are a frame apart, so that they make one sequence.

  The left half is road and the right half car, of which a patch moves 1 m ahead a frame (the picture does not show it).
  The upper rows are sky: without depth.
  """
  height, width = SIZE
  poster = np.random.default_rng(0).integers(0, 255, [height, width + 100, 3]).astype(np.uint8)
  depth = np.full([num_frames, height, width, 1], DEPTH, np.float32)
  depth[:, :2] = 0
  classes = np.zeros([num_frames, height, width, 1], np.uint8)
  classes[:, :, width // 2 :] = 13
  there = np.zeros([num_frames, height, width, 3], np.float32)
  there[:, 4:8, 20:24] = (0, 0, 1)
  back = -there
  there[-1], back[0] = np.nan, np.nan
  every = dict(zip(LABELS, (depth, classes, there, back), strict=True))

  def sample(i):
    frames = range(i, i + num_frames)
    poses = np.tile(np.eye(4, dtype=np.float32), (num_frames, 1, 1))
    poses[:, 0, 3] = [STEP * frame for frame in frames]
    return {
      "image": np.stack([poster[:, PIXELS * f : PIXELS * f + width] for f in frames]),
      "intrinsics": in_memory.intrinsics(SIZE, num_frames),
      "sample_id": f"drive/{i}",
      "labels": {name: every[name] for name in labels},
      **({"pose": poses} if pose else {}),
    }

  return in_memory.source(sample, num_samples, labels, num_frames, SIZE)


def _filled(image, value):
  """[n, height, width, channels] of one value."""
  value = tf.constant(value, tf.float32)
  return tf.broadcast_to(value, tf.concat([tf.shape(image)[:3], tf.shape(value)], 0))


class _Model(tf.Module):
  """Answers alike for every picture; `answer(image)` gives the outputs."""

  def __init__(self, answer, channels):
    super().__init__()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, channels], tf.uint8, "image")])
    def predict(image):
      count = tf.shape(image)[:1]
      stamps = {"step": tf.zeros(count, tf.int64), "published_at": tf.zeros(count, tf.float64)}
      return {**answer(image), **stamps}

    self.predict = predict


def publish(work_dir, scale=1.0, sideways=0.0, modules=("depth", "motion", "segmentation")):
  """Publishes models of the video.

  Args:
    work_dir: of the run.
    scale: of the models' metres: 0.5 makes depth and motion half as large.
    sideways: radians by which every step is predicted to turn, though the camera does not.
    modules: which of them.
  """

  def depth(image):
    return {"depth": _filled(image, [scale * DEPTH])}

  def motion(image):
    # The first and the second frame tell the direction: the poster moves to the left.
    first, second = image[..., :3], image[..., 3:]
    ahead = tf.reduce_all(first[:, :, PIXELS:] == second[:, :, :-PIXELS], axis=[1, 2, 3])
    sign = tf.where(ahead, 1.0, -1.0)[:, None, None, None]
    whole = tf.ones_like(sign)
    return {
      "rotation": sign * whole * tf.constant([0.0, sideways, 0.0]),
      "translation": sign * whole * tf.constant([-scale * STEP, 0.0, 0.0]),
      "motion_field": sign * _filled(image, [0.0, 0.0, 0.5 * scale]),
    }

  def segmentation(image):
    return {"segmentation": _filled(image, np.eye(NUM_CLASSES)[0])}

  answers = {"depth": (depth, 3), "motion": (motion, 6), "segmentation": (segmentation, 3)}
  for module in modules:
    model = _Model(*answers[module])
    path = pathlib.Path(work_dir) / "exports" / module / "100"
    tf.saved_model.save(model, str(path), signatures={"serving_default": model.predict})
