"""Tests of peers/point_signatures.py: what published modules that look at point clouds answer."""

import os

import numpy as np
import tensorflow as tf

from tests.training import point_fixtures
from tf_taskology.peers import exporting
from tf_taskology.tasks import box_decoding, detection


class PointSignaturesTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    tf.keras.utils.set_random_seed(3)
    self.sample = next(iter(point_fixtures.FieldSource().dataset("test").batch(2)))

  def published(self, network, tasks):
    folder = self.create_tempdir().full_path
    exporter = exporting.Exporter(network, tasks, os.path.join(folder, "graph"))
    version = os.path.join(folder, "7")
    os.mkdir(version)
    exporter.write(version, 7, 1000.0)
    return tf.saved_model.load(version).signatures

  def test_detector(self):
    decoder = box_decoding.BoxDecoder(point_fixtures.ANCHORS, max_boxes=8, score_threshold=0.0)
    task = detection.Detection(point_fixtures.ANCHORS, decoder=decoder)
    network = point_fixtures.network()([task])
    signatures = self.published(network, [task])
    points, counts = self.sample["points"][:, 0], self.sample["num_points"][:, 0]
    found = signatures["serving_default"](points=points, num_points=counts)
    inputs = {"points": points[:, tf.newaxis], "num_points": counts[:, tf.newaxis]}
    predictions = task.decode(network(inputs)["detection"][:, 0])
    for name, value in task.answers(predictions).items():
      self.assertAllClose(found[name], value, atol=1e-5)
    self.assertAllEqual(found["num_boxes"], [8, 8])
    self.assertAllEqual(found["step"], [7, 7])
    peer = signatures["peer"](points=points, num_points=counts)
    self.assertEqual(peer["box_residuals"].dtype, tf.float16)
    for name, value in predictions.items():
      self.assertAllClose(peer[name], value, rtol=2e-3, atol=2e-3)

  def test_padding_and_nonsense_do_not_matter(self):
    task, _ = point_fixtures.tasks()
    signatures = self.published(point_fixtures.network()([task]), [task])
    points, counts = self.sample["points"][:, 0].numpy(), self.sample["num_points"][:, 0].numpy()
    found = signatures["serving_default"](
      points=tf.constant(points), num_points=tf.constant(counts)
    )
    for i, count in enumerate(counts):
      points[i, count:] = 5.0
    points = np.concatenate([np.full([2, 3, 4], np.nan), points], axis=1).astype(np.float32)
    again = signatures["serving_default"](
      points=tf.constant(points), num_points=tf.constant(counts + 3)
    )
    for name, value in found.items():
      self.assertAllClose(again[name], value, atol=1e-5)
    empty = signatures["serving_default"](
      points=tf.zeros([1, 0, 4]), num_points=tf.zeros([1], tf.int32)
    )
    self.assertEqual(empty["boxes"].shape, [1, 8, 7])

  def test_sequences(self):
    tasks = point_fixtures.tasks()
    network = point_fixtures.network()(tasks, 2)
    signatures = self.published(network, tasks)
    inputs = {name: self.sample[name] for name in ("points", "num_points")}
    found = signatures["serving_default"](**inputs)
    self.assertEqual(found["boxes"].shape, [2, 2, 8, 7])
    self.assertEqual(found["num_boxes"].shape, [2, 2])
    flow = tasks[1].decode(network(inputs)["box_flow"])["box_flow"]
    self.assertAllClose(found["box_flow"], flow, atol=1e-5)
    self.assertEqual(signatures["peer"](**inputs)["box_logits"].shape, [2, 2, 24, 24, 2])


if __name__ == "__main__":
  tf.test.main()
