"""Textures, materials, lights and camera effects."""

import colorsys
import dataclasses

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rooms import furniture, optics, scene, shading, textures


class TexturesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.index, self.texels, self.starts = textures.bank()

  def _sample(self, name, x, y, footprint):
    x, y = np.atleast_1d(np.float32(x)), np.atleast_1d(np.float32(y))
    number = np.full(x.shape, self.index[name])
    return textures.sample(number, x, y, np.full(x.shape, footprint, np.float32))

  def test_texel_centres_return_texels_and_the_tile_repeats(self):
    size = textures.SIZE
    image = self.texels[: len(self.index) * size * size].reshape(-1, size, size)
    rows, columns = np.array([0, 17, 255]), np.array([255, 3, 0])
    x, y = (columns + 0.5) / size, (rows + 0.5) / size
    expected = image[self.index["cloud"], rows, columns]
    np.testing.assert_allclose(self._sample("cloud", x, y, 0.0), expected, atol=1e-6)
    np.testing.assert_allclose(self._sample("cloud", x - 2, y + 3, 0.0), expected, atol=1e-4)

  def test_between_two_texels_is_their_mean(self):
    size = textures.SIZE
    left, right = (self._sample("speckle", (i + 0.5) / size, 0.5 / size, 0.0) for i in (9, 10))
    middle = self._sample("speckle", 10 / size, 0.5 / size, 0.0)
    np.testing.assert_allclose(middle, (left + right) / 2, atol=1e-5)

  def test_a_wide_footprint_sees_the_mean(self):
    size = textures.SIZE
    image = self.texels[: len(self.index) * size * size].reshape(-1, size, size)
    x = np.random.default_rng(0).random(50)
    for name in ("checker", "bricks"):
      values = self._sample(name, x, x[::-1], 1.0)
      np.testing.assert_allclose(values, image[self.index[name]].mean(), atol=0.05)


class ShadingTest(absltest.TestCase):
  def test_hsv_agrees_with_colorsys(self):
    hsv = np.random.default_rng(1).random((20, 3))
    expected = [colorsys.hsv_to_rgb(*c) for c in hsv]
    np.testing.assert_allclose(shading.hsv_to_rgb(*hsv.T), expected, atol=1e-12)

  def test_irradiance_follows_lambert(self):
    # A light 2 m above a floor point: facing 1; from 45 degrees: cosine sqrt(1/2), twice the square.
    lights = shading.Lights(
      np.array([[0.0, 0.0, 2.0]]), np.float32([[1, 2, 0]]), np.zeros(3, np.float32)
    )
    points = np.float32([[0, 2], [0, 0], [0, 0]])
    normals = np.float32([[0, 0], [0, 0], [1, 1]])
    light = shading.irradiance(lights, points, normals, np.ones((1, 2), np.float32))
    expected = np.array([1 / (0.35 + 0.3 * 4), np.sqrt(0.5) / (0.35 + 0.3 * 8)])
    np.testing.assert_allclose(light, [expected, 2 * expected, [0, 0]], rtol=1e-5)
    dark = shading.irradiance(lights, points, -normals, np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(dark, 0)

  def test_materials_without_texture_are_flat(self):
    generator = np.random.default_rng(2)
    room = scene.sample_scene(generator)
    strength = shading.Strength(texture=0.0, noise_texture=0.0)
    materials = shading.sample_materials(room, generator, strength)
    material = np.full(64, room.material[-1])
    u = generator.random(64).astype(np.float32)
    colours = shading.albedo(materials, material, u, u[::-1], np.full(64, 0.01, np.float32))
    np.testing.assert_allclose(colours, colours[:, :1].repeat(64, 1), rtol=1e-6)
    textured = shading.sample_materials(room, generator, shading.Strength())
    self.assertGreater(np.abs(textured.colour_a - textured.colour_b).max(), 0.1)

  def test_every_family_has_a_look(self):
    self.assertCountEqual(shading._LOOKS, furniture.FAMILIES)


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
