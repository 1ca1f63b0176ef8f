"""Ray casting against closed forms and against an independent check point by point."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets.streets import drive, layout, parts, raycast, sampling, scene

_K = np.array([[40.0, 0, 31.5], [0, 40.0, 15.5], [0, 0, 1.0]])
_SIZE = (32, 64)


def _camera() -> np.ndarray:
  """At height 1, looking along x."""
  pose = np.eye(4)
  pose[:3, :3] = np.array([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]])
  pose[2, 3] = 1.0
  return pose


def _view(made, origin=(0.0, 0.0, 0.0), yaw=0.0):
  body = layout.Body(made, drive.Motion(drive.Path((*origin[:2], yaw)), height=origin[2]), False, 1)
  world = scene.assemble(sampling.World([], [body], None), [0.0], 10)
  return raycast.look(world, 0, _camera(), _K, *_SIZE)


def _inside(part: parts.Part, points: np.ndarray) -> np.ndarray:
  """Whether points [n, 3] in the body's frame lie inside a part, from its definition."""
  x = (points - part.center) @ part.rotation
  if part.kind == parts.CONVEX:
    return (x @ part.shape[:, :3].T < part.shape[:, 3]).all(1)
  if part.kind == parts.ELLIPSOID:
    return ((x / part.size) ** 2).sum(1) < 1
  share = (x[:, 2] / part.size[2] + 1) / 2
  radius = part.shape[0] + (part.shape[1] - part.shape[0]) * share
  return (np.abs(x[:, 2]) < part.size[2]) & (np.hypot(x[:, 0], x[:, 1]) < radius)


def _points(view, depth) -> np.ndarray:
  """[H, W, 3] world points at given depths."""
  v, u = np.mgrid[0 : _SIZE[0], 0 : _SIZE[1]]
  rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(_K).T @ _camera()[:3, :3].T
  return rays * depth[..., None] + _camera()[:3, 3]


class ClosedFormTest(parameterized.TestCase):
  def test_ground_and_wall(self):
    made = [
      parts.box((-99, -99, -1), (99, 99, 0), "road", "asphalt"),
      parts.box((20, -99, 0), (21, 99, 99), "building", "brick"),
    ]
    view = _view(made)
    inverse, part, face = raycast.trace(view, *_SIZE)
    # The camera is 1 m high: depth of a ground pixel is f / (v - cy), at most 20 m.
    v = np.arange(_SIZE[0])[:, None] + 0 * inverse
    expected = np.maximum((v - 15.5) / 40.0, 1 / 20.0)
    np.testing.assert_allclose(inverse, expected, rtol=1e-12)
    np.testing.assert_array_equal(part, (expected == 1 / 20.0).astype(int))
    # Faces are +x, -x, +y, -y, +z, -z: the ground's top, the wall's front.
    np.testing.assert_array_equal(face, np.where(part == 1, 1, 4))

  def test_ball_tube_and_ring(self):
    inverse, _, _ = raycast.trace(
      _view([parts.ellipsoid((10, 0, 1), (2, 3, 4), "car", "paint")]), *_SIZE
    )
    nearest = raycast.intersect(
      _view([parts.ellipsoid((10, 0, 1), (2, 3, 4), "car", "paint")]), 0,
      np.array([31.5]), np.array([15.5])
    )  # fmt: skip
    np.testing.assert_allclose(1 / nearest[0], 8.0)
    self.assertLess(inverse.max(), 1 / 8.0)
    pole = _view([parts.tube((10, 0, 0), (10, 0, 5), (1, 1), "pole", "metal")])
    s, face = raycast.intersect(pole, 0, np.array([31.5, 31.5 + 3.0]), np.array([15.5, 15.5]))
    # At slope 3/40 to the side: (x - 10)^2 + (3 x / 40)^2 = 1.
    a, c = 1 + (3 / 40) ** 2, 99.0
    np.testing.assert_allclose(1 / s, [9.0, (10 - np.sqrt(100 - a * c)) / a])
    np.testing.assert_array_equal(face, 0)
    ring = _view([parts.disc((8, 0, 1), (-1, 0, 0), 2.0, "traffic sign", "metal", inner=1.0)])
    s, _ = raycast.intersect(
      ring, 0, 31.5 + np.array([0.0, 4.9, 5.1, 9.9, 10.1]), 15.5 + np.zeros(5)
    )
    np.testing.assert_allclose(s, [0, 0, 1 / 8, 1 / 8, 0])

  def test_end_of_a_tube(self):
    lying = _view([parts.tube((5, 0, 1), (9, 0, 1), (0.5, 0.5), "pole", "metal")])
    s, face = raycast.intersect(lying, 0, np.array([31.5, 34.0]), np.array([15.5, 15.5]))
    np.testing.assert_allclose(1 / s, 5.0)
    np.testing.assert_array_equal(face, 2)  # the cap at the start

  def test_nothing_behind_the_camera_is_seen(self):
    made = [parts.ellipsoid((-5, 0, 1), (1, 1, 1), "car", "paint"),
            parts.box((-9, -2, 0), (-3, 2, 3), "car", "paint")]  # fmt: skip
    inverse, part, _ = raycast.trace(_view(made), *_SIZE)
    self.assertEqual(inverse.max(), 0)
    np.testing.assert_array_equal(part, raycast.SKY)


