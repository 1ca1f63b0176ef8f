import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene
from tf_taskology.geometry import cameras, warping


class WarpingTest(tf.test.TestCase, parameterized.TestCase):
  def test_identity_motion_leaves_every_pixel_in_place(self):
    depth = tf.random.stateless_uniform([2, 3, 9, 12, 1], [1, 2], 0.5, 20.0)
    intrinsics = tf.constant(np.tile(analytic_scene.intrinsics(9, 12), (2, 3, 1, 1)), tf.float32)
    motion = tf.eye(4, batch_shape=[2, 3])
    pixels, moved, visible = warping.reproject(depth, intrinsics, intrinsics, motion)
    self.assertAllClose(pixels, tf.broadcast_to(cameras.pixel_grid(9, 12), pixels.shape), atol=1e-4)
    self.assertAllClose(moved, depth, rtol=1e-6)
    self.assertAllEqual(visible, tf.ones_like(visible))
    image = tf.random.stateless_uniform([2, 3, 9, 12, 3], [3, 4])
    self.assertAllClose(warping.sample(image, pixels), image, atol=1e-4)

  def test_reproject_equals_lift_move_project(self):
    intrinsics = tf.constant(analytic_scene.intrinsics(9, 12))
    target = intrinsics * np.array([[1.1], [0.9], [1.0]])
    motion = tf.constant(analytic_scene.pose((0.4, 0.1, -0.3), yaw=0.3, pitch=0.2))
    depth = np.random.RandomState(0).uniform(0.2, 5, [9, 12, 1])
    depth[2, 3] = 0
    pixels, moved, visible = warping.reproject(tf.constant(depth), intrinsics, target, motion)
    points = cameras.transform_points(
      cameras.depth_to_points(tf.constant(depth), intrinsics), motion
    )
    expected, in_front = cameras.project(points, target)
    shown = visible[..., 0] > 0
    self.assertAllClose(pixels[shown], expected[shown], atol=1e-9)
    self.assertAllClose(moved, points[..., 2:], atol=1e-12)
    expected_visible = in_front * warping.inside(expected, 9, 12) * tf.cast(depth > 0, tf.float64)
    self.assertAllEqual(visible, expected_visible)
    self.assertGreater(np.mean(visible), 0.15)
    self.assertLess(np.mean(visible), 0.9)

  def test_points_behind_the_target_are_invisible_and_finite(self):
    motion = tf.constant(analytic_scene.pose((0.0, 0.0, -2.0)))
    intrinsics = tf.constant(analytic_scene.intrinsics(6, 8))
    depth = tf.ones([6, 8, 1], tf.float64)
    with tf.GradientTape() as tape:
      tape.watch(depth)
      pixels, _, visible = warping.reproject(depth, intrinsics, intrinsics, motion)
    self.assertAllEqual(visible, tf.zeros_like(visible))
    self.assertTrue(np.all(np.isfinite(pixels)))
    self.assertTrue(np.all(np.isfinite(tape.gradient(pixels, depth))))

  def test_sample_is_exact_on_bilinear_functions_and_clamps_outside(self):
    x, y = np.meshgrid(np.arange(7.0), np.arange(5.0))
    image = np.stack([2 * x - y + 0.5 * x * y, x], axis=-1)[None]
    at = np.array([[1.25, 3.5], [0, 0], [6, 4], [5.999, 3.999], [-3.0, 2.0], [9.0, 7.0]])
    values = warping.sample(tf.constant(image), tf.constant(at[None, None]))[0, 0]
    cx, cy = np.clip(at[:, 0], 0, 6), np.clip(at[:, 1], 0, 4)
    self.assertAllClose(values, np.stack([2 * cx - cy + 0.5 * cx * cy, cx], -1), atol=1e-12)

  def test_sample_reads_each_image_of_a_batch(self):
    image = tf.reshape(tf.range(6, dtype=tf.float32), [2, 3, 1, 1, 1]) * tf.ones([2, 3, 4, 5, 1])
    values = warping.sample(image, tf.ones([2, 3, 2, 2, 2]))
    self.assertAllEqual(values[:, :, 0, 0, 0], [[0, 1, 2], [3, 4, 5]])

  def test_gradients_equal_finite_differences(self):
    random = np.random.RandomState(1)
    image = tf.constant(random.uniform(size=[2, 4, 5, 2]))
    whole = random.randint(0, 3, size=[2, 3, 2, 2])
    pixels = tf.constant(whole + random.uniform(0.1, 0.9, size=whole.shape))
    theoretical, numerical = tf.test.compute_gradient(warping.sample, [image, pixels], 1e-5)
    for a, b in zip(theoretical, numerical, strict=True):
      self.assertAllClose(a, b, atol=1e-8)

    intrinsics = tf.constant(analytic_scene.intrinsics(3, 4))
    motion = tf.constant(analytic_scene.pose((0.1, 0.05, 0.1), yaw=0.05))
    depth = tf.constant(random.uniform(1, 3, size=[3, 4, 1]))

    def reproject(depth, motion):
      return warping.reproject(depth, intrinsics, intrinsics, motion)[0]

    theoretical, numerical = tf.test.compute_gradient(reproject, [depth, motion], 1e-6)
    for a, b in zip(theoretical, numerical, strict=True):
      self.assertAllClose(a, b, atol=1e-6)

  def test_warped_frame_equals_the_other_where_visible(self):
    inputs, truth = analytic_scene.two_views(48, 64, dtype=np.float64)
    motion = cameras.relative_pose(inputs["pose"][:, 0], inputs["pose"][:, 1])
    matrix = tf.constant(inputs["intrinsics"][:, 0])
    depth = tf.constant(truth["depth"][:, 0])
    pixels, moved, visible = warping.reproject(depth, matrix, matrix, motion)
    seen_depth = warping.sample(tf.constant(truth["depth"][:, 1]), pixels)
    shown = (visible[..., 0] > 0) & (np.abs(moved / seen_depth - 1)[..., 0] < 0.005)
    self.assertGreater(np.mean(shown), 0.8)
    warped = warping.sample(tf.constant(inputs["image"][:, 1]), pixels)
    error = np.abs(warped - inputs["image"][:, 0])[shown]
    self.assertLess(error.mean(), 0.5)  # of 255

  @parameterized.named_parameters(
    ("pixels", [1, 4, 4, 1], [1, 2, 2, 3], "pixels of shape"),
    ("batch", [2, 4, 4, 1], [3, 2, 2, 2], "Leading dimensions"),
    ("small", [1, 1, 4, 1], [1, 2, 2, 2], "at least 2 x 2"),
  )
  def test_wrong_shapes_are_refused(self, image, pixels, message):
    with self.assertRaisesRegex(ValueError, message):
      warping.sample(tf.ones(image), tf.ones(pixels))


if __name__ == "__main__":
  tf.test.main()
