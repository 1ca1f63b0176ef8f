"""Tables of worlds: materials, bodies that move, limits."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import drive, layout, materials, parts, render, sampling, scene


class ScenesTest(absltest.TestCase):
  def test_every_look_and_label_is_known(self):
    for index in range(6):
      for domain, frames in (("street", 3), ("stills", 1)):
        world, _, _ = render.sample_geometry(render.Job(domain, 8, 26, frames), "train", index)
        self.assertContainsSubset(world.families, materials.LOOKS)
        self.assertEqual(world.first_face[-1], len(world.material))

  def test_limbs_wear_what_their_trunk_wears(self):
    motion = drive.Motion(drive.Path((5, 0, 0)), 0, 1.5)
    bodies = layout.walker(draws.Draw(np.random.default_rng(0)), motion)
    self.assertLen(bodies, 5)
    world = scene.assemble(sampling.World([], bodies, None), [0.0, 0.1], 10)
    self.assertEqual(world.families.count("cloth"), len({
      part.slot for body in bodies for part in body.parts if "cloth" in part.looks
    }))  # fmt: skip
    self.assertEqual(world.rigid_pose.shape, (2, 6, 4, 4))

  def test_too_many_moving_bodies_are_refused(self):
    motion = drive.Motion(drive.Path((5, 0, 0)), 0, 1.5)
    ball = [parts.ellipsoid((0, 0, 1), (1, 1, 1), "car", "paint")]
    bodies = [layout.Body(ball, motion, True, 1.0)] * (scene.MAX_RIGID + 1)
    with self.assertRaisesRegex(ValueError, "251 bodies move; at most 250"):
      scene.assemble(sampling.World([], bodies, None), [0.0], 10)


if __name__ == "__main__":
  absltest.main()
