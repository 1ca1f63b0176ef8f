"""Tests of datasets/video/views.py."""

import numpy as np
from absl.testing import absltest

from tests.datasets.video import fixtures
from tf_taskology.datasets.video import views


def _view(size=None, keep_aspect=True, crop_bottom=0.0):
  resize = views.plan(fixtures.SIZE, size, keep_aspect, crop_bottom)
  return views.View(resize, resize.intrinsics(fixtures.CAMERA))


class ViewsTest(absltest.TestCase):
  def test_whole_image_is_itself(self):
    view = _view()
    pixels = np.arange(24 * 40).reshape(fixtures.SIZE)
    np.testing.assert_array_equal(view.sample(pixels, ""), pixels)
    np.testing.assert_array_equal(view.intrinsics, fixtures.CAMERA)

  def test_a_third_takes_the_middle_of_three(self):
    view = _view((8, 12))  # crop to 24 x 36: 2 columns each side
    pixels = np.arange(24 * 40).reshape(fixtures.SIZE)
    np.testing.assert_array_equal(view.sample(pixels, ""), pixels[1::3, 3:39:3])

  def test_points_and_pixels_fall_on_the_same_place(self):
    view = _view((8, 12))
    rows, columns = np.mgrid[1:24:3, 3:39:3]
    depth = 5.0 + rows + columns / 100
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(fixtures.CAMERA).T
    projected = view.project((rays * depth[..., np.newaxis]).reshape(-1, 3))
    scattered = view.scatter_depth(columns.ravel(), rows.ravel(), depth.ravel())
    np.testing.assert_allclose(projected[..., 0], depth, rtol=1e-6)
    np.testing.assert_allclose(scattered[..., 0], depth, rtol=1e-6)
    self.assertEqual(projected.dtype, np.float32)

  def test_the_nearest_of_several_points_stays(self):
    depth = _view().scatter_depth(
      np.array([5, 5, 5]), np.array([7, 7, 7]), np.array([9.0, 4.0, 6.0])
    )
    self.assertEqual(depth[7, 5, 0], 4.0)
    self.assertEqual(np.count_nonzero(depth), 1)

  def test_points_behind_and_outside_are_left_out(self):
    points = np.array([[0.0, 0.0, -3.0], [100.0, 0.0, 1.0], [0.0, 0.0, 3.0]])
    depth = _view().project(points)
    self.assertEqual(depth[12, 19, 0], 3.0)
    self.assertEqual(np.count_nonzero(depth), 1)

  def test_crop_bottom_keeps_the_upper_rows_and_the_camera(self):
    view = _view(crop_bottom=0.25)
    self.assertEqual(view.size, (18, 40))
    np.testing.assert_array_equal(view.intrinsics, fixtures.CAMERA)
    pixels = np.arange(24 * 40).reshape(fixtures.SIZE)
    np.testing.assert_array_equal(view.sample(pixels, ""), pixels[:18])

  def test_a_label_of_another_shape_is_named(self):
    with self.assertRaisesRegex(ValueError, "'a.png' is 20x10 .* its frame is 40x24"):
      _view().sample(np.zeros((10, 20)), "a.png")


if __name__ == "__main__":
  absltest.main()
