"""The convention of labels: pixels warp exactly by depth, pose and object motion, both ways."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.datasets.streets import classes, motion, raycast, render, scene


def _warp(example, i, j, field):
  """z' p' = K' R K^-1 z p + K' (m + T): positions [H, W, 2] and depths [H, W] in frame j."""
  depth = example["depth"][i, ..., 0].astype(float)
  v, u = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]]
  k, k2 = example["intrinsics"][[i, j]].astype(float)
  first, second = example["pose"][[i, j]].astype(float)
  rotation = second[:3, :3].T @ first[:3, :3]
  translation = second[:3, :3].T @ (first[:3, 3] - second[:3, 3])
  points = depth[..., None] * (np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(k).T)
  moved = (points @ rotation.T + field + translation) @ k2.T
  z = moved[..., 2]
  return moved[..., :2] / np.where(z > 0, z, 1.0)[..., None], z


def _seen(job, index, j, at, wanted):
  """Depth, part and rigid body that rays at positions `at` [H, W, 2] meet in frame j.

  Rays are cast anew, so that nothing is interpolated. `wanted` [H, W] bool: rays to cast.
  """
  world, poses, intrinsics = render.sample_geometry(job, "train", index)
  view = raycast.look(world, j, poses[j], intrinsics, job.height, job.width)
  u, v = at[wanted].T
  best, part = np.zeros(u.shape), np.full(u.shape, raycast.SKY)
  for number in view.order:
    hit = raycast.intersect(view, number, u, v)
    if hit is not None:
      part = np.where(hit[0] > best, number, part)
      best = np.maximum(best, hit[0])
  return 1 / np.maximum(best, 1e-9), world.rigid[part], world


class MotionTest(parameterized.TestCase):
  @parameterized.parameters((0, 1), (1, 2), (2, 1), (1, 0))
  def test_warped_points_lie_on_the_surface_they_belong_to(self, i, j):
    moving = still = 0
    for index in range(3):
      job = render.Job("street", 32, 104)
      example = render.render(job, "train", index)
      field = motion.object_motion(example, j - i).numpy()
      at, depth = _warp(example, i, j, field[i])
      inside = ((at > -0.5) & (at < (103.5, 31.5))).all(-1)
      wanted = inside & (depth > 0.5) & (example["depth"][i, ..., 0] > 0)
      found, rigid, _ = _seen(job, index, j, at, wanted)
      error = found - depth[wanted]
      own = example["rigid"][i, ..., 0][wanted]
      # A point is hidden where something nearer is met; else its own surface must be there.
      visible = error > -0.001
      hidden = ~visible & (rigid != own)
      # Rays that graze a surface turn a hair of rounding into more depth.
      right = np.abs(error) < 0.001 + 1e-5 * depth[wanted]
      for mine, name in ((own == 0, "still"), (own > 0, "moving")):
        if mine.sum() > 10:
          self.assertGreater(np.mean(right[mine & visible]), 0.985, f"{name} of example {index}")
      self.assertLess(np.mean(~right & ~hidden), 0.1)
      moving += (own > 0).sum()
      still += (own == 0).sum()
    self.assertGreater(moving, 150)
    self.assertGreater(still, 4000)

  def test_a_point_and_its_image_are_the_same_point_of_the_body(self):
    job = render.Job("street", 32, 104)
    for index in range(3):
      example = render.render(job, "train", index)
      rigid = example["rigid"][0, ..., 0]
      forward = motion.object_motion(example, 1).numpy()[0]
      # The label is in the axes of frame 1.
      there = forward @ example["pose"][1, :3, :3].T
      for body in np.unique(rigid[rigid > 0]):
        a, b = example["rigid_pose"][0, body], example["rigid_pose"][1, body]
        pixels = rigid == body
        v, u = np.nonzero(pixels)
        k = example["intrinsics"][0].astype(float)
        ray = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(k).T
        points = ray * example["depth"][0][pixels].astype(float)
        world = points @ example["pose"][0, :3, :3].T + example["pose"][0, :3, 3]
        local = (world - a[:3, 3]) @ a[:3, :3]
        np.testing.assert_allclose(local @ b[:3, :3].T + b[:3, 3] - world, there[pixels], atol=2e-4)

  def test_frames_without_neighbour_are_missing_and_the_rest_is_not(self):
    example = render.render(render.Job("street", 24, 80), "train", 0)
    ahead, back = (motion.object_motion(example, step).numpy() for step in (1, -1))
    self.assertTrue(np.isnan(ahead[2]).all() and np.isnan(back[0]).all())
    self.assertTrue(np.isfinite(ahead[:2]).all() and np.isfinite(back[1:]).all())
    np.testing.assert_array_equal(ahead[:2][example["rigid"][:2, ..., 0] == 0], 0)

  def test_only_movable_classes_move(self):
    for index in range(4):
      example = render.render(render.Job("street", 24, 80), "train", index)
      moves = example["segmentation"][example["rigid"] > 0]
      self.assertTrue(np.isin(moves, classes.MOVABLE_IDS).all())
      self.assertEqual(example["rigid_pose"].shape, (3, scene.MAX_RIGID + 1, 4, 4))
      self.assertTrue((example["depth"] == 0).any() or index)
      sky = example["segmentation"] == classes.IDS["sky"]
      np.testing.assert_array_equal(example["depth"] == 0, sky)


if __name__ == "__main__":
  tf.test.main()
