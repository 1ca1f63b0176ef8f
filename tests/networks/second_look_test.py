"""Tests of networks/second_look.py: planted shifts and turns of a picture that is known everywhere."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.geometry import rotations
from tf_taskology.networks import second_look

_HEIGHT, _WIDTH, _FOCAL, _CELL = 64, 96, 0.7, 16
_GRID = np.meshgrid(np.arange(_WIDTH, dtype=np.float64), np.arange(_HEIGHT, dtype=np.float64))


def picture(x, y):
  """Waves of 25 to 60 pixels, in colour, [H, W, 3]."""
  waves = [
    np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length + angle)
    for angle, length in ((0.1, 33.0), (1.3, 41.0), (2.2, 25.0), (2.9, 60.0), (0.7, 28.0))
  ]
  grey = 120 + 20 * sum(waves)
  return np.stack([grey, 0.8 * grey, 1.1 * grey], axis=-1)


def seen_after(angles):
  """Where a camera that has turned sees what is at the grid's places after the turn, before it: (x, y)."""
  middle, focal = ((_WIDTH - 1) / 2, (_HEIGHT - 1) / 2), _FOCAL * _WIDTH
  rays = np.stack(
    [(_GRID[0] - middle[0]) / focal, (_GRID[1] - middle[1]) / focal, np.ones_like(_GRID[0])]
  )
  matrix = rotations.matrix_from_angles(tf.constant(angles, tf.float64)).numpy()
  x, y, z = np.einsum("ji,jhw->ihw", matrix, rays)
  return x / z * focal + middle[0], y / z * focal + middle[1]


def looked_at(second, angles=(0.0, 0.0, 0.0), scales=(1, 2, 4), first=None):
  """[rows, columns, scales, 5] of the picture, or `first`, and `second`."""
  first = picture(*_GRID) if first is None else first
  layer = second_look.TurnedShifts(_FOCAL, _CELL, scales)
  pair = np.concatenate([first, second], axis=-1)[np.newaxis].astype(np.float32)
  found = layer([tf.constant(pair), tf.reshape(tf.constant(angles, tf.float32), [1, 1, 1, 3])])
  return found.numpy()[0].reshape([_HEIGHT // _CELL, _WIDTH // _CELL, len(scales), 5])


class SecondLookTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters((0.3, -0.2), (-0.6, 0.1), (1.0, 0.8))
  def test_finds_shifts_of_parts_of_a_pixel(self, x, y):
    found = looked_at(picture(_GRID[0] - x, _GRID[1] - y))[..., :2]
    self.assertAllClose(found, np.broadcast_to([x, y], found.shape), atol=0.05, rtol=0.4)
    self.assertAllClose(found.mean((0, 1)), np.broadcast_to([x, y], [3, 2]), atol=0.01, rtol=0.15)

  def test_coarse_scales_find_larger_shifts(self):
    found = looked_at(picture(_GRID[0] - 3.0, _GRID[1]))[..., 0]
    self.assertAllClose(found[..., 2], np.full([4, 6], 3.0), atol=0.6)
    self.assertAllInRange(np.abs(found[..., 0]), 0, 2)

  @parameterized.parameters(((0.0, 0.06, 0.0),), ((0.02, -0.05, 0.03),))
  def test_nothing_is_left_of_a_turn_that_is_known(self, angles):
    second = picture(*seen_after(angles))
    # What is at the edge is not in both pictures.
    rest = looked_at(second, angles)[1:-1, 1:-1, :, :2]
    self.assertLess(np.abs(rest).max(), 0.25)
    self.assertLess(np.abs(rest).mean(), 0.08)
    self.assertGreater(np.abs(looked_at(second)[..., 2, :2]).mean(), 1.0)

  def test_what_is_left_is_the_error_of_the_turn(self):
    second = picture(*seen_after((0.0, 0.05, 0.0)))
    rest = looked_at(second, (0.0, 0.045, 0.0))[1:-1, 1:-1, 1, 0]
    self.assertAllClose(rest.mean(), 0.005 * _FOCAL * _WIDTH, rtol=0.15)

  def test_light_makes_no_difference(self):
    second = picture(_GRID[0] - 0.4, _GRID[1])
    plain, bright = looked_at(second), looked_at(1.4 * second + 12.0)
    self.assertAllClose(plain[..., :2], bright[..., :2], atol=0.05)

  def test_flat_pictures_and_impossible_turns_give_numbers(self):
    flat = np.full([_HEIGHT, _WIDTH, 3], 80.0)
    self.assertAllEqual(looked_at(flat, first=flat)[..., :2], np.zeros([4, 6, 3, 2]))
    self.assertTrue(np.isfinite(looked_at(flat, (0.0, 3.0, 0.0))).all())

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "focal length"):
      second_look.TurnedShifts(0.0, 16)
    with self.assertRaisesRegex(ValueError, "divide cell"):
      second_look.TurnedShifts(0.6, 16, (1, 3))


if __name__ == "__main__":
  tf.test.main()
