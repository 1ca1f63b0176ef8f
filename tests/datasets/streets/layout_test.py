"""What is put into streets stays where it belongs."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import drive, ground, layout, parts


def _street() -> ground.Street:
  return ground.Street(np.eye(3), np.zeros(3), 5.7, 2.5, 1.0, False)


class LayoutTest(absltest.TestCase):
  def test_crossings_stay_free(self):
    for seed in range(5):
      draw = draws.Draw(np.random.default_rng(seed))
      bodies = layout.rows(draw, _street(), 9.0, (-60.0, 60.0))
      bodies += layout.furnish(draw, _street(), 9.0, (-60.0, 60.0))
      self.assertGreater(len(bodies), 20)
      for body in bodies:
        pose = body.motion.pose(0.0)
        for part in body.parts:
          reach = np.abs(pose[:3, :3] @ part.rotation) @ part.size
          center = pose[:3, :3] @ part.center + pose[:3, 3]
          # Roofs, crowns of trees and lamps may reach a little over the corner.
          if part.label != 7 and center[2] < 3.0:
            self.assertGreater(abs(center[0]) - reach[0], 9.0 - 2.0)

  def _car(self, x, speed=0.0):
    box = [parts.box((-2, -1, 0), (2, 1, 1.5), "car", "paint")]
    motion = drive.Motion(drive.Path((x, 0.0, 0.0)), 0.0, speed)
    return [layout.Body(box, motion, speed > 0, 2.0)]

  def test_groups_that_would_collide_are_dropped(self):
    times = np.linspace(0, 2, 21)
    away = np.full((21, 2), 500.0)
    slow, fast, parked = self._car(20, 1.0), self._car(0, 12.0), self._car(60)
    self.assertEqual(layout.keep_apart([slow, fast], away, times, []), [slow])
    self.assertEqual(layout.keep_apart([slow, fast], away[:3], times[:3], []), [slow, fast])
    self.assertEqual(layout.keep_apart([self._car(40, 10.0)], away, times, [parked]), [])
    camera = np.stack([15 * times, 0 * times], 1)
    self.assertEqual(layout.keep_apart([slow], camera, times, []), [])


if __name__ == "__main__":
  absltest.main()
