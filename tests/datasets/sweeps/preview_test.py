import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.sweeps import preview, render, sensor


class PreviewTest(absltest.TestCase):
  def test_points_and_boxes_are_where_they_should_be(self):
    example = {
      "points": np.array([[[10.0, 0, 3, 0], [0, 20, 0, 0], [99, 0, 0, 0]]], np.float32),
      "num_points": np.array([3]),
      "boxes": np.array([[[-20.0, -20, 1, 8, 4, 2, 0]]], np.float32),
      "classes": np.array([[1]]),
      "box_points": np.array([[9]]),
      "pose": np.eye(4)[None],
    }
    picture = preview.picture(example, reach=50, size=100)
    self.assertEqual(picture.shape, (100, 100, 3))
    lit = np.argwhere(np.any(picture != picture[0, 0], axis=-1))
    points = {(40, 50), (50, 30)}  # x up, y to the left
    outline = {tuple(p) for p in lit.tolist()} - points
    self.assertContainsSubset(points, {tuple(p) for p in lit.tolist()})
    rows, columns = zip(*outline, strict=True)
    self.assertEqual((min(rows), max(rows), min(columns), max(columns)), (66, 74, 68, 72))

  def test_grid(self):
    job = render.Job(sensor=sensor.Sensor(8, 64))
    self.assertEqual(preview.grid([job], 2).shape, (512, 1024, 3))


if __name__ == "__main__":
  absltest.main()
