"""What a camera does to a picture."""

import dataclasses

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rendering import optics


class OpticsTest(absltest.TestCase):
  def _camera(self, **changes):
    plain = optics.Optics(np.ones(3, np.float32), 0.25, 0.5, 0.0, 0.0, 0.0)
    return dataclasses.replace(plain, **changes)

  def test_a_grey_picture_comes_out_at_the_aimed_brightness(self):
    light = np.full((2, 3, 8, 8), 0.7, np.float32)
    image = optics.develop(light, self._camera(), np.random.default_rng(0))
    np.testing.assert_array_equal(image, round(255 * 0.25**0.5))
    cast = self._camera(gains=np.float32([1.2, 1.0, 0.8]))
    image = optics.develop(light, cast, np.random.default_rng(0))
    expected = [round(255 * (0.25 * g) ** 0.5) for g in (1.2, 1.0, 0.8)]
    np.testing.assert_array_equal(image[0, 0, 0], expected)

  def test_vignette_blur_and_noise(self):
    light = np.full((1, 3, 48, 64), 0.5, np.float32)
    dim = optics.develop(light, self._camera(vignette=0.4), np.random.default_rng(0))
    self.assertLess(dim[0, 0, 0, 0], 0.85 * dim[0, 24, 32, 0])
    light[..., ::2] = 0.1
    sharp = optics.develop(light, self._camera(), np.random.default_rng(0))
    soft = optics.develop(light, self._camera(blur=1.0), np.random.default_rng(0))
    self.assertLess(soft.astype(float).std(), 0.3 * sharp.astype(float).std())
    flat = np.full((1, 3, 48, 64), 0.5, np.float32)
    noisy = optics.develop(flat, self._camera(noise=0.04), np.random.default_rng(0))
    # At half of full scale the noise is 0.04 * (0.5 + 0.5 * 0.5).
    np.testing.assert_allclose(noisy.astype(float).std() / 255, 0.03, rtol=0.05)


if __name__ == "__main__":
  absltest.main()
