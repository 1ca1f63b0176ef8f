"""Looks, light, shadows and what is fixed to surfaces."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import (
  drive,
  layout,
  materials,
  parts,
  render,
  sampling,
  scene,
  shadows,
  styles,
  surfaces,
  textures,
)


class TexturesTest(absltest.TestCase):
  def test_they_change_smoothly_with_the_footprint(self):
    number = np.full(2000, textures.bank().index["asphalt"])
    place = np.random.default_rng(0).random((2, 2000)).astype(np.float32)
    footprint = np.geomspace(1e-3, 1.0, 2000).astype(np.float32)
    same = [textures.sample(number, *(p[:1].repeat(2000) for p in place), footprint)[:, 0]]
    self.assertLess(np.abs(np.diff(same[0])).max(), 0.02)
    wide = textures.sample(number, *place, np.ones(2000, np.float32))
    self.assertLess(wide.std(0).max(), 0.05)

  def test_every_look_has_textures(self):
    for name, look in materials.LOOKS.items():
      self.assertContainsSubset(look.patterns, textures.bank().index, name)


class LightTest(absltest.TestCase):
  def test_lambert(self):
    style = styles.street(draws.Draw(np.random.default_rng(1)), 0.0)
    sun, ambient = surfaces.light(
      np.stack([style.sun_direction, -style.sun_direction, (0.0, 0.0, 1.0)], 1), style
    )
    np.testing.assert_allclose(sun[:, 0], style.sun, rtol=1e-6)
    np.testing.assert_array_equal(sun[:, 1], 0)
    np.testing.assert_allclose(sun[:, 2], style.sun * style.sun_direction[2], rtol=1e-6)
    np.testing.assert_allclose(ambient[:, 2], style.ambient, rtol=1e-6)


class ShadowsTest(absltest.TestCase):
  def test_a_block_casts_its_outline(self):
    block = parts.box((10, -2, 0), (12, 2, 3), "building", "brick")
    body = layout.Body([block], drive.Motion(drive.Path((0, 0, 0))), False, 3)
    world = scene.assemble(sampling.World([], [body], None), [0.0], 10)
    camera = np.eye(4)
    camera[:3, :3] = np.array([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]])
    # The sun stands behind the camera at 45 degrees: 3 m of shadow beyond the block.
    sun = np.array([-1.0, 0.0, 1.0]) / np.sqrt(2)
    shadow = shadows.cast(world, sun, camera)
    x, y = np.array([9.0, 13.0, 14.0, 16.0, 13.0, 13.0]), np.array([0, 0, 1.0, 0, 3.0, -1.0])
    np.testing.assert_allclose(shadow.at(x, y), [1, 0, 0, 1, 1, 0], atol=0.01)
    # Soft within half a metre of the edge.
    self.assertBetween(float(shadow.at(np.array([15.0]), np.array([0.0]))[0]), 0.2, 0.8)

  def test_what_moves_casts_none(self):
    world, _, _ = render.sample_geometry(render.Job("street", 8, 26), "train", 1)
    self.assertTrue(np.all(world.rigid[:-1][world.casts_shadow] == 0))
    self.assertTrue(world.casts_shadow.any() and (world.rigid > 0).any())


if __name__ == "__main__":
  absltest.main()
