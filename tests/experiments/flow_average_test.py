"""Tests of flow_average.py."""

import numpy as np
import tensorflow as tf

from tools.experiments import flow_average

_ROWS, _COLUMNS = 4, 8
_DEPTH, _FOCAL = 10.0, 5.0


def _read(steps, depth):
  """The camera moves right by `steps` pixels' worth a frame, before a wall at `depth`."""
  step = steps * _DEPTH / _FOCAL
  shape = (1, 3, _ROWS, _COLUMNS)
  pose = np.tile(np.eye(4, dtype=np.float32), [1, 3, 1, 1])
  pose[0, :, 0, 3] = step * np.arange(3)
  there = np.zeros((1, 4, 1, 1, 3), np.float32)
  there[0, :, 0, 0, 0] = step * np.array([-1, 1, -1, 1])  # of pairs (0, 1), (1, 0), (1, 2), (2, 1)
  intrinsics = [[_FOCAL, 0, _COLUMNS / 2], [0, _FOCAL, _ROWS / 2], [0, 0, 1]]
  return {
    "image": tf.zeros([*shape, 3], tf.uint8),
    "intrinsics": tf.tile(tf.constant([[intrinsics]], tf.float32), [1, 3, 1, 1]),
    "pose": tf.constant(pose),
    "depth": tf.constant(np.broadcast_to(depth, [*shape, 1]).astype(np.float32)),
    "rotation": tf.zeros([1, 4, 1, 1, 3]),
    "translation": tf.constant(there),
  }


class AverageTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self._values = rng.uniform(size=(1, 3, _ROWS, _COLUMNS, 2)).astype(np.float32)

  def test_means_of_what_shows_the_same_point(self):
    for ego_motion in ("given", "learned"):
      with self.subTest(ego_motion):
        found = flow_average.average(tf.constant(self._values), _read(1, _DEPTH), ego_motion, 0.05)
        before, own, after = self._values[0]
        # What is at x now was at x + 1 and will be at x - 1. Rows and columns at the end are in no view.
        expected = (own[:-1, 1:-2] + before[:-1, 2:-1] + after[:-1, :-3]) / 3
        self.assertAllClose(found[0, :-1, 1:-2], expected, atol=1e-5)
        self.assertAllClose(found[0, -1], own[-1])

  def test_another_surface_has_no_say(self):
    depth = np.full((3, _ROWS, _COLUMNS, 1), _DEPTH)
    depth[0] *= 0.5
    depth[2] *= 1.5
    found = flow_average.average(tf.constant(self._values), _read(0, depth), "given", 0.05)
    self.assertAllClose(found, self._values[:, 1])


class WithDepthTest(tf.test.TestCase):
  def test_motion_follows_the_scale_of_depth(self):
    read = _read(1, 2 * _DEPTH)
    depth = _read(1, _DEPTH)["depth"]
    found = flow_average.with_depth(read, depth)
    self.assertAllClose(found["depth"], depth)
    self.assertAllClose(found["translation"], 0.5 * read["translation"])
    self.assertAllClose(found["rotation"], read["rotation"])


if __name__ == "__main__":
  tf.test.main()
