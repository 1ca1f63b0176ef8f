import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import analytic_scene
from tf_taskology.datasets.rooms import render
from tf_taskology.geometry import cameras, depth_edges, surface_normals

_HEIGHT, _WIDTH = 12, 16
_INTRINSICS = np.array([[20.0, 0.5, 7.3], [0, 22.0, 5.8], [0, 0, 1]])


def plane_depth(normal, offset=-2.0):
  """Depth [height, width, 1] float64 of the plane normal . X = offset."""
  grid = cameras.pixel_grid(_HEIGHT, _WIDTH, tf.float64)
  rays = cameras.unproject(grid, tf.constant(_INTRINSICS))
  return (offset / (rays.numpy() @ normal))[..., None]


def unit(vector):
  return np.array(vector) / np.linalg.norm(vector)


def angles(a, b):
  cross = np.linalg.norm(np.cross(a, b), axis=-1)
  return np.degrees(np.arctan2(cross, (a * b).sum(-1)))


def creases(normals):
  """Pixels with a neighbour whose normal differs by more than 10 degrees; [..., height, width, 3] -> [...]."""
  shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
  return np.any([angles(np.roll(normals, s, (-3, -2)), normals) > 10 for s in shifts], axis=0)


class SurfaceNormalsTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.product(
    normal=[(0, 0, -1), (0.5, 0.2, -0.8), (-0.6, 0.5, -1.2), (0.0, -1.4, -0.9)], window=[1, 3, 5]
  )
  def test_planes_are_exact_at_borders_too(self, normal, window):
    normal = unit(normal)
    depth = tf.constant(plane_depth(normal), tf.float32)
    self.assertGreater(np.min(depth), 0)
    normals, valid = surface_normals.depth_to_normals(
      depth, tf.constant(_INTRINSICS, tf.float32), window
    )
    self.assertAllEqual(valid, tf.ones_like(valid))
    self.assertAllClose(normals, np.broadcast_to(normal, normals.shape), atol=1e-4)

  @parameterized.parameters(1, 3)
  def test_planes_are_exact_beside_missing_depth(self, window):
    normal = unit((0.3, -0.4, -1.0))
    depth = plane_depth(normal)
    depth[np.random.RandomState(0).uniform(size=depth.shape) < 0.3] = 0
    depth[0, 0], depth[3, 4] = np.inf, -1.0
    normals, valid = surface_normals.depth_to_normals(
      tf.constant(depth), tf.constant(_INTRINSICS), window
    )
    valid = valid.numpy()[..., 0] > 0
    self.assertAllEqual(normals[~valid], np.zeros_like(normals[~valid]))
    self.assertAllClose(normals[valid], np.broadcast_to(normal, normals[valid].shape), atol=1e-9)
    known = (depth > 0) & np.isfinite(depth)
    self.assertFalse(np.any(valid & ~known[..., 0]))
    self.assertGreater(valid.sum(), 0.75 * known.sum())

  def test_pixel_without_a_neighbour_along_one_axis_is_not_valid(self):
    depth = np.zeros([_HEIGHT, _WIDTH, 1], np.float32)
    depth[4, 2:9] = 2.0  # one row
    depth[8, 3] = 2.0  # one pixel
    for window in (1, 3):
      _, valid = surface_normals.depth_to_normals(
        tf.constant(depth), tf.constant(_INTRINSICS, tf.float32), window
      )
      self.assertAllEqual(valid, tf.zeros_like(valid))

  def test_rendered_scene_within_half_a_degree_away_from_edges(self):
    height, width = 96, 128
    depth, truth, _, _ = analytic_scene.render(height, width, analytic_scene.pose(yaw=0.1))
    intrinsics = tf.constant(analytic_scene.intrinsics(height, width), tf.float32)
    depth = tf.constant(depth, tf.float32)
    normals, valid = surface_normals.depth_to_normals(depth, intrinsics)
    smooth = (valid.numpy() > 0) & ~depth_edges.depth_edges(depth, 0.02, margin=1).numpy()
    error = angles(normals.numpy(), truth)[smooth[..., 0]]
    self.assertGreater(smooth.mean(), 0.85)
    self.assertLess(error.mean(), 0.5)

  def test_rooms_are_exact_on_most_pixels_away_from_edges(self):
    sample = render.render(render.Job("simulated", 96, 128), "train", 0)
    depth = tf.constant(sample["depth"])
    normals, valid = surface_normals.depth_to_normals(depth, tf.constant(sample["intrinsics"]))
    smooth = (valid.numpy() > 0) & ~depth_edges.depth_edges(depth, 0.02, margin=1).numpy()
    error = angles(normals.numpy(), sample["normals"])[smooth[..., 0]]
    self.assertGreater(smooth.mean(), 0.5)
    self.assertLess(np.median(error), 0.01)
    # The rest are creases between surfaces that meet at a blunt angle.
    self.assertGreater(np.mean(error < 0.5), 0.9)

  @parameterized.product(domain=["simulated", "sensor"], size=[(48, 64), (96, 128)])
  def test_rooms_within_half_a_degree_away_from_edges_and_creases(self, domain, size):
    errors = []
    for index in range(4):
      sample = render.render(render.Job(domain, *size), "train", index)
      depth = tf.constant(sample["depth"])
      normals, valid = surface_normals.depth_to_normals(depth, tf.constant(sample["intrinsics"]))
      smooth = (valid.numpy() > 0) & ~depth_edges.depth_edges(depth, 0.02, margin=1).numpy()
      smooth = smooth[..., 0] & ~creases(sample["normals"])
      self.assertGreater(smooth.mean(), 0.3)
      errors.append(angles(normals.numpy(), sample["normals"])[smooth])
    self.assertLess(np.mean(np.concatenate(errors)), 0.5)

  def test_normals_face_the_camera_whatever_the_depth(self):
    depth = tf.exp(tf.random.stateless_normal([3, 2, _HEIGHT, _WIDTH, 1], seed=[3, 4]))
    intrinsics = tf.constant(np.tile(_INTRINSICS, (3, 2, 1, 1)), tf.float32)
    rays = cameras.unproject(cameras.pixel_grid(_HEIGHT, _WIDTH), intrinsics)
    for window in (1, 3):
      normals, valid = surface_normals.depth_to_normals(depth, intrinsics, window)
      facing = tf.reduce_sum(normals * rays, axis=-1, keepdims=True)
      self.assertAllLess(facing[valid > 0], 0.0)
      self.assertAllClose(tf.norm(normals, axis=-1, keepdims=True), valid, atol=1e-5)

  def test_equals_cross_product_of_differences_of_points(self):
    depth = tf.exp(0.3 * tf.constant(np.random.RandomState(0).normal(size=[_HEIGHT, _WIDTH, 1])))
    intrinsics = tf.constant(_INTRINSICS)
    points = cameras.depth_to_points(depth, intrinsics).numpy()
    along_x = points[1:-1, 2:] - points[1:-1, :-2]
    along_y = points[2:, 1:-1] - points[:-2, 1:-1]
    expected = np.cross(along_y, along_x)
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    normals, _ = surface_normals.depth_to_normals(depth, intrinsics)
    self.assertAllClose(normals[1:-1, 1:-1], expected, atol=1e-10)

  def test_larger_windows_are_less_noisy(self):
    normal = unit((0.2, 0.3, -1.0))
    noise = np.random.RandomState(0).normal(size=[_HEIGHT, _WIDTH, 1])
    depth = tf.constant(plane_depth(normal) * np.exp(0.01 * noise))
    errors = [
      angles(
        surface_normals.depth_to_normals(depth, tf.constant(_INTRINSICS), w)[0].numpy(), normal
      )
      for w in (1, 3, 5)
    ]
    means = [error.mean() for error in errors]
    self.assertLess(means[1], 0.8 * means[0])
    self.assertLess(means[2], 0.6 * means[1])

  @parameterized.parameters(1, 3)
  def test_gradient_equals_finite_differences(self, window):
    known = np.ones([4, 5, 1])
    known[1, 2] = 0
    depth = tf.constant(np.exp(0.2 * np.random.RandomState(0).normal(size=known.shape)))
    intrinsics = tf.constant([[6.0, 0.1, 2.0], [0, 6.5, 1.7], [0, 0, 1.0]], tf.float64)

    def normals(x, k):
      return surface_normals.depth_to_normals(x * known, k, window)[0]

    theoretical, numerical = tf.test.compute_gradient(normals, [depth, intrinsics], 1e-6)
    for a, b in zip(theoretical, numerical, strict=True):
      self.assertAllClose(a, b, atol=1e-7)

  @parameterized.product(
    depth=[0.0, 1e-30, 1e-3, 3.0, 1e9, 1e38, float("inf"), float("nan")], window=[1, 3]
  )
  def test_gradient_is_finite_at_any_depth(self, depth, window):
    depth = tf.constant(np.full([_HEIGHT, _WIDTH, 1], depth), tf.float32)
    with tf.GradientTape() as tape:
      tape.watch(depth)
      normals, _ = surface_normals.depth_to_normals(
        depth, tf.constant(_INTRINSICS, tf.float32), window
      )
    self.assertAllInRange(normals, -1.0, 1.0)
    self.assertFalse(np.any(np.isnan(tape.gradient(normals, depth))))

  @parameterized.parameters(0, 2, -1)
  def test_window_must_be_odd(self, window):
    with self.assertRaisesRegex(ValueError, "odd number"):
      surface_normals.depth_to_normals(tf.ones([4, 4, 1]), tf.eye(3), window)


if __name__ == "__main__":
  tf.test.main()
