"""Exactness of the labels, agreement of the two views, and reproducibility."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.datasets.rendering import workers
from tf_taskology.datasets.rooms import furniture, render, shading

_PLAIN = shading.Strength(vignette=0.0, blur=0.0, noise=0.0)


def _lift(example, frame):
  """[H, W, 3] float64 points in the frame's camera, from depth and intrinsics."""
  depth = example["depth"][frame, ..., 0].astype(float)
  v, u = np.mgrid[0 : depth.shape[0], 0 : depth.shape[1]]
  rays = (
    np.stack([u, v, np.ones_like(u)], -1)
    @ np.linalg.inv(example["intrinsics"][frame].astype(float)).T
  )
  return rays * depth[..., None]


def _into_second(example):
  """Frame 0's points in frame 1: pixel position [H, W, 2] and depth [H, W]."""
  first, second = example["pose"].astype(float)
  world = _lift(example, 0) @ first[:3, :3].T + first[:3, 3]
  camera = (world - second[:3, 3]) @ second[:3, :3]
  pixels = camera @ example["intrinsics"][1].astype(float).T
  return pixels[..., :2] / pixels[..., 2:], camera[..., 2]


def _examples(domain, count, height=48, width=64, **kwargs):
  job = render.Job(domain, height, width, **kwargs)
  return [render.render(job, "train", i) for i in range(count)]


class LabelsTest(parameterized.TestCase):
  def test_normals_are_unit_and_face_the_camera(self):
    for example in _examples("simulated", 6):
      for frame in range(2):
        normals, points = example["normals"][frame].astype(float), _lift(example, frame)
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1.0, atol=1e-6)
        self.assertLess(np.max((normals * points).sum(-1)), 0.0)
        self.assertGreater(example["depth"].min(), 0.4)

  def test_normals_agree_with_depth(self):
    errors = []
    for example in _examples("simulated", 6):
      for frame in range(2):
        points, normals = _lift(example, frame), example["normals"][frame].astype(float)
        right = points[1:-1, 2:] - points[1:-1, :-2]
        down = points[2:, 1:-1] - points[:-2, 1:-1]
        lifted = np.cross(down, right)
        lifted /= np.linalg.norm(lifted, axis=-1, keepdims=True)
        middle = normals[1:-1, 1:-1]
        smooth = np.ones(middle.shape[:2], bool)
        for dy in (-1, 0, 1):
          for dx in (-1, 0, 1):
            moved = np.roll(normals, (dy, dx), (0, 1))[1:-1, 1:-1]
            smooth &= (moved * middle).sum(-1) > 0.99
            # A step in depth between parallel faces is an edge as well.
            offset = np.roll(points, (dy, dx), (0, 1))[1:-1, 1:-1] - points[1:-1, 1:-1]
            smooth &= np.abs((offset * middle).sum(-1)) < 0.01
        cosine = np.clip((lifted * middle).sum(-1), -1, 1)[smooth]
        errors.append(np.degrees(np.arccos(cosine)))
        self.assertGreater(smooth.mean(), 0.3)
    self.assertLess(np.mean(np.concatenate(errors)), 0.5)

  def test_depth_of_one_view_predicts_the_other(self):
    checked = 0
    for example in _examples("sensor", 6):
      at, depth = _into_second(example)
      # Where the point falls, surface and normal of frame 1 give its exact depth along that ray.
      nearest = np.rint(at).astype(int)
      height, width = depth.shape
      inside = ((nearest >= 0) & (nearest < (width, height))).all(-1) & (depth > 0)
      x, y = nearest[inside].T
      k = example["intrinsics"][1].astype(float)
      rays = np.concatenate([at, np.ones_like(at[..., :1])], -1) @ np.linalg.inv(k).T
      points, normals = _lift(example, 1)[y, x], example["normals"][1][y, x].astype(float)
      predicted = (points * normals).sum(-1) / (rays[inside] * normals).sum(-1)
      same = np.abs(predicted - depth[inside]) < 0.001
      # Not hidden in frame 1, not curved, not at an edge.
      turn = example["pose"][1][:3, :3].T @ example["pose"][0][:3, :3]
      turned = example["normals"][0][inside] @ turn.T
      comparable = (np.abs(predicted - depth[inside]) < 0.05) & (
        (turned * normals).sum(-1) > 0.9999
      )
      checked += comparable.sum()
      self.assertGreater(same[comparable].mean(), 0.97)
    self.assertGreater(checked, 6 * 48 * 64 * 0.5)

  def test_all_classes_occur_and_nothing_else(self):
    counts = np.zeros(256, int)
    for example in _examples("simulated", 30, 24, 32):
      counts += np.bincount(example["segmentation"].ravel(), minlength=256)
    classes = len(furniture.CLASSES)
    self.assertTrue(np.all(counts[:classes] > 0), counts[:classes])
    self.assertEqual(counts[classes:].sum(), 0)

  def test_large_and_small_images_show_the_same_room(self):
    small = render.render(render.Job("simulated", 24, 32), "train", 3)
    large = render.render(render.Job("simulated", 72, 96), "train", 3)
    # The middle pixel of each block of 3x3 has the same centre as the small image's pixel.
    np.testing.assert_allclose(large["depth"][:, 1::3, 1::3], small["depth"], rtol=1e-5)
    np.testing.assert_array_equal(large["segmentation"][:, 1::3, 1::3], small["segmentation"])


