"""Surface normals."""

import math

import tensorflow as tf

from tf_taskology.tasks import task as task_lib


class SurfaceNormals(task_lib.Task):
  """Surface normal of every pixel.

  One output, "normals": [..., 3], (0, 0, 0) where a label is missing; unit vectors in the camera
  frame (x right, y down, z forward) that face the camera: normal . ray < 0.

  Taskology section 4.3 trains normals with supervision, but its text was not at hand, so the
  default loss, the cosine distance, is our choice: its consistency with depth uses it (eq. 6).

  Attributes:
    name: "normals".
  """

  name = "normals"

  def __init__(self, loss: str = "cosine"):
    """Surface normals with a choice of loss.

    Args:
      loss: "cosine": 1 - cos of the angle to the label; "l1": mean absolute difference over the
        channels, as Vandenhende et al. 2021; "l2": squared distance, twice the cosine distance;
        "angular": the angle in radians, which pulls equally hard however near it is.
    """
    self._losses = {"cosine": _cosine, "l1": _l1, "l2": _l2, "angular": _angle}
    if loss not in self._losses:
      raise ValueError(f"`loss` must be one of {sorted(self._losses)}. Received: {loss!r}.")
    self._loss = loss

  @property
  def outputs(self):
    return {
      "normals": task_lib.Output(
        channels=3, unit="unit vector, camera frame, facing the camera", missing=0.0
      )
    }

  @property
  def raw_channels(self):
    return 3

  def decode(self, raw):
    """Unit normals from [..., 3]; vectors shorter than 1e-6 come out shorter than 1."""
    return {"normals": tf.math.l2_normalize(raw, axis=-1, epsilon=1e-12)}

  def loss(self, labels, predictions):
    """One term, named as the loss: a mean over labelled pixels."""
    mask = self.sample_weights(labels)
    prediction = tf.where(mask > 0, predictions["normals"], tf.zeros_like(labels["normals"]))
    values = self._losses[self._loss](labels["normals"], prediction)
    return {self._loss: task_lib.masked_mean(values, mask)}

  def metrics(self):
    """mean_angle: degrees; within_11_25: share of pixels less than 11.25 degrees from the label."""
    return {
      "mean_angle": task_lib.TaskMetric(self._degrees, name="mean_angle"),
      "within_11_25": task_lib.TaskMetric(self._within_11_25, name="within_11_25"),
    }

  def _degrees(self, labels, predictions):
    angle = _angle(labels["normals"], predictions["normals"])
    return angle * (180 / math.pi), self.sample_weights(labels)

  def _within_11_25(self, labels, predictions):
    degrees, weights = self._degrees(labels, predictions)
    return tf.cast(degrees < 11.25, tf.float32), weights


def _cosine(label, prediction):
  return 1 - tf.reduce_sum(label * prediction, axis=-1, keepdims=True)


def _l1(label, prediction):
  return tf.reduce_mean(tf.abs(label - prediction), axis=-1, keepdims=True)


def _l2(label, prediction):
  return tf.reduce_sum(tf.square(label - prediction), axis=-1, keepdims=True)


def _angle(label, prediction):
  """Angle in radians; by atan2, for acos loses precision and gradient at small angles."""
  cross = tf.linalg.cross(label, prediction)
  # 1e-12 under the root keeps its gradient finite at angle 0; it adds at most 1e-6 rad.
  sine = tf.sqrt(tf.reduce_sum(cross * cross, axis=-1, keepdims=True) + 1e-12)
  return tf.atan2(sine, tf.reduce_sum(label * prediction, axis=-1, keepdims=True))
