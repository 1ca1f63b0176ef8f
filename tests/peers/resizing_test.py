"""Tests of peers/resizing.py."""

import numpy as np
import tensorflow as tf

from tf_taskology.peers import resizing
from tf_taskology.tasks import depth, surface_normals

_DEPTH = depth.Depth().outputs["depth"]
_NORMALS = surface_normals.SurfaceNormals().outputs["normals"]


class ResizingTest(tf.test.TestCase):
  def test_a_ramp_stays_on_the_pixel_grid(self):
    # Depth 1 + x at stride 2 is 1 + x / 2 at stride 1: pixel x lies at image pixel 2 x.
    ramp = tf.tile(1.0 + tf.range(4.0)[None, None, :, None], [1, 3, 1, 1])
    fine = resizing.prediction(ramp, (6, 8), _DEPTH)
    self.assertAllClose(fine[0, 2, :7, 0], 1.0 + np.arange(7) / 2)
    self.assertAllClose(resizing.prediction(fine, (3, 4), _DEPTH), ramp)

  def test_normals_stay_unit_vectors(self):
    normals = tf.constant([[[[1.0, 0, 0], [0, 0, -1.0]]]])
    fine = resizing.prediction(normals, (2, 4), _NORMALS)
    self.assertAllClose(tf.norm(fine, axis=-1), np.ones([1, 2, 4]))
    self.assertAllClose(fine[0, 0, 1], np.array([1, 0, -1]) / np.sqrt(2))

  def test_missing_is_not_mixed_with_depth(self):
    coarse = tf.constant([0.0, 4.0, 6.0])[None, None, :, None]
    fine = resizing.prediction(coarse, (1, 12), _DEPTH)[0, 0, :, 0]
    self.assertContainsSubset(fine[:4].numpy().tolist(), [0.0, 4.0])
    self.assertAllClose(fine[4:9], [4, 4.5, 5, 5.5, 6])

  def test_nearest_takes_the_nearest_pixel(self):
    coarse = tf.constant([1.0, 2.0])[None, None, :, None]
    self.assertAllEqual(resizing.nearest(coarse, (1, 8))[0, 0, :, 0], [1, 1, 1, 2, 2, 2, 2, 2])


if __name__ == "__main__":
  tf.test.main()