class AppearanceTest(absltest.TestCase):
  def test_views_agree_in_colour(self):
    for example in _examples("sensor", 4, 96, 128, strength=_PLAIN):
      at, depth = _into_second(example)
      nearest = np.rint(at).astype(int)
      height, width = depth.shape
      inside = ((nearest >= 0) & (nearest < (width, height))).all(-1)
      x, y = nearest[inside].T
      visible = np.abs(example["depth"][1, y, x, 0] - depth[inside]) < 0.03
      first = example["image"][0][inside].astype(float)[visible]
      second = example["image"][1, y, x].astype(float)[visible]
      shuffled = np.random.default_rng(0).permutation(second)
      error, chance = np.abs(first - second).mean(), np.abs(first - shuffled).mean()
      self.assertLess(error, 0.35 * chance)

  def test_sensor_differs_from_simulated(self):
    simulated, sensor = (_examples(domain, 8) for domain in render.DOMAINS)

    def roughness(examples):
      # Mean colour step to the right neighbour on smooth surfaces.
      steps = []
      for e in examples:
        same = (np.abs(np.diff(e["normals"], axis=2)).max(-1) < 1e-5) & (
          np.diff(e["segmentation"][..., 0].astype(int), axis=2) == 0
        )
        steps.append(np.abs(np.diff(e["image"].astype(float), axis=2)).mean(-1)[same])
      return np.mean(np.concatenate(steps))

    self.assertGreater(roughness(sensor), 3 * roughness(simulated))
    self.assertGreater(np.abs(simulated[0]["depth"] - sensor[0]["depth"]).max(), 0.1)
    depths = [np.median([e["depth"] for e in examples]) for examples in (simulated, sensor)]
    self.assertLess(abs(np.log(depths[0] / depths[1])), 0.35)

  def test_strength_leaves_geometry_alone(self):
    plain, full = (_examples("sensor", 1, 24, 32, strength=s)[0]
                   for s in (_PLAIN, shading.Strength()))  # fmt: skip
    np.testing.assert_array_equal(plain["depth"], full["depth"])
    self.assertGreater(np.abs(plain["image"].astype(int) - full["image"]).max(), 3)


class ReproducibilityTest(parameterized.TestCase):
  def _equal(self, first, second):
    self.assertEqual(list(first), list(second))
    for name, value in first.items():
      np.testing.assert_array_equal(value, second[name], err_msg=name)

  @parameterized.parameters(*render.DOMAINS)
  def test_same_bytes_for_the_same_seed_and_any_workers(self, domain):
    job = render.Job(domain, 16, 24, seed=3)
    alone = list(workers.render_split(render, job, "test", 17, num_workers=1))
    together = list(workers.render_split(render, job, "test", 17, num_workers=2))
    self.assertLen(together, 17)
    for first, second in zip(alone, together, strict=True):
      self._equal(first, second)
    self._equal(alone[5], render.render(job, "test", 5))

  def test_seeds_splits_and_domains_are_disjoint(self):
    depths = {}
    for seed in (0, 1):
      for domain in render.DOMAINS:
        for split in render.SPLITS:
          for index in range(3):
            example = render.render(render.Job(domain, 8, 12, seed), split, index)
            self.assertEqual(example["sample_id"], f"rooms/{domain}/{split}/{index:06d}")
            depths[example["depth"].tobytes()] = (seed, domain, split, index)
    self.assertLen(depths, 2 * 2 * 3 * 3)

  @parameterized.parameters(
    ({"domain": "real"}, "domain is 'real'"),
    ({"height": 4}, "4x12"),
    ({"seed": -1}, "seed is -1"),
  )
  def test_bad_jobs_are_refused(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      render.Job(**{"domain": "sensor", "height": 8, "width": 12, **changes})


if __name__ == "__main__":
  absltest.main()