class ClutterTest(absltest.TestCase):
  def _clutter(self, generator):
    made = []
    for _ in range(25):
      x, y, z = generator.uniform((4, -5, -1), (20, 5, 4))
      size = generator.uniform(0.3, 1.5, 3)
      kind = generator.integers(3)
      if kind == 0:
        made.append(parts.tapered((x - size[0], x + size[0], y - size[1], y + size[1]),
                                  (x - 0.3, x + 0.2, y - 0.1, y + 0.2), (z, z + size[2]), "car",
                                  "paint"))  # fmt: skip
      elif kind == 1:
        made.append(parts.ellipsoid((x, y, z), size, "car", "paint"))
      else:
        made.append(parts.tube((x, y, z), (x + size[0], y + size[1], z + 2), (0.4, 0.2), "pole",
                               "metal"))  # fmt: skip
    return made

  def test_hits_are_on_a_surface_with_nothing_before_it(self):
    generator = np.random.default_rng(2)
    made = self._clutter(generator)
    view = _view(made)
    inverse, part, _ = raycast.trace(view, *_SIZE)
    self.assertBetween(np.mean(part >= 0), 0.2, 0.95)
    seen = part >= 0
    depth = 1 / np.where(seen, inverse, 1.0)
    for index in range(len(made)):
      own = part == index
      if own.any():
        self.assertTrue(_inside(made[index], _points(view, depth + 1e-6)[own]).mean() > 0.99)
      for share in np.linspace(0.02, 1 - 1e-6, 60):
        before = _points(view, np.where(seen, depth, 60.0) * share).reshape(-1, 3)
        self.assertFalse(_inside(made[index], before).any())

  def test_windows_miss_nothing(self):
    view = _view(self._clutter(np.random.default_rng(3)), yaw=0.3)
    u, v = np.arange(_SIZE[1], dtype=float), np.arange(_SIZE[0], dtype=float)[:, None]
    whole = np.zeros(_SIZE)
    for index in range(len(view.scene.parts)):
      hit = raycast.intersect(view, index, u, v)
      if hit is not None:
        whole = np.maximum(whole, hit[0])
    np.testing.assert_array_equal(raycast.trace(view, *_SIZE)[0], whole)

  def test_samples_at_the_centres_see_what_the_centres_see(self):
    view = _view(self._clutter(np.random.default_rng(4)))
    inverse, part, face = raycast.trace(view, *_SIZE)
    again = raycast.retrace(view, part, np.ones(_SIZE, bool), np.zeros((1, 2)))
    # Single precision: parts within a hair of each other may swap.
    self.assertGreater(np.mean(again[3].reshape(_SIZE) == part), 0.998)
    np.testing.assert_allclose(again[2].reshape(_SIZE), inverse, rtol=2e-3, atol=1e-5)
    self.assertGreater(np.mean(again[4].reshape(_SIZE) == face), 0.995)


if __name__ == "__main__":
  absltest.main()
