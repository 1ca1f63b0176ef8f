"""Tileable patterns and the bank of textures."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets.rendering import noise


class NoiseTest(parameterized.TestCase):
  def test_patterns_tile(self):
    image = noise.octaves(np.random.default_rng(0), 3, 3)
    inner = np.abs(np.diff(image, axis=0)).max(), np.abs(np.diff(image, axis=1)).max()
    self.assertLess(np.abs(image[0] - image[-1]).max(), 1.5 * inner[0])
    self.assertLess(np.abs(image[:, 0] - image[:, -1]).max(), 1.5 * inner[1])
    self.assertBetween(image.min(), 0.0, 0.01)
    self.assertBetween(image.max(), 0.99, 1.0)

  @parameterized.parameters((), (2,))
  def test_levels_are_means_and_centres_are_texels(self, *channels):
    size = noise.SIZE
    images = [np.random.default_rng(i).random((size, size, *channels)) for i in (1, 2)]
    bank = noise.pack({"a": images[0], "b": images[1]})
    place = (np.array([3.0, 200.0], np.float32) + 0.5) / size
    number, fine = np.full(2, bank.index["b"]), np.zeros(2, np.int32)
    found = noise.bilinear(bank, number, place, place[::-1], fine)
    np.testing.assert_allclose(found, images[1][[200, 3], [3, 200]], rtol=1e-4)
    half = (np.array([5.0, 100.0], np.float32) + 0.5) / (size // 2)
    found = noise.bilinear(bank, number, half, half, fine + 1)
    blocks = images[1].reshape(size // 2, 2, size // 2, 2, *channels).mean((1, 3))
    np.testing.assert_allclose(found, blocks[[5, 100], [5, 100]], rtol=1e-4)


if __name__ == "__main__":
  absltest.main()
