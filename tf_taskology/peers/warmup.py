"""Warm-up records: requests that a model server replays before it calls a version available."""

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tf_taskology.peers import decoding

EXTRA_ASSETS = "assets.extra"
FILE_NAME = "tf_serving_warmup_requests"


def predict_record(model_name: str, signature: str, inputs: Mapping[str, np.ndarray]) -> bytes:
  """One serialized PredictionLog.

  Args:
    model_name: name of the model in the request.
    signature: signature to warm up.
    inputs: its inputs by name; take the batch size that real requests have.
  """
  request = predict_pb2.PredictRequest()
  request.model_spec.name = model_name
  request.model_spec.signature_name = signature
  for name, array in inputs.items():
    request.inputs[name].CopyFrom(decoding.to_proto(array))
  log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
  return log.SerializeToString()


def write(version_dir: str, records: list[bytes]):
  """Writes records where TensorFlow Serving looks for them: assets.extra/tf_serving_warmup_requests, a TFRecord file.

  Raises:
    OSError, tf.errors.OpError: the folder cannot be written.
  """
  directory = os.path.join(version_dir, EXTRA_ASSETS)
  os.makedirs(directory, exist_ok=True)
  with tf.io.TFRecordWriter(os.path.join(directory, FILE_NAME)) as writer:
    for record in records:
      writer.write(record)
