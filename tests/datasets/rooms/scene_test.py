"""Rooms and views: sizes, furniture, clearances and the second view's motion."""

import math

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rooms import furniture, render, scene, surfaces


def _rooms(count):
  return [scene.sample_scene(np.random.default_rng(seed)) for seed in range(count)]


class SceneTest(absltest.TestCase):
  def test_everything_is_inside_the_room(self):
    for room in _rooms(20):
      self.assertTrue(np.all(room.size >= (3, 3, 2.4)) and np.all(room.size <= (7, 7, 3.2)))
      only = slice(scene.ROOM_PRIMITIVES, None)
      c, s = room.frame[only, 3], room.frame[only, 4]
      reach, center = room.reach[only], room.center[only]
      x = room.frame[only, 0] + c * center[:, 0] - s * center[:, 1]
      y = room.frame[only, 1] + s * center[:, 0] + c * center[:, 1]
      half_x = np.abs(c) * reach[:, 0] + np.abs(s) * reach[:, 1]
      half_y = np.abs(s) * reach[:, 0] + np.abs(c) * reach[:, 1]
      z = room.frame[only, 2] + center[:, 2]
      rug = room.family[only] == furniture.FAMILY_IDS["rug"]
      for low, high, size in (
        (x - half_x, x + half_x, room.size[0]),
        (y - half_y, y + half_y, room.size[1]),
        (z - reach[:, 2], z + reach[:, 2], room.size[2]),
      ):
        # Rugs may run under a wall.
        self.assertGreaterEqual(low[~rug].min(), -0.05)
        self.assertLessEqual(high[~rug].max(), size + 0.05)

  def test_rooms_hold_many_kinds_of_furniture(self):
    seen = np.zeros(len(furniture.CLASSES), int)
    for room in _rooms(60):
      seen[np.unique(room.label)] += 1
    self.assertTrue(np.all(seen >= 10), dict(zip(furniture.CLASSES, seen, strict=True)))

  def test_room_tables_are_those_of_the_groups(self):
    room = _rooms(1)[0]
    g = room.groups
    self.assertEqual(scene.ROOM_PRIMITIVES + (g.boxes + g.rounds).sum(), len(room.kind))
    for i in range(len(g.first)):
      boxes = room.kind[g.first[i] : g.first[i] + g.boxes[i]]
      rounds = room.kind[g.first[i] + g.boxes[i] :][: g.rounds[i]]
      self.assertTrue(np.all(boxes == furniture.BOX) and np.all(rounds != furniture.BOX))
      np.testing.assert_array_equal(room.frame[g.first[i], :3], g.origin[i])


class ViewsTest(absltest.TestCase):
  def test_cameras_stand_free_and_move_a_little(self):
    job = render.Job("simulated", 48, 64)
    ahead = []
    for index in range(30):
      room, views, _ = render.sample_geometry(job, "train", index)
      positions, rotations = views.pose[:, :3, 3], views.pose[:, :3, :3]
      self.assertGreater(surfaces.clearance(room, positions).min(), 0.59)
      self.assertBetween(positions[0, 2], 1.0, 1.8)
      for rotation in rotations:
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
        self.assertAlmostEqual(np.linalg.det(rotation), 1.0)
      step = rotations[0].T @ (positions[1] - positions[0])
      self.assertBetween(np.linalg.norm(step), 0.15, 0.40)
      self.assertGreater(abs(step[0]), 0.8 * np.linalg.norm(step[1:]))
      ahead.append(step[2])
      turn = rotations[0].T @ rotations[1]
      angle = math.degrees(math.acos(min(1.0, (np.trace(turn) - 1) / 2)))
      self.assertLess(angle, 8.0)
      field = 2 * math.degrees(math.atan(0.5 / views.focal))
      self.assertBetween(field, 55.0, 75.0)
    self.assertGreater(np.ptp(ahead), 0.05)

  def test_intrinsics_scale_with_the_image(self):
    _, views, _ = render.sample_geometry(render.Job("sensor", 48, 64), "test", 0)
    small, large = views.intrinsics(48, 64), views.intrinsics(96, 128)
    # The middle of pixel (0, 0) of the small image is the corner of four pixels of the large one.
    np.testing.assert_allclose(large[0, 2], 2 * small[0, 2] + 0.5)
    np.testing.assert_allclose(large[:2, :2], 2 * small[:2, :2])


if __name__ == "__main__":
  absltest.main()
