import itertools

import numpy as np
from absl.testing import absltest, parameterized

from tests.geometry import polygons
from tf_taskology.datasets.sweeps import render, sensor

_SENSOR = sensor.Sensor(beams=16, azimuths=180)
_EXACT = render.Job(sensor=sensor.Sensor(beams=16, azimuths=180, noise=0.0))


def in_box(points, box, margin=1e-3):
  away = points[:, :3] - box[:3]
  cosine, sine = np.cos(box[6]), np.sin(box[6])
  local = np.stack(
    [away[:, 0] * cosine + away[:, 1] * sine, away[:, 1] * cosine - away[:, 0] * sine, away[:, 2]],
    1,
  )
  return np.all(np.abs(local) <= box[3:6] / 2 + margin, axis=1)


class RenderTest(parameterized.TestCase):
  def test_the_same_job_gives_the_same_bytes_and_others_do_not(self):
    job = render.Job(sensor=_SENSOR)
    one, same = render.render(job, "train", 4), render.render(job, "train", 4)
    for name, value in one.items():
      np.testing.assert_array_equal(value, same[name])
    self.assertEqual(one["sample_id"], "sweeps/train/000004")
    for other in (
      render.render(job, "test", 4),
      render.render(job, "train", 5),
      render.render(render.Job(seed=1, sensor=_SENSOR), "train", 4),
    ):
      self.assertFalse(np.array_equal(one["boxes"], other["boxes"]))

  def test_points_of_vehicles_lie_in_their_boxes(self):
    for index in range(3):
      example = render.render(_EXACT, "train", index)
      for frame in range(3):
        points = example["points"][frame, : example["num_points"][frame]]
        self.assertFalse(np.any(example["points"][frame, example["num_points"][frame] :]))
        there = example["classes"][frame] > 0
        for box, count in zip(
          example["boxes"][frame][there], example["box_points"][frame][there], strict=True
        ):
          raised = box.copy()
          raised[2], raised[5] = box[2] + 0.06, box[5] - 0.12  # above the ground around it
          self.assertGreaterEqual(np.sum(in_box(points, box)), count)
          self.assertLessEqual(np.sum(in_box(points, raised)), count)
      self.assertGreater(example["box_points"].sum(), 100)

  def test_tracks_are_the_same_vehicles_and_nothing_overlaps(self):
    for index in range(4):
      example = render.render(_EXACT, "validation", index)
      moving = 0
      for frame in range(3):
        kept = example["classes"][frame] > 0
        boxes = example["boxes"][frame][kept]
        distance = np.hypot(boxes[:, 0], boxes[:, 1])
        self.assertTrue(np.all(np.diff(distance) >= 0))
        for i in range(len(boxes)):
          near = [j for j in range(i) if np.hypot(*(boxes[i] - boxes[j])[:2]) < 10]
          for j in near:
            self.assertEqual(polygons.intersection(boxes[i], boxes[j]), 0)
        own = [0, 0, 0.8, 4.8, 2, 1.6, 0]
        self.assertEqual(max(polygons.intersection(own, box) for box in boxes), 0)
      place = {}
      for frame in range(3):
        pose = example["pose"][frame].astype(np.float64)
        for box, track in zip(example["boxes"][frame], example["tracks"][frame], strict=True):
          if track:
            world = pose[:3, :3] @ box[:3] + pose[:3, 3]
            place.setdefault(int(track), []).append((frame, world, box[3:6]))
      for seen in place.values():
        for (_, a, size), (_, b, other) in itertools.pairwise(seen):
          np.testing.assert_array_equal(size, other)
          self.assertLess(np.linalg.norm(a - b), 0.5 * 17 * 2)
          moving += np.linalg.norm(a - b) > 0.3
      self.assertGreater(moving, 2)
      still = sum(np.linalg.norm(s[0][1] - s[-1][1]) < 1e-3 for s in place.values())
      self.assertGreater(still, 3)

  def test_poses_bring_the_ground_to_the_ground(self):
    example = render.render(_EXACT, "train", 0)
    pose = example["pose"].astype(np.float64)
    self.assertGreater(np.linalg.norm(pose[2, :3, 3] - pose[0, :3, 3]), 1)
    rotation = pose[:, :3, :3]
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), [np.eye(3)] * 3, atol=1e-6)
    slope = render.sample_scene(_EXACT, "train", 0).slope
    for frame in range(3):
      points = example["points"][frame, : example["num_points"][frame], :3]
      points = points @ rotation[frame].T + pose[frame, :3, 3]
      height = points[:, 2] - points[:, :2] @ slope
      self.assertGreater(height.min(), -1e-3)
      self.assertGreater(np.mean(np.abs(height) < 1e-3), 0.3)

  def test_noise_and_dropout(self):
    clean = render.render(render.Job(sensor=sensor.Sensor(16, 180, noise=0, dropout=0)), "test", 1)
    count = clean["num_points"].sum()
    half = render.render(render.Job(sensor=sensor.Sensor(16, 180, dropout=0.5)), "test", 1)
    self.assertBetween(half["num_points"].sum() / count, 0.4, 0.52)
    noisy = render.render(
      render.Job(sensor=sensor.Sensor(16, 180, noise=0.1, dropout=0)), "test", 1
    )
    np.testing.assert_array_equal(noisy["num_points"], clean["num_points"])
    n = clean["num_points"][0]
    centre = [0, 0, sensor.HEIGHT]
    ranges = [np.linalg.norm(e["points"][0, :n, :3] - centre, axis=1) for e in (noisy, clean)]
    self.assertBetween(np.std(ranges[0] - ranges[1]), 0.09, 0.11)
    self.assertLess(abs(np.mean(ranges[0] - ranges[1])), 0.01)

  @parameterized.parameters(
    ({"frames": 0}, "frames is 0"),
    ({"interval": 0.0}, "interval is 0"),
    ({"seed": -1}, "seed is -1"),
  )
  def test_bad_jobs_are_refused(self, fields, message):
    with self.assertRaisesRegex(ValueError, message):
      render.Job(**fields)

  def test_bad_sensors_are_refused(self):
    with self.assertRaisesRegex(ValueError, "dropout is 1"):
      sensor.Sensor(dropout=1.0)


if __name__ == "__main__":
  absltest.main()
