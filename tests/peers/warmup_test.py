"""Tests of peers/warmup.py."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from tensorflow_serving.apis import prediction_log_pb2

from tf_taskology.peers import decoding, warmup


class WarmupTest(absltest.TestCase):
  def test_records_are_what_tensorflow_serving_replays(self):
    images = np.random.RandomState(0).randint(0, 256, (2, 4, 6, 3)).astype(np.uint8)
    directory = self.create_tempdir().full_path
    warmup.write(directory, [warmup.predict_record("depth", "peer", {"image": images})] * 2)
    path = os.path.join(directory, "assets.extra", "tf_serving_warmup_requests")
    records = [record.numpy() for record in tf.data.TFRecordDataset(path)]
    self.assertLen(records, 2)
    log = prediction_log_pb2.PredictionLog.FromString(records[0])
    self.assertEqual(log.WhichOneof("log_type"), "predict_log")
    request = log.predict_log.request
    self.assertEqual(request.model_spec.signature_name, "peer")
    self.assertEqual(request.model_spec.name, "depth")
    np.testing.assert_array_equal(decoding.to_array(request.inputs["image"]), images)


if __name__ == "__main__":
  absltest.main()
