"""A tiny in-memory source and tiny published models, for tests of evaluation and report."""

import pathlib

import numpy as np
import tensorflow as tf

from tests.evaluation import in_memory

SIZE = (24, 32)


def source(num_samples=5, labels=("depth", "normals"), num_frames=2, size=SIZE):
  """Slanted walls: depth 2 + i/10 m at the left, rising by 2 cm a pixel; exact normals; the left column unlabelled.

  The image's red channel is depth in units of 2 cm, so that a model can read depth off the image.
  """
  height, width = size

  def sample(i):
    column = np.arange(width, dtype=np.float32)
    depth = np.broadcast_to(
      (2 + i / 10 + 0.02 * column)[None, None, :, None], (num_frames, height, width, 1)
    )
    red = np.round(depth / 0.02)
    image = np.concatenate([red, np.full_like(red, 10 * i), np.full_like(red, 128)], -1).astype(
      np.uint8
    )
    normals = np.zeros([num_frames, height, width, 3], np.float32)
    normals[..., 2] = -1
    every = {"depth": depth.copy(), "normals": normals}
    for label in every.values():
      label[:, :, 0] = 0
    return {
      "image": image,
      "intrinsics": in_memory.intrinsics(size, num_frames),
      "sample_id": f"wall-{i}",
      "labels": {name: every[name] for name in labels},
    }

  return in_memory.source(sample, num_samples, labels, num_frames, size)


class _Depth(tf.Module):
  def __init__(self, factor, step):
    super().__init__()
    self._factor, self._step = factor, step

  @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "image")])
  def predict(self, image):
    depth = self._factor * 0.02 * tf.cast(image[..., :1], tf.float32)
    count = tf.shape(image)[:1]
    return {
      "depth": depth,
      "step": tf.fill(count, tf.constant(self._step, tf.int64)),
      "published_at": tf.zeros(count, tf.float64),
    }


class _Normals(tf.Module):
  def __init__(self, degrees, step):
    super().__init__()
    self._degrees, self._step = degrees, step

  @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "image")])
  def predict(self, image):
    angle = np.radians(self._degrees)
    zero = 0.0 * tf.cast(image[..., 0], tf.float32)
    normals = tf.stack([zero + np.sin(angle), zero, zero - np.cos(angle)], axis=-1)
    count = tf.shape(image)[:1]
    return {
      "normals": normals,
      "step": tf.fill(count, tf.constant(self._step, tf.int64)),
      "published_at": tf.zeros(count, tf.float64),
    }


def publish(
  work_dir, depth_factor=1.0, normals_degrees=0.0, step=100, modules=("depth", "normals")
):
  """Publishes models whose depth is wrong by a factor, and whose normals by an angle."""
  models = {"depth": _Depth(depth_factor, step), "normals": _Normals(normals_degrees, step)}
  for module in modules:
    path = pathlib.Path(work_dir) / "exports" / module / str(step)
    tf.saved_model.save(
      models[module], str(path), signatures={"serving_default": models[module].predict}
    )
