"""Textures, materials and lights."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rooms import furniture, scene, shading, textures


class TexturesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.index, self.texels = textures.bank().index, textures.bank().texels

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


if __name__ == "__main__":
  absltest.main()
