"""Tests of warping one frame of a video onto another for pictures."""

import numpy as np
import tensorflow as tf

from tests.evaluation import paper_streets
from tf_taskology.evaluation import video_gallery

_HEIGHT, _WIDTH = paper_streets.SIZE


class WarpTest(tf.test.TestCase):
  def _warp(self, shift, depth=paper_streets.DEPTH, other_depth=None):
    element = next(paper_streets.source(1).dataset("test").as_numpy_iterator())
    depths = [np.full([_HEIGHT, _WIDTH, 1], d) for d in (depth, other_depth) if d is not None]
    image, other = element["image"][:2]
    translation = np.array([[[shift, 0, 0]]])
    warped, error = video_gallery.warp(
      image, other, element["intrinsics"][0], np.stack(depths), np.eye(3), translation
    )
    return image, warped, error

  def test_true_depth_and_motion_leave_no_error(self):
    image, warped, error = self._warp(-paper_streets.STEP)
    # The first columns move out of view, the last row and column are at the edge.
    self.assertAllEqual(warped[:-1, 2:-1], image[:-1, 2:-1])
    self.assertAllClose(error[:-1, 2:-1], np.zeros([_HEIGHT - 1, _WIDTH - 3]), atol=1e-3)
    self.assertTrue(np.isnan(error[:, :2]).all())
    self.assertAllEqual(np.unique(warped[:, :2]), [128])

  def test_the_other_way_is_wrong(self):
    _, _, error = self._warp(paper_streets.STEP)
    self.assertGreater(np.nanmean(error), 0.2)

  def test_what_lies_behind_is_hidden(self):
    _, _, error = self._warp(-paper_streets.STEP, other_depth=0.5 * paper_streets.DEPTH)
    self.assertTrue(np.isnan(error).all())
    _, _, error = self._warp(-paper_streets.STEP, other_depth=0.0)  # unknown
    self.assertFalse(np.isnan(error).all())


if __name__ == "__main__":
  tf.test.main()
