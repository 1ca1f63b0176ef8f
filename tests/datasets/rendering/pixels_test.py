"""Colours and edges."""

import colorsys

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rendering import pixels


class PixelsTest(absltest.TestCase):
  def test_hsv_agrees_with_colorsys(self):
    hsv = np.random.default_rng(1).random((20, 3))
    expected = [colorsys.hsv_to_rgb(*c) for c in hsv]
    np.testing.assert_allclose(pixels.hsv_to_rgb(*hsv.T), expected, atol=1e-12)

  def test_edges_are_on_both_sides_of_a_step(self):
    key = np.zeros((1, 4, 5), int)
    key[0, :, 3:] = 7
    expected = np.zeros((1, 4, 5), bool)
    expected[0, :, 2:4] = True
    np.testing.assert_array_equal(pixels.near_edge(key), expected)
    # Steps across another border do not count.
    self.assertFalse(pixels.near_edge(key, only_within=key).any())


if __name__ == "__main__":
  absltest.main()
