"""Patch matches, against a loop over pixels and displacements."""

import numpy as np
import tensorflow as tf

from tf_taskology.networks import cost_volume


class PatchMatchesTest(tf.test.TestCase):
  def test_equals_a_loop(self):
    random = np.random.default_rng(0)
    first, second = random.normal(size=[2, 1, 8, 12, 3]).astype(np.float32)
    got = cost_volume.PatchMatches(2, radius=1)([first, second])
    self.assertEqual(got.shape, [1, 4, 6, 9])

    def patch(picture, y, x):
      small = picture[0].reshape(4, 2, 6, 2, 3).mean((1, 3))
      around = np.pad(small, [(1, 1), (1, 1), (0, 0)], mode="symmetric")[y : y + 3, x : x + 3]
      around = around - around.mean((0, 1))
      return around / np.linalg.norm(around)

    for y in range(4):
      for x in range(6):
        cosines = np.zeros(9)
        for i in range(9):
          v, u = y + i // 3 - 1, x + i % 3 - 1
          if 0 <= v < 4 and 0 <= u < 6:
            cosines[i] = np.sum(patch(first, y, x) * patch(second, v, u))
        powers = np.exp(10 * cosines)
        self.assertAllClose(got[0, y, x], 9 * powers / powers.sum(), rtol=1e-3, atol=1e-3)

  def test_finds_a_shift_in_any_light(self):
    picture = np.random.default_rng(1).uniform(size=[1, 16, 16, 3]).astype(np.float32)
    shifted = 0.5 * np.roll(picture, [2, 1], axis=[1, 2]) + 0.2
    matches = cost_volume.PatchMatches(1, radius=2)([picture, shifted])
    self.assertAllEqual(tf.argmax(matches[0, 4:12, 4:12], axis=-1), np.full([8, 8], 4 * 5 + 3))

  def test_nothing_known_is_one(self):
    grey = tf.fill([1, 8, 8, 3], 0.5)
    self.assertAllClose(cost_volume.PatchMatches(2)([grey, grey]), tf.ones([1, 4, 4, 49]))

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "stride and radius >= 1"):
      cost_volume.PatchMatches(4, radius=0)


if __name__ == "__main__":
  tf.test.main()
