"""Ray casting against closed forms and against an independent check point by point."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets.rooms import cameras, furniture, layout, raycast, scene, surfaces


def _room(parts, origin=(3.0, 3.0, 0.0), yaw=0.0):
  piece = furniture.Piece(parts, 1.0, 1.0)
  return scene.assemble(np.array([6.0, 6.0, 3.0]), [layout.Placed(piece, origin, yaw)])


def _inside(kind, center, half, p) -> bool:
  """Whether a point in the group's frame lies inside a primitive, from its definition."""
  x, y, z = (a - b for a, b in zip(p, center, strict=True))
  if kind == furniture.BOX:
    return abs(x) < half[0] and abs(y) < half[1] and abs(z) < half[2]
  if kind == furniture.SPHERE:
    return x * x + y * y + z * z < half[0] ** 2
  share = (z + half[2]) / (2 * half[2])
  return 0 < share < 1 and math.hypot(x, y) < half[0] + (half[1] - half[0]) * share


def _occupied(room, point, grow: float = 0.0) -> set[int]:
  """Primitives whose inside, grown by some metres, holds a world point; walls do not count."""
  found = set()
  for i in range(scene.ROOM_PRIMITIVES, len(room.kind)):
    x, y, z, c, s = room.frame[i]
    dx, dy, dz = point[0] - x, point[1] - y, point[2] - z
    local = (c * dx + s * dy, c * dy - s * dx, dz)
    if _inside(room.kind[i], room.center[i], room.half[i] + grow, local):
      found.add(i)
  return found


class ClosedFormTest(parameterized.TestCase):
  def test_wall_seen_at_an_angle(self):
    room = _room([furniture.box((0, 0, 0), (0.1, 0.1, 0.1), "prop", "paint")])
    for yaw in (0.0, 0.2, -0.25):
      # Looking at the wall x = 6 from x = 1: z = 5 / (ray . x), ray with z = 1 in its frame.
      rotation = np.array(
        [[math.sin(yaw), 0, math.cos(yaw)], [-math.cos(yaw), 0, math.sin(yaw)], [0, -1, 0.0]]
      )
      u = np.array([-0.2, 0.0, 0.15])
      rays = cameras.to_world(rotation, np.stack([u, 0 * u - 0.01, np.ones(3)]))
      position = np.array([1.0, 3.0, 2.0])
      depth, primitive = raycast.trace(room, position[None], [0, 3], rays)
      np.testing.assert_allclose(depth, 5 / (math.cos(yaw) + u * math.sin(yaw)), rtol=1e-12)
      np.testing.assert_array_equal(primitive, [1, 1, 1])
      points = position[:, None] + depth * rays
      normal = surfaces.surface(room, primitive, points)[0]
      np.testing.assert_allclose(normal, np.tile([[-1.0], [0], [0]], 3), atol=1e-15)

  def test_turned_box(self):
    # A cube of side 1 turned by 45 degrees: its edge points to the camera, sqrt(1/2) before 3.
    room = _room(
      [furniture.box((-0.5, -0.5, 0), (0.5, 0.5, 2), "cabinet", "wood")], yaw=math.pi / 4
    )
    y = np.array([-0.1, 0.1])
    rays = np.stack([np.ones(2), y, np.zeros(2)])
    t, primitive = raycast.trace(room, np.array([[1.0, 3.0, 1.0]]), [0, 2], rays)
    # On the face: x = 3 - sqrt(1/2) + |y|, y = slope * (x - 1).
    expected = (2 - math.sqrt(0.5)) / (1 - 0.1)
    np.testing.assert_allclose(t, [expected, expected], rtol=1e-12)
    normal = surfaces.surface(room, primitive, np.array([[1.0], [3.0], [1.0]]) + t * rays)[0]
    h = math.sqrt(0.5)
    np.testing.assert_allclose(normal, [[-h, -h], [-h, h], [0, 0]], atol=1e-12)

  def test_sphere_and_cone(self):
    ball = _room([furniture.sphere((0, 0, 1), 0.5, "lamp", "glow")])
    ray = np.array([[1.0], [0.0], [0.0]])
    t, _ = raycast.trace(ball, np.array([[1.0, 3.2, 1.0]]), [0, 1], ray)
    np.testing.assert_allclose(t, 2 - math.sqrt(0.5**2 - 0.2**2), rtol=1e-12)
    cone = _room([furniture.frustum(0, 0, 0, 2, 0.8, 0.0, "plant", "leaf")])
    t, primitive = raycast.trace(cone, np.array([[1.0, 3.0, 1.0]]), [0, 1], ray)
    np.testing.assert_allclose(t, 2 - 0.4, rtol=1e-12)  # half way up, half the radius
    normal = surfaces.surface(cone, primitive, np.array([[2.6], [3.0], [1.0]]))[0]
    slant = math.hypot(2.0, 0.8)
    np.testing.assert_allclose(normal[:, 0], [-2.0 / slant, 0, 0.8 / slant], atol=1e-12)

  @parameterized.parameters((0.9, True), (0.4, False))
  def test_shadow_behind_a_box(self, y, lit):
    # A light at height 2 over y = 3; a board at height 1 covers |y - 3| < 0.25, so its shadow on
    # the floor covers |y - 3| < 0.5.
    room = _room([furniture.box((-1, -0.25, 1), (1, 0.25, 1.02), "table", "wood")])
    points = np.array([[3.0], [3.0 + y], [0.0]], np.float32)
    result = raycast.lit(room, np.array([[3.0, 3.0, 2.0]]), [0, 1], points)
    self.assertEqual(bool(result[0]), lit)


