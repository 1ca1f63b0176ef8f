import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene
from tf_taskology.geometry import cameras

_INTRINSICS = np.array([[50.0, 0.7, 15.2], [0, 48.0, 11.9], [0, 0, 1]])


class CamerasTest(tf.test.TestCase, parameterized.TestCase):
  def test_pixel_grid_is_x_then_y_at_integer_centres(self):
    grid = cameras.pixel_grid(2, 3)
    self.assertAllEqual(grid, [[[0, 0], [1, 0], [2, 0]], [[0, 1], [1, 1], [2, 1]]])

  def test_depth_to_points_equals_inverse_intrinsics(self):
    depth = np.random.RandomState(0).uniform(1, 5, [2, 3, 5, 7, 1])
    depth[0, 0, 2, 3] = 0
    points = cameras.depth_to_points(
      tf.constant(depth), tf.constant(np.tile(_INTRINSICS, (2, 3, 1, 1)))
    )
    x, y = np.meshgrid(np.arange(7), np.arange(5))
    pixels = np.stack([x, y, np.ones_like(x)], axis=-1)
    self.assertAllClose(points, depth * (pixels @ np.linalg.inv(_INTRINSICS).T), rtol=1e-12)
    self.assertAllEqual(points[0, 0, 2, 3], [0, 0, 0])

  def test_inverse_intrinsics(self):
    product = cameras.inverse_intrinsics(tf.constant(_INTRINSICS)) @ _INTRINSICS
    self.assertAllClose(product, np.eye(3), atol=1e-12)

  def test_project_undoes_depth_to_points(self):
    depth = tf.random.stateless_uniform([2, 6, 8, 1], seed=[1, 2], minval=0.5, maxval=9.0)
    intrinsics = tf.constant(np.tile(_INTRINSICS, (2, 1, 1)), tf.float32)
    pixels, visible = cameras.project(cameras.depth_to_points(depth, intrinsics), intrinsics)
    self.assertAllClose(pixels, tf.tile(cameras.pixel_grid(6, 8)[None], [2, 1, 1, 1]), atol=1e-4)
    self.assertAllEqual(visible, tf.ones_like(depth))

  def test_project_behind_the_camera_is_invisible_with_finite_values_and_no_gradient(self):
    points = tf.constant([[[[1.0, 2.0, -1.0], [1.0, 1.0, 0.0], [1.0, 2.0, 4.0]]]])
    intrinsics = tf.constant(_INTRINSICS[None], tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(points)
      pixels, visible = cameras.project(points, intrinsics)
    gradient = tape.gradient(pixels, points)
    self.assertAllEqual(visible[0, 0, :, 0], [0, 0, 1])
    self.assertAllInRange(pixels, -1e3, 1e3)
    self.assertAllEqual(gradient[0, 0, :2], tf.zeros([2, 3]))
    self.assertAllClose(pixels[0, 0, 2], [50 / 4 + 0.7 * 2 / 4 + 15.2, 48 * 2 / 4 + 11.9])

  def test_scaled_intrinsics_see_subsampled_pixels_along_the_same_rays(self):
    intrinsics = tf.constant(_INTRINSICS)
    rays = cameras.unproject(cameras.pixel_grid(12, 16, tf.float64), intrinsics)
    coarse = cameras.unproject(
      cameras.pixel_grid(3, 4, tf.float64), cameras.scale_intrinsics(intrinsics, 1 / 4)
    )
    self.assertAllClose(coarse, rays[::4, ::4], rtol=1e-12)

  @parameterized.parameters(
    ((96, 128), (24, 32), 4), ((96, 128), (96, 128), 1), ((97, 9), (49, 5), 2)
  )
  def test_stride(self, image_size, size, expected):
    self.assertEqual(cameras.stride(image_size, size), expected)

  @parameterized.parameters(((96, 128), (24, 64)), ((48, 64), (96, 128)), ((10, 10), (7, 7)))
  def test_stride_refuses_other_sizes(self, image_size, size):
    with self.assertRaisesRegex(ValueError, "No stride"):
      cameras.stride(image_size, size)

  def test_relative_pose_takes_source_points_to_the_target_frame(self):
    source = analytic_scene.pose((0.3, -0.2, 1.0), yaw=0.4, pitch=-0.3)
    target = analytic_scene.pose((-0.5, 0.1, 0.2), yaw=-0.2, pitch=0.6)
    point = np.array([0.4, 0.3, 2.0])
    world = source[:3, :3] @ point + source[:3, 3]
    expected = np.linalg.inv(target) @ np.append(world, 1)
    moved = cameras.transform_points(
      tf.constant(point[None, None]), cameras.relative_pose(source, target)
    )
    self.assertAllClose(moved[0, 0], expected[:3], atol=1e-12)
    self.assertAllClose(cameras.inverse_pose(source) @ source, np.eye(4), atol=1e-12)

  @parameterized.named_parameters(
    ("channels", [2, 4, 5, 2], [2, 3, 3], "height, width, 1"),
    ("rank", [4, 5], [3, 3], "height, width, 1"),
    ("matrix", [2, 4, 5, 1], [2, 3, 4], "3, 3"),
    ("batch", [2, 4, 5, 1], [3, 3, 3], "Leading dimensions"),
  )
  def test_wrong_shapes_are_refused(self, depth, intrinsics, message):
    with self.assertRaisesRegex(ValueError, message):
      cameras.depth_to_points(tf.ones(depth), tf.ones(intrinsics))


if __name__ == "__main__":
  tf.test.main()
