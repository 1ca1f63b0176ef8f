import numpy as np
from absl.testing import absltest

from tf_taskology.geometry import anchors, bev_grid


class AnchorsTest(absltest.TestCase):
  def test_boxes_by_hand(self):
    grid = bev_grid.BevGrid((-2, 2), (10, 12), (-1, 3), 0.5)
    found = anchors.Anchors(grid, 2, sizes=((4, 3, 2),), rotations=(0.0, 1.5), bottom=-1.0)
    self.assertEqual(found.shape, (2, 4, 2))
    np.testing.assert_allclose(found.boxes()[1, 3, 1], [1.5, 11.5, 0.0, 4, 3, 2, 1.5])
    np.testing.assert_allclose(found.boxes()[0, 0, 0], [-1.5, 10.5, 0.0, 4, 3, 2, 0])
    np.testing.assert_allclose(found.diagonals, [5, 5])

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "above 0"):
      anchors.Anchors(bev_grid.BevGrid(), sizes=((4, 0, 2),))


if __name__ == "__main__":
  absltest.main()
