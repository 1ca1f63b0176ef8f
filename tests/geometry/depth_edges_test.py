import numpy as np
import tensorflow as tf

from tf_taskology.geometry import depth_edges


class DepthEdgesTest(tf.test.TestCase):
  def test_jump_marks_both_sides(self):
    depth = np.full([4, 6, 1], 2.0, np.float32)
    depth[:, 3:] = 2.5
    edges = depth_edges.depth_edges(tf.constant(depth), 0.1)
    self.assertAllEqual(edges[..., 0], np.tile([False, False, True, True, False, False], (4, 1)))
    grown = depth_edges.depth_edges(tf.constant(depth), 0.1, margin=1)
    self.assertAllEqual(grown[..., 0], np.tile([False, True, True, True, True, False], (4, 1)))
    self.assertFalse(np.any(depth_edges.depth_edges(tf.constant(depth), 0.3)))

  def test_slanted_plane_has_no_edge_however_steep(self):
    x, y = np.meshgrid(np.arange(8), np.arange(6))
    depth = 1 / (0.02 + 0.1 * x + 0.05 * y)
    self.assertGreater(depth[0, 0] / depth[0, 1], 5)
    self.assertFalse(np.any(depth_edges.depth_edges(tf.constant(depth[..., None]), 1e-3)))

  def test_missing_depth_is_no_edge(self):
    depth = np.full([2, 5, 5, 1], 2.0, np.float32)
    depth[0, 2, 2] = 0
    self.assertFalse(np.any(depth_edges.depth_edges(tf.constant(depth), 0.1, margin=1)))

  def test_wrong_rank_is_refused(self):
    with self.assertRaisesRegex(ValueError, "height, width, 1"):
      depth_edges.depth_edges(tf.ones([4, 4]), 0.1)


if __name__ == "__main__":
  tf.test.main()