class FurnishedRoomTest(parameterized.TestCase):
  @parameterized.parameters(np.float32, np.float64)
  def test_hits_are_on_a_surface_with_nothing_before_it(self, dtype):
    tolerance = 1e-4 if dtype == np.float32 else 1e-9
    for seed in range(2):
      generator = np.random.default_rng(seed)
      room = scene.sample_scene(generator)
      origins = np.stack([room.size * (0.5, 0.5, 0.7), room.size * (0.4, 0.6, 0.6)])
      origins = np.array([o for o in origins if surfaces.clearance(room, o[None])[0] > 0.05])
      each = 60
      rays = generator.standard_normal((3, each * len(origins))).astype(dtype)
      bundles = [each * i for i in range(len(origins) + 1)]
      distance, primitive = raycast.trace(room, origins, bundles, rays)
      for i in range(rays.shape[1]):
        origin = origins[i // each]
        end = origin + distance[i] * rays[:, i].astype(float)
        if primitive[i] < scene.ROOM_PRIMITIVES:
          axis = primitive[i] // 2
          self.assertLess(abs(end[axis] - room.size[axis] * (primitive[i] % 2)), 10 * tolerance)
        else:
          self.assertIn(primitive[i], _occupied(room, end, tolerance))
          self.assertNotIn(primitive[i], _occupied(room, end, -tolerance))
        for share in np.linspace(0.05, 0.999, 12):
          between = origin + share * distance[i] * rays[:, i].astype(float)
          self.assertEmpty(_occupied(room, between, -tolerance))

  def test_lit_agrees_with_tracing_from_the_light(self):
    generator = np.random.default_rng(5)
    room = scene.sample_scene(generator)
    room.shadow_groups = room.groups
    light = room.size * (0.5, 0.5, 0.85)
    self.assertGreater(surfaces.clearance(room, light[None])[0], 0)
    points = (room.size[:, None] * generator.random((3, 400))).astype(np.float64)
    rays = points - light[:, None]
    distance, _ = raycast.trace(room, light[None], [0, 400], rays)
    clear = np.abs(distance - 1) > 0.01  # leave out points close to a surface
    lit = raycast.lit(room, light[None], [0, 400], points)
    np.testing.assert_array_equal(lit[clear], distance[clear] > 1)
    self.assertBetween(lit.mean(), 0.2, 0.95)

  def test_clearance_is_a_lower_bound(self):
    generator = np.random.default_rng(7)
    room = scene.sample_scene(generator)
    places = room.size * (0.1 + 0.8 * generator.random((20, 3)))
    clearance = surfaces.clearance(room, places)
    for place, bound in zip(places[clearance > 0], clearance[clearance > 0], strict=True):
      rays = generator.standard_normal((3, 200))
      rays /= np.linalg.norm(rays, axis=0)
      distance, _ = raycast.trace(room, place[None], [0, 200], rays)
      self.assertGreaterEqual(distance.min(), bound - 1e-9)


if __name__ == "__main__":
  absltest.main()
