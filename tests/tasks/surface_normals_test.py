import math

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.tasks import surface_normals

_ANGLES = np.radians([0.0, 10.0, 30.0])
_LABEL = np.array([[0, 0, -1]] * 3 + [[0, 0, 0]], np.float32).reshape(1, 1, 2, 2, 3)
_PREDICTION = np.array(
  [[math.sin(a), 0, -math.cos(a)] for a in _ANGLES] + [[1, 0, 0]], np.float32
).reshape(1, 1, 2, 2, 3)


class SurfaceNormalsTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(
    ("cosine", np.mean(1 - np.cos(_ANGLES))),
    ("l1", np.mean(np.sin(_ANGLES) + 1 - np.cos(_ANGLES)) / 3),
    ("l2", np.mean(2 - 2 * np.cos(_ANGLES))),
    ("angular", np.mean(_ANGLES)),
  )
  def test_loss_by_hand_leaves_out_missing_labels(self, loss, expected):
    task = surface_normals.SurfaceNormals(loss=loss)
    terms = task.loss({"normals": tf.constant(_LABEL)}, {"normals": tf.constant(_PREDICTION)})
    self.assertAllClose(terms, {loss: expected}, atol=1e-6)

  @parameterized.parameters("cosine", "l1", "l2", "angular")
  def test_gradient_is_finite_and_zero_where_nothing_is_labelled(self, loss):
    task = surface_normals.SurfaceNormals(loss=loss)
    raw = tf.constant(_PREDICTION)
    with tf.GradientTape() as tape:
      tape.watch(raw)
      term = task.loss({"normals": tf.constant(_LABEL)}, task.decode(raw))
    gradient = tape.gradient(term, raw)
    self.assertTrue(np.all(np.isfinite(gradient)))
    self.assertAllEqual(gradient[0, 0, 1, 1], [0, 0, 0])
    self.assertGreater(np.abs(gradient[0, 0, 1, 0]).max(), 0.01)

  def test_decode_gives_unit_vectors_and_finite_gradients(self):
    raw = tf.constant([[0.3, -2.0, 5.0], [1e-3, 0, 0], [0, 0, 0], [1e10, 1e10, 0]])
    with tf.GradientTape() as tape:
      tape.watch(raw)
      normals = surface_normals.SurfaceNormals().decode(raw)["normals"]
    self.assertAllClose(tf.norm(normals, axis=-1), [1, 1, 0, 1])
    self.assertAllClose(normals[0], raw[0] / tf.norm(raw[0]))
    self.assertTrue(np.all(np.isfinite(tape.gradient(normals, raw))))

  def test_metrics_by_hand(self):
    metrics = surface_normals.SurfaceNormals().metrics()
    for metric in metrics.values():
      metric.update({"normals": tf.constant(_LABEL)}, {"normals": tf.constant(_PREDICTION)})
    self.assertAllClose(metrics["mean_angle"].result(), 40 / 3, rtol=1e-4)
    self.assertAllClose(metrics["within_11_25"].result(), 2 / 3)

  def test_unknown_loss_is_refused(self):
    with self.assertRaisesRegex(ValueError, "cosine.*hinge"):
      surface_normals.SurfaceNormals(loss="hinge")


if __name__ == "__main__":
  tf.test.main()
