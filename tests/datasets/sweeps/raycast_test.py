"""Rays against closed forms, and against marching along them in small steps."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets.sweeps import raycast, render, sensor

_NO_BOXES, _NO_POLES = np.zeros([0, 7]), np.zeros([0, 4])


def cast(direction, origin=(0.0, 0.0, 2.0), slope=(0.0, 0.0), boxes=_NO_BOXES, poles=_NO_POLES):
  direction = np.asarray(direction, float) / np.linalg.norm(direction)
  hits = raycast.cast(
    np.asarray(origin), 0.0, direction[None, None], np.asarray(slope), np.reshape(boxes, [-1, 7]),
    np.reshape(poles, [-1, 4]),
  )  # fmt: skip
  return hits.distance[0, 0], hits.solid[0, 0], hits.incidence[0, 0]


def inside(points, slope, boxes, poles):
  """Which points [n, 3] are below the ground or in a solid: [n] bool."""
  found = points[:, 2] < points[:, :2] @ slope
  for box in boxes:
    away = points - box[:3]
    along = away[:, 0] * math.cos(box[6]) + away[:, 1] * math.sin(box[6])
    across = away[:, 1] * math.cos(box[6]) - away[:, 0] * math.sin(box[6])
    found |= np.all(np.abs(np.stack([along, across, away[:, 2]], 1)) < box[3:6] / 2, axis=1)
  for x, y, radius, top in poles:
    found |= (np.hypot(points[:, 0] - x, points[:, 1] - y) < radius) & (points[:, 2] < top)
  return found


class RaycastTest(parameterized.TestCase):
  def test_ground(self):
    distance, solid, incidence = cast([1, 0, -1])
    self.assertAlmostEqual(distance, 2 * math.sqrt(2))
    self.assertEqual(solid, -1)
    self.assertAlmostEqual(incidence, math.sqrt(0.5))
    self.assertAlmostEqual(cast([1, 0, 0], slope=(0.1, 0.0))[0], 20.0)
    self.assertEqual(cast([1, 0, 0])[0], np.inf)
    self.assertEqual(cast([-1, 0, 0], slope=(0.1, 0.0))[0], np.inf)

  @parameterized.parameters(
    (4.0, 0.0, 8.0, 1.0),  # the front at 10 m less half the length
    (4.0, math.pi / 2, 9.0, 1.0),  # the side
    (2.0, math.pi / 4, 10 - math.sqrt(2), math.sqrt(0.5)),  # an edge of a square
  )
  def test_box(self, length, heading, expected, cosine):
    distance, solid, incidence = cast([1, 0, 0], boxes=[10, 0, 2, length, 2.0, 2, heading])
    self.assertAlmostEqual(distance, expected)
    self.assertEqual(solid, 0)
    self.assertAlmostEqual(incidence, cosine)

  def test_the_nearest_wins_and_what_is_behind_does_not_count(self):
    boxes = [[10, 0, 2, 2, 2, 2, 0], [5, 0, 2, 2, 2, 2, 0], [-3, 0, 2, 2, 2, 2, 0]]
    distance, solid, _ = cast([1, 0, 0], boxes=boxes)
    self.assertEqual((distance, solid), (4, 1))
    self.assertEqual(cast([0, 1, 0], boxes=boxes)[0], np.inf)

  def test_pole(self):
    distance, solid, incidence = cast([1, 0, 0], poles=[6, 0, 0.5, 5])
    self.assertAlmostEqual(distance, 5.5)
    self.assertEqual(solid, 0)
    self.assertAlmostEqual(incidence, 1.0)
    offset = cast([1, 0, 0], poles=[6, 0.3, 0.5, 5])
    self.assertAlmostEqual(offset[0], 5.6)
    self.assertAlmostEqual(offset[2], 0.8)
    self.assertEqual(cast([1, 0, 0], poles=[6, 0, 0.5, 1.9])[0], np.inf)
    lid = cast([1, 0, -1], poles=[1, 0, 0.5, 1.0])
    self.assertAlmostEqual(lid[0], math.sqrt(2))
    self.assertAlmostEqual(lid[2], math.sqrt(0.5))

  def test_marching_along_rays_meets_nothing_earlier(self):
    job = render.Job(sensor=sensor.Sensor(beams=12, azimuths=90))
    scene = render.sample_scene(job, "train", 3)
    _, boxes, _ = render.solids(scene, 0.5)
    pose = scene.own.pose(0.5)
    yaw = math.atan2(pose[1, 0], pose[0, 0])
    origin = pose[:3, 3] + (0, 0, scene.slope @ pose[:2, 3] + sensor.HEIGHT)
    directions = job.sensor.directions()
    poles = scene.poles[:, :4]
    hits = raycast.cast(origin, yaw, directions, scene.slope, boxes, poles)
    world = directions @ pose[:3, :3].T
    seen = set()
    some = np.random.RandomState(0).permutation(12 * 90)[:250]
    for beam, azimuth in zip(*np.divmod(some, 90), strict=True):
      length = min(hits.distance[beam, azimuth], 80.0)
      steps = np.arange(0, length - 1e-6, 0.02)
      points = origin + steps[:, None] * world[beam, azimuth]
      self.assertFalse(np.any(inside(points, scene.slope, boxes, poles)))
      if length < 80:
        behind = origin + (length + 1e-6) * world[beam, azimuth][None]
        self.assertTrue(inside(behind, scene.slope, boxes, poles)[0])
        seen.add("ground" if hits.solid[beam, azimuth] < 0 else "solid")
    self.assertEqual(seen, {"ground", "solid"})


if __name__ == "__main__":
  absltest.main()
