"""Exactness of labels, agreement of frames in colour, and reproducibility."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets.rendering import workers
from tf_taskology.datasets.streets import classes, raycast, render


def _bilinear(image: np.ndarray, at: np.ndarray) -> np.ndarray:
  height, width = image.shape[:2]
  x, y = np.clip(at[..., 0], 0, width - 1.001), np.clip(at[..., 1], 0, height - 1.001)
  x0, y0 = x.astype(int), y.astype(int)
  fx, fy = (x - x0)[..., None], (y - y0)[..., None]
  top = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
  return top * (1 - fy) + (image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx) * fy


def _into_next(example):
  """Where what stands still in frame 0 is seen in frame 1: [H, W, 2] pixels, [H, W] depth."""
  depth = example["depth"][0, ..., 0].astype(float)
  v, u = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]]
  k = example["intrinsics"][0].astype(float)
  points = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(k).T * depth[..., None]
  first, second = example["pose"][:2].astype(float)
  world = points @ first[:3, :3].T + first[:3, 3]
  camera = (world - second[:3, 3]) @ second[:3, :3] @ k.T
  return camera[..., :2] / np.maximum(camera[..., 2:], 1e-6), camera[..., 2]


class LabelsTest(absltest.TestCase):
  def test_depth_and_classes_are_those_of_rays_through_the_centres(self):
    job = render.Job("street", 24, 78)
    example = render.render(job, "train", 2)
    world, poses, intrinsics = render.sample_geometry(job, "train", 2)
    view = raycast.look(world, 1, poses[1], intrinsics, job.height, job.width)
    v, u = np.mgrid[0 : job.height, 0 : job.width].astype(float)
    best, part = np.zeros(u.shape), np.full(u.shape, raycast.SKY)
    for index in range(len(world.parts)):
      hit = raycast.intersect(view, index, u, v)
      if hit is not None:
        part = np.where(hit[0] > best, index, part)
        best = np.maximum(best, hit[0])
    seen = part != raycast.SKY
    np.testing.assert_allclose(example["depth"][1, ..., 0][seen], 1 / best[seen], rtol=1e-6)
    np.testing.assert_array_equal(example["segmentation"][1, ..., 0], world.label[part])

  def test_all_classes_occur_and_nothing_else(self):
    counts = np.zeros(256, int)
    for domain, frames in (("street", 1), ("stills", 1)):
      for index in range(10):
        example = render.render(render.Job(domain, 24, 78, frames), "train", index)
        counts += np.bincount(example["segmentation"].ravel(), minlength=256)
    ids = [c.id for c in classes.CLASSES]
    self.assertTrue(np.all(counts[ids] > 0), dict(zip(ids, counts[ids], strict=True)))
    self.assertEqual(counts.sum(), counts[ids].sum())

  def test_large_and_small_images_show_the_same_street(self):
    small = render.render(render.Job("street", 16, 52, 1), "train", 3)
    large = render.render(render.Job("street", 48, 156, 1), "train", 3)
    # The middle pixel of each block of 3x3 has the same centre as the small image's pixel.
    np.testing.assert_allclose(large["depth"][:, 1::3, 1::3], small["depth"], rtol=1e-5)
    np.testing.assert_array_equal(large["segmentation"][:, 1::3, 1::3], small["segmentation"])


class AppearanceTest(absltest.TestCase):
  def test_frames_agree_in_colour_where_nothing_hides(self):
    errors, steps = [], []
    for index in (2, 3, 5):
      example = render.render(render.Job("street", 64, 208, noise=0.0), "train", index)
      at, depth = _into_next(example)
      images = example["image"].astype(float) / 255
      inside = ((at >= 0) & (at <= (206, 62))).all(-1) & (depth > 0.5)
      there = _bilinear(example["depth"][1].astype(float), at)[..., 0]
      visible = inside & (np.abs(there - depth) < 0.01 * depth) & (example["rigid"][0, ..., 0] == 0)
      self.assertGreater(visible.mean(), 0.3)
      errors.append(np.abs(_bilinear(images[1], at) - images[0]).mean(-1)[visible])
      steps.append(np.abs(images[1] - images[0]).mean(-1)[visible])
    errors, steps = np.concatenate(errors), np.concatenate(steps)
    self.assertLess(np.median(errors), 0.006)
    self.assertLess(errors.mean(), 0.015)
    self.assertLess(errors.mean(), 0.35 * steps.mean())

  def test_noise_is_as_strong_as_asked_for(self):
    clean, noisy = (
      render.render(render.Job("street", 32, 104, 1, noise=n), "train", 1)["image"].astype(float)
      for n in (0.0, 0.04)
    )
    # At value x the noise is 0.04 (0.5 + 0.5 x); mid greys prevail.
    self.assertBetween(np.std(noisy - clean) / 255, 0.025, 0.035)

  def test_stills_are_of_another_style(self):
    def spread(domain):
      images = [render.render(render.Job(domain, 16, 52, 1), "train", i)["image"] for i in range(8)]
      return np.std([image.reshape(-1, 3).mean(0) for image in images], axis=0).mean()

    self.assertGreater(spread("stills"), 1.3 * spread("street"))


class ReproducibilityTest(parameterized.TestCase):
  def test_same_bytes_for_the_same_seed_and_any_workers(self):
    job = render.Job("street", 8, 26, seed=3)
    alone = list(workers.render_split(render, job, "test", 17, num_workers=1))
    together = list(workers.render_split(render, job, "test", 17, num_workers=2))
    self.assertLen(together, 17)
    for first, second in zip(alone, together, strict=True):
      self.assertEqual(list(first), list(second))
      for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)

  def test_seeds_splits_and_domains_are_disjoint(self):
    depths = set()
    for seed in (0, 1):
      for domain in render.DOMAINS:
        for split in render.SPLITS:
          for index in range(2):
            example = render.render(render.Job(domain, 8, 26, 1, seed), split, index)
            self.assertEqual(example["sample_id"], f"streets/{domain}/{split}/{index:06d}")
            depths.add(example["depth"].tobytes())
    self.assertLen(depths, 2 * 2 * 3 * 2)

  def test_longer_drives_begin_like_short_ones(self):
    poses = render.sample_geometry(render.Job("street", 8, 26, 12), "train", 4)[1]
    short = render.sample_geometry(render.Job("street", 8, 26, 3), "train", 4)[1]
    np.testing.assert_array_equal(poses[:3], short)
    self.assertLen(poses, 12)

  @parameterized.parameters(
    ({"domain": "real"}, "domain is 'real'"),
    ({"height": 4}, "4x26"),
    ({"seed": -1}, "seed is -1"),
    ({"noise": -0.1}, "noise is -0.1"),
    ({"frames": 0}, "frames is 0"),
    ({"frames": 61}, "frames is 61; expected 1 to 60"),
    ({"domain": "stills"}, "frames is 3; expected 1"),
  )
  def test_bad_jobs_are_refused(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      render.Job(**{"domain": "street", "height": 8, "width": 26, **changes})


if __name__ == "__main__":
  absltest.main()
