"""Tests of evaluation/box_samples.py."""

import io
import os

import numpy as np
from absl.testing import absltest, parameterized

from tests.evaluation import sweep_samples
from tf_taskology.evaluation import box_samples, evaluation


class BoxSamplesTest(parameterized.TestCase):
  def test_what_is_kept(self):
    sample = sweep_samples.sample()
    self.assertEqual((sample.sample_id, sample.num_frames), ("drive/000004", 3))
    for frame in range(3):
      # Neither padding nor the box that is withheld.
      np.testing.assert_array_equal(sample.true_boxes[frame], sweep_samples.truth(frame))
      np.testing.assert_array_equal(sample.true_tracks[frame], [1, 2])
      np.testing.assert_array_equal(sample.true_points[frame], [30, 4])
      np.testing.assert_array_equal(sample.boxes[frame][:2], sweep_samples.truth(frame))
      self.assertLen(sample.scores[frame], 3)
      self.assertEqual(sample.points[frame].shape, (250, 3))

  def test_flow_is_that_of_the_anchor_along_the_box(self):
    sample = sweep_samples.sample()
    np.testing.assert_allclose(sample.flow[0], [[3, 0, 0], [6, 0, 0]])
    np.testing.assert_allclose(sample.flow[1], np.zeros((2, 3)))

  @parameterized.parameters(0.2, np.pi - 0.2, -np.pi + 0.1)
  def test_flow_of_boxes_that_look_back_or_lie_outside(self, heading):
    flow = np.zeros((40, 40, 2, 1, 3), np.float32)
    flow[10, 25, 0], flow[10, 25, 1] = 1, 2
    boxes = np.array(
      [[5.5, -9.5, 0, 4, 2, 1.5, heading], [5.5, -9.5, 0, 4, 2, 1.5, 1.6], [25, 0, 0, 4, 2, 1.5, 0]]
    )
    found = box_samples.flow_of(boxes, flow.reshape(40, 40, -1), sweep_samples.ANCHORS)
    np.testing.assert_array_equal(found[:, 0, 0], [1, 2, np.nan])
    shared = box_samples.flow_of(boxes, flow[:, :, 0].reshape(40, 40, -1), sweep_samples.ANCHORS)
    np.testing.assert_array_equal(shared[:, 0, 0], [1, 1, np.nan])

  def test_without_labels_detector_or_flow(self):
    sample = box_samples.from_batch(sweep_samples.batch(labels=False), {}, 0)
    self.assertIsNone(sample.flow)
    self.assertEqual([len(boxes) for boxes in (*sample.true_boxes, *sample.boxes)], [0] * 6)

  def test_many_points_are_thinned_alike(self):
    batch = sweep_samples.batch()
    batch["points"] = np.random.default_rng(0).uniform(-5, 5, (1, 3, 20000, 4)).astype(np.float32)
    batch["num_points"] = np.full((1, 3), 18000)
    samples = [box_samples.from_batch(batch, {}, 0) for _ in range(2)]
    self.assertLen(samples[0].points[0], box_samples.MAX_POINTS)
    np.testing.assert_array_equal(samples[0].points[0], samples[1].points[0])

  def test_written_and_read(self):
    first = sweep_samples.evaluations()["isolated"]
    path = os.path.join(self.create_tempdir().full_path, "samples.npz")
    with open(path, "wb") as file:
      box_samples.write(file, first.sweeps, first.curves)
    (sample,), (curve,) = box_samples.read(path)
    self.assertEqual(
      (sample.sample_id, curve.name, curve.ap), ("drive/000004", "detection: 3D", 0.5)
    )
    for name in ("points", "true_boxes", "true_tracks", "true_points", "boxes", "scores"):
      for mine, theirs in zip(getattr(sample, name), getattr(first.sweeps[0], name), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(sample.flow, first.sweeps[0].flow)
    self.assertEqual(box_samples.read(path + ".none"), ((), ()))
    buffer = io.BytesIO()
    box_samples.write(buffer, (), ())

  def test_evaluations_keep_them(self):
    folder = self.create_tempdir().full_path
    found = sweep_samples.evaluations()["together"]
    evaluation.write(folder, [found])
    (read,) = evaluation.read(folder)
    self.assertEqual(read.sweeps[0].sample_id, "drive/000004")
    self.assertEqual(read.curves[0].ap, 0.8)
    evaluation.write(folder, [evaluation.Evaluation("drives", "test", {}, 0, {})])
    self.assertEqual(evaluation.read(folder)[0].sweeps, ())


if __name__ == "__main__":
  absltest.main()
