"""Tiny SavedModels for the server's tests."""

import os
import shutil
from collections.abc import Callable

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


class HalfPlus(tf.Module):
  """y = x / 2 + offset, and other signatures with other types."""

  def __init__(self, offset: float):
    super().__init__()
    self._offset = tf.Variable(offset)
    self._kernel = tf.Variable(tf.ones([3, 3, 3, 1]))

  @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, "x")])
  def half_plus(self, x):
    """float [n, 1] -> float [n, 1]."""
    return {"y": x * 0.5 + self._offset}

  @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8, "image")])
  def image(self, image):
    """uint8 [n, 8, 8, 3] -> sums over 3x3 windows, float and half [n, 8, 8, 1]."""
    sums = tf.nn.conv2d(tf.cast(image, tf.float32), self._kernel, 1, "SAME")
    return {"sums": sums, "halves": tf.cast(sums / 16.0, tf.float16)}

  @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
  def types(self, x):
    """float [n] -> the same values in many types."""
    kinds = (tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64)
    outputs = {kind.name: tf.cast(x, kind) for kind in kinds}
    for kind in (tf.uint8, tf.uint16, tf.uint32, tf.uint64):
      outputs[kind.name] = tf.cast(tf.abs(x), kind)
    outputs["bool"] = x > 0
    outputs["complex64"] = tf.complex(x, -x)
    outputs["string"] = tf.strings.as_string(x, precision=1)
    return outputs

  @tf.function(
    input_signature=[tf.TensorSpec([None], tf.string, "a"), tf.TensorSpec([None], tf.string, "b")]
  )
  def join(self, a, b):
    """Two strings [n] -> joined [n] and their lengths [n]."""
    joined = a + b
    return {"joined": joined, "length": tf.strings.length(joined)}

  @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "steps")])
  def slow(self, steps):
    """Takes time in proportion to `steps`."""
    matrix = tf.linalg.diag(tf.ones([64]))
    for _ in tf.range(steps):
      matrix = matrix @ matrix
    return {"trace": tf.linalg.trace(matrix)}


def export(path: str, offset: float = 2.0) -> str:
  """Writes a HalfPlus; the version appears whole, by a rename. Returns its path."""
  model = HalfPlus(offset)
  aside = os.path.join(os.path.dirname(path), ".aside-" + os.path.basename(path))
  tf.saved_model.save(
    model,
    aside,
    {
      "serving_default": model.half_plus,
      "image": model.image,
      "types": model.types,
      "join": model.join,
      "slow": model.slow,
    },
  )
  os.rename(aside, path)
  return path


class Copies:
  """HalfPlus with offsets 2 and 3, saved once and copied for each version that is published.

  Args:
    folder: for what is saved once.
  """

  def __init__(self, folder: str):
    self._folder = folder
    for offset in (2, 3):
      export(os.path.join(folder, str(offset)), float(offset))

  def publish(self, path: str, offset: int = 2, change: Callable[[str], None] | None = None) -> str:
    """Copies one aside, changes it, and renames it into place. Returns `path`."""
    aside = os.path.join(os.path.dirname(path), ".aside-" + os.path.basename(path))
    shutil.copytree(os.path.join(self._folder, str(offset)), aside)
    if change is not None:
      change(aside)
    os.rename(aside, path)
    return path


def request(signature: str = "", model: str = "default", **inputs) -> predict_pb2.PredictRequest:
  """A PredictRequest with numpy arrays as inputs."""
  made = predict_pb2.PredictRequest()
  made.model_spec.name = model
  made.model_spec.signature_name = signature
  for alias, value in inputs.items():
    made.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
  return made


def write_warmup(path: str, *requests: predict_pb2.PredictRequest) -> None:
  """Gives a version warm-up records."""
  os.makedirs(os.path.join(path, "assets.extra"), exist_ok=True)
  with tf.io.TFRecordWriter(os.path.join(path, WARMUP_FILE)) as writer:
    for record in requests:
      log = prediction_log_pb2.PredictionLog()
      log.predict_log.request.CopyFrom(record)
      writer.write(log.SerializeToString())
