from absl.testing import absltest, parameterized

from tf_taskology.geometry import bev_grid


class BevGridTest(parameterized.TestCase):
  def test_default_is_the_papers(self):
    grid = bev_grid.BevGrid()
    self.assertEqual((grid.rows, grid.columns), (468, 468))

  def test_coarser(self):
    grid = bev_grid.BevGrid((-4, 4), (0, 2), (-1, 1), 0.5)
    self.assertEqual((grid.rows, grid.columns), (4, 16))
    half = grid.coarser(2)
    self.assertEqual((half.rows, half.columns, half.cell), (2, 8, 1.0))
    with self.assertRaisesRegex(ValueError, "4 x 16 cells has no grid of stride 3"):
      grid.coarser(3)

  @parameterized.parameters(
    ({"cell": 0.0}, "cell must be"),
    ({"cell": 0.33}, "x_range must be a whole number"),
    ({"y_range": (3.0, -3.0)}, "y_range must be"),
    ({"z_range": (0.0, float("inf"))}, "z_range must be"),
  )
  def test_refuses(self, change, message):
    with self.assertRaisesRegex(ValueError, message):
      bev_grid.BevGrid(**change)


if __name__ == "__main__":
  absltest.main()
