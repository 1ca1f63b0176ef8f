"""Motion between two frames: of the camera, and of objects at every pixel."""

import tensorflow as tf

from tf_taskology.geometry import rotations
from tf_taskology.tasks import task as task_lib

ROTATION = "rotation"
TRANSLATION = "translation"
MOTION_FIELD = "motion_field"
CAMERA = "camera"

pairs = task_lib.pairs  # the order of predictions


class Motion(task_lib.Task):
  """Motion of a source frame's points into the target frame's camera: X -> R X + T + m.

  The task takes pairs of frames, (source, target); predictions are [batch, pairs, h, w, channels],
  pairs in the order of `pairs`, h and w 1 for what holds of the whole frame. With (0, 1) the motion
  takes points of frame 0's camera frame to frame 1's, so frame 1 can be sampled at frame 0's pixels.

    rotation: [..., 1, 1, 3] radians, `rotations.matrix_from_angles`.
    translation: [..., 1, 1, 3] metres, T, of what stands still.
    motion_field: [..., h, w, 3] metres in the target camera's frame, m, what objects move besides; 0
      where nothing moves. At the source frame's pixels.
    camera: [..., 1, 1, 4], only with `learn_intrinsics`: (fx, fy, cx, cy) divided by (width, height,
      width, height) of the image.

  Metres are those of depth: learnt from video alone, both have one unknown scale.

  Attributes:
    name: "motion".
    takes: "pair".
  """

  name = "motion"
  takes = "pair"

  def __init__(self, object_motion: bool = True, learn_intrinsics: bool = False):
    """Motion.

    Args:
      object_motion: predict the motion field. Without it everything is taken to stand still.
      learn_intrinsics: predict the camera's focal lengths and centre.
    """
    self._object_motion = object_motion
    self._learn_intrinsics = learn_intrinsics

  @property
  def object_motion(self) -> bool:
    return self._object_motion

  @property
  def learn_intrinsics(self) -> bool:
    return self._learn_intrinsics

  @property
  def outputs(self):
    angle = "radians about x, y, z; source camera to target camera"
    metres = "metres in the target camera's frame"
    # Angles are small and multiply distances of thousands of pixels: half precision will not do.
    whole = {"missing": float("nan"), "peer_dtype": "float32", "per_image": True}
    outputs = {
      ROTATION: task_lib.Output(3, angle, **whole),
      TRANSLATION: task_lib.Output(3, metres, **whole),
    }
    if self._object_motion:
      outputs[MOTION_FIELD] = task_lib.Output(3, metres, missing=float("nan"))
    if self._learn_intrinsics:
      unit = "fx, fy, cx, cy in image widths and heights"
      outputs[CAMERA] = task_lib.Output(4, unit, **whole)
    return outputs

  @property
  def raw_channels(self):
    return sum(output.channels for output in self.outputs.values())

  def decode(self, raw):
    """Splits [n, h, w, raw_channels]: what holds of the whole frame is the same at all its pixels."""
    parts = tf.split(raw, [output.channels for output in self.outputs.values()], axis=-1)
    predictions = dict(zip(self.outputs, parts, strict=True))
    return {
      name: value[..., :1, :1, :] if self.outputs[name].per_image else value
      for name, value in predictions.items()
    }

  def loss(self, labels, predictions):
    """Mean absolute differences of each output that has a label: "rotation", "translation", ...."""
    return {
      name: task_lib.masked_mean(*_difference(labels[name], predictions[name]))
      for name in self.outputs
      if name in labels
    }

  def metrics(self):
    """rotation_degrees: angle between the rotations; translation_metres: length of the difference;
    motion_field_metres: the same at every pixel. Those without a label stay 0."""
    metrics = {
      "rotation_degrees": task_lib.TaskMetric(_rotation_degrees, name="rotation_degrees"),
      "translation_metres": task_lib.TaskMetric(_length_of(TRANSLATION), name="translation_metres"),
    }
    if self._object_motion:
      metrics["motion_field_metres"] = task_lib.TaskMetric(
        _length_of(MOTION_FIELD), name="motion_field_metres"
      )
    return metrics

  def sample_weights(self, labels):
    """Which pairs have a rotation label: [batch, pairs, 1, 1, 1] float32."""
    return _known(labels[ROTATION])


def _known(label):
  """1 where no channel is NaN, [..., 1] float32."""
  finite = tf.reduce_all(tf.math.is_finite(label), axis=-1, keepdims=True)
  return tf.cast(finite, tf.float32)


def _difference(label, prediction):
  known = _known(label)
  label = tf.where(known > 0, label, prediction)
  return tf.reduce_mean(tf.abs(label - prediction), axis=-1, keepdims=True), known


def _length_of(name):
  def length(labels, predictions):
    if name not in labels:
      return tf.zeros([1]), tf.zeros([1])
    known = _known(labels[name])
    label = tf.where(known > 0, labels[name], predictions[name])
    return tf.norm(label - predictions[name], axis=-1, keepdims=True), known

  return length


def _rotation_degrees(labels, predictions):
  if ROTATION not in labels:
    return tf.zeros([1]), tf.zeros([1])
  known = _known(labels[ROTATION])
  label = tf.where(known > 0, labels[ROTATION], predictions[ROTATION])
  turn = tf.linalg.matmul(
    rotations.matrix_from_angles(label),
    rotations.matrix_from_angles(predictions[ROTATION]),
    transpose_a=True,
  )
  # |R - R^T| = 2 sqrt(2) sin and trace = 1 + 2 cos: together exact at small and large angles.
  sine = tf.norm(turn - tf.linalg.matrix_transpose(turn), axis=[-2, -1]) / (8**0.5)
  cosine = (tf.linalg.trace(turn) - 1) / 2
  return tf.atan2(sine, cosine)[..., tf.newaxis] * (180 / 3.141592653589793), known
