import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene, moving_scene, published_losses
from tf_taskology.geometry import cameras, motion_warp, rotations, warping


def moved_of(scene, source, **changes):
  """`Moved` of one direction of a moving scene: source 0 or 1 is also the number of its pair."""
  values = {**scene, **changes}
  translation = (values["translation"] + values["motion_field"])[source][None]
  return motion_warp.move(
    tf.constant(values["depth"][source][None, ..., 0]),
    rotations.matrix_from_angles(tf.constant(values["rotation"][source, 0])),
    tf.constant(translation),
    tf.constant(values["intrinsics"][source][None]),
  )


def error_of(scene, source, moved):
  """Mean colour error (of 255) on the source's sphere and elsewhere, outside occlusions."""
  target = 1 - source
  seen = motion_warp.sample(tf.constant(scene["image"][target][None]), moved.x, moved.y)
  seen_depth = motion_warp.sample(tf.constant(scene["depth"][target][None]), moved.x, moved.y)
  in_view = moved.visible & (tf.abs(moved.depth / seen_depth[:, 0] - 1) < 0.01)
  difference = np.abs(np.moveaxis(seen[0], 0, -1) - scene["image"][source]).mean(-1)
  sphere = scene["sphere"][source][..., 0] > 0
  in_view = in_view[0].numpy()
  return difference[in_view & sphere].mean(), difference[in_view & ~sphere].mean(), in_view.mean()


class MotionWarpTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters(0, 1)
  def test_planted_motion_brings_each_frame_onto_the_other(self, source):
    scene = moving_scene.frames(96, 128)
    moved = moved_of(scene, source)
    on_sphere, elsewhere, in_view = error_of(scene, source, moved)
    self.assertLess(on_sphere, 0.5)  # of 255
    self.assertLess(elsewhere, 0.5)
    self.assertGreater(in_view, 0.7)

  @parameterized.parameters(0, 1)
  def test_colours_show_which_way_a_field_warps(self, source):
    scene = moving_scene.frames(96, 128)
    sphere = scene["sphere"][source][..., 0] > 0

    def error(**changes):
      moved = moved_of(scene, source, **changes)
      image = tf.constant(scene["image"][1 - source][None])
      seen = np.moveaxis(motion_warp.sample(image, moved.x, moved.y)[0].numpy(), 0, -1)
      return np.abs(seen - scene["image"][source]).mean(-1)[sphere].mean()

    right = error()
    self.assertGreater(error(motion_field=0 * scene["motion_field"]), 4 * right)
    self.assertGreater(error(motion_field=-scene["motion_field"]), 4 * right)
    self.assertGreater(error(motion_field=scene["motion_field"][::-1]), 2 * right)
    for name in ("rotation", "translation"):
      self.assertGreater(error(**{name: scene[name][::-1]}), 2 * right, name)

  def test_still_objects_move_as_reproject_says(self):
    depth = tf.random.stateless_uniform([2, 9, 12], [1, 2], 0.5, 9.0, tf.float64)
    pose = np.stack([analytic_scene.pose((0.2, 0.1, -0.3), 0.2, 0.1), analytic_scene.pose()])
    matrix = tf.constant(np.tile(analytic_scene.intrinsics(9, 12), (2, 1, 1)))
    target = matrix * np.array([[1.1], [0.9], [1.0]])
    moved = motion_warp.move(
      depth,
      tf.constant(pose[:, :3, :3]),
      tf.constant(pose[:, None, None, :3, 3]),
      matrix,
      target,
    )
    pixels, z, visible = warping.reproject(depth[..., None], matrix, target, tf.constant(pose))
    shown = moved.visible
    self.assertAllEqual(shown & (visible[..., 0] > 0), shown)
    self.assertAllClose(tf.stack([moved.x, moved.y], -1)[shown], pixels[shown])
    self.assertAllClose(moved.depth, z[..., 0])

  def test_equals_the_published_formula(self):
    random = np.random.RandomState(0)
    depth, angles = random.uniform(1, 5, [3, 8, 10]), random.normal(0, 0.1, [3, 3])
    translation = random.normal(0, 0.5, [3, 8, 10, 3])
    translation[0] -= [0, 0, 4]  # some points come to lie behind the camera
    matrix = np.tile(analytic_scene.intrinsics(8, 10), (3, 1, 1))
    expected = published_losses.transform(depth, angles, translation, matrix)
    self.assertLess(expected[2].min(), 0)
    for dtype, tolerance in ((tf.float64, 1e-9), (tf.float32, 1e-4)):
      moved = motion_warp.move(
        tf.constant(depth, dtype),
        rotations.matrix_from_angles(tf.constant(angles, dtype)),
        tf.constant(translation, dtype),
        tf.constant(matrix, dtype),
      )
      for value, wanted in zip(moved, expected, strict=True):
        self.assertAllClose(value, wanted, atol=tolerance, rtol=tolerance)

  def test_gradients_equal_finite_differences(self):
    random = np.random.RandomState(1)
    depth = tf.constant(random.uniform(1, 3, [1, 2, 3]))
    angles = tf.constant(random.normal(0, 0.03, [1, 3]))
    translation = tf.constant(random.normal(0, 0.05, [1, 2, 3, 3]))
    matrix = tf.constant(analytic_scene.intrinsics(2, 3)[None])
    image = tf.constant(random.uniform(size=[1, 2, 3, 2]))

    def colours(depth, angles, translation, matrix, image):
      rotation = rotations.matrix_from_angles(angles)
      moved = motion_warp.move(depth, rotation, translation, matrix)
      return motion_warp.sample(image, moved.x, moved.y)

    theoretical, numerical = tf.test.compute_gradient(
      tf.function(colours), [depth, angles, translation, matrix, image], 1e-7
    )
    for a, b in zip(theoretical, numerical, strict=True):
      self.assertGreater(np.abs(b).max(), 1e-3)
      self.assertAllClose(a, b, atol=1e-6)

  def test_sample_equals_warping_sample(self):
    random = np.random.RandomState(2)
    image = tf.constant(random.uniform(size=[2, 5, 7, 3]))
    pixels = random.uniform([0, 0], [6, 4], [2, 4, 3, 2])
    pixels[0, 0, :, 0] = 6
    pixels = tf.constant(pixels)
    planes = motion_warp.sample(image, pixels[..., 0], pixels[..., 1])
    self.assertAllClose(np.moveaxis(planes, 1, -1), warping.sample(image, pixels), atol=1e-12)

  def test_points_in_the_camera_plane_stay_finite(self):
    depth, matrix = (
      tf.ones([1, 4, 5]),
      tf.constant(analytic_scene.intrinsics(4, 5)[None], tf.float32),
    )
    translation = tf.constant([[[[0.0, 0.0, -1.0]]]])
    with tf.GradientTape() as tape:
      tape.watch([depth, translation])
      moved = motion_warp.move(depth, tf.eye(3)[None], translation, matrix)
      total = tf.reduce_sum(moved.x + moved.y)
    self.assertAllEqual(moved.visible, tf.zeros_like(moved.visible))
    self.assertAllInRange(moved.x, 0, 4)
    for gradient in tape.gradient(total, [depth, translation]):
      self.assertTrue(np.all(np.isfinite(gradient)))

  @parameterized.parameters(
    ([1, 4, 4, 1], [1, 1, 1, 3], "batch, height, width"), ([1, 4, 4], [1, 3], "translation")
  )
  def test_wrong_shapes_are_refused(self, depth, translation, message):
    with self.assertRaisesRegex(ValueError, message):
      motion_warp.move(
        tf.ones(depth),
        tf.eye(3)[None],
        tf.ones(translation),
        cameras.inverse_intrinsics(tf.eye(3)[None]),
      )


if __name__ == "__main__":
  tf.test.main()
