"""Paths, speeds and cameras."""

import math

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets.streets import drive, render, sampling


class PathTest(absltest.TestCase):
  def test_a_quarter_circle(self):
    path = drive.Path((1.0, 2.0, 0.0), ((3.0, 0.0), (5 * math.pi / 2, 0.2), (1.0, 0.0)))
    np.testing.assert_allclose(path.at(3.0), (4.0, 2.0, 0.0))
    np.testing.assert_allclose(path.at(3 + 5 * math.pi / 2), (9.0, 7.0, math.pi / 2))
    np.testing.assert_allclose(path.at(13 + 5 * math.pi / 2), (9.0, 17.0, math.pi / 2))
    np.testing.assert_allclose(path.at(-2.0), (-1.0, 2.0, 0.0))

  def test_it_is_as_long_as_it_says(self):
    path = drive.Path((0.0, 0.0, 0.5), ((4.0, 0.1), (6.0, -0.15), (1.0, 0.0)))
    points = np.array([path.at(s)[:2] for s in np.linspace(0, 14, 2001)])
    self.assertAlmostEqual(np.linalg.norm(np.diff(points, axis=0), axis=1).sum(), 14.0, places=4)


class MotionTest(parameterized.TestCase):
  @parameterized.parameters((5.0, -2.0, 15.0), (3.0, 4.0, 6.0), (7.0, 0.0, 15.0), (9.0, 1.0, 7.0))
  def test_the_way_is_the_sum_of_the_speed(self, speed, acceleration, top):
    motion = drive.Motion(drive.Path((0, 0, 0)), 0.0, speed, acceleration, top)
    times = np.linspace(0, 5, 5001)
    speeds = np.array([motion.speed_at(t) for t in times])
    total = ((speeds[1:] + speeds[:-1]) / 2).sum() * 0.001
    self.assertAlmostEqual(motion.travelled(5.0), total, places=3)
    self.assertGreaterEqual(speeds.min(), 0.0)

  def test_a_limb_keeps_its_joint(self):
    base = drive.Motion(drive.Path((0, 0, 0.4)), 0.0, 1.5, height=0.12)
    joint = np.array([0.0, 0.1, 0.9])
    limb = drive.Swing(base, joint, 0.4, 1.0, 0.3)
    for time in (0.0, 0.1, 0.7):
      whole = base.pose(time)
      np.testing.assert_allclose(limb.pose(time)[:3, 3], whole[:3, :3] @ joint + whole[:3, 3])


class CameraTest(absltest.TestCase):
  def test_axes(self):
    mount = drive.Motion(drive.Path((5.0, 6.0, math.pi / 2)))
    camera = drive.Camera(mount, 1.5, 0.0, 0.1, 0.0, 0.0, 0.0, 0.6, (0.5, 0.5))
    pose = camera.pose(0.0)
    np.testing.assert_allclose(pose[:3, 3], (5, 6, 1.5))
    # Looks along +y and a little up; x right is +x of the world.
    np.testing.assert_allclose(pose[:3, 2], (0, math.cos(0.1), math.sin(0.1)), atol=1e-12)
    np.testing.assert_allclose(pose[:3, 0], (1, 0, 0), atol=1e-12)
    self.assertLess(pose[2, 1], -0.9)

  def test_drives_turn_stop_and_keep_the_speed_limit(self):
    speeds, turns = [], []
    for index in range(60):
      generator = np.random.default_rng(index)
      world = sampling.sample_world(generator, False, 2)
      first, second = (world.camera.pose(t) for t in (0.0, 0.1))
      speeds.append(np.linalg.norm(second[:3, 3] - first[:3, 3]) / 0.1)
      turns.append(
        math.degrees(math.acos(min(1, np.trace(first[:3, :3].T @ second[:3, :3]) / 2 - 0.5)))
      )
    self.assertLess(max(speeds), 15.1)
    self.assertGreater(np.mean(np.array(speeds) == 0), 0.03)
    self.assertGreater(np.mean(np.array(speeds) > 8), 0.08)
    self.assertGreater(np.mean(np.array(turns) > 1.0), 0.1)
    self.assertLess(max(turns), 10.0)

  def test_nothing_comes_too_near_the_camera(self):
    for index in range(6):
      for domain, frames in (("street", 3), ("stills", 1)):
        depth = render.render(render.Job(domain, 16, 52, frames), "validation", index)["depth"]
        self.assertGreater(depth[depth > 0].min(), 0.5)


if __name__ == "__main__":
  absltest.main()
