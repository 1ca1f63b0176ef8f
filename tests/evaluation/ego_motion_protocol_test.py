"""Tests of ego-motion errors on drives whose errors are known."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.evaluation import drives
from tf_taskology.evaluation import ego_motion_protocol, trajectory


def _straight(speeds):
  """Poses of a drive straight ahead, steps of these lengths in metres."""
  poses = np.tile(np.eye(4), (len(speeds) + 1, 1, 1))
  poses[1:, 2, 3] = np.cumsum(speeds)
  return poses


def _run(protocol, poses, predicted_poses=None, scale=1.0, first=0):
  """Feeds one drive, as overlapping samples of 3 frames, in batches of 2."""
  fields = drives.fields(poses, first)
  predicted = drives.fields(poses if predicted_poses is None else predicted_poses)["pose"]
  answers = drives.predictions(predicted.astype(np.float64), scale)
  for i in range(0, len(predicted), 2):
    protocol.update(*({n: v[i : i + 2] for n, v in d.items()} for d in (fields, answers)))


class EgoMotionProtocolTest(parameterized.TestCase):
  def test_exact_motion_has_no_error(self):
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment="none")
    _run(protocol, drives.curve(1.0, 0.05))
    result = protocol.result()
    self.assertLess(result["ate"], 1e-5)
    self.assertLess(result["rpe_translation"], 1e-5)
    self.assertLess(result["rpe_rotation"], 1e-4)
    self.assertEqual(list(result), list(protocol.metrics))
    self.assertGreater(result["constant_rpe_rotation"], 1.0)

  @parameterized.parameters("forward", "backward", "average")
  def test_samples_that_overlap_are_one_sequence(self, direction):
    truth, path = drives.curve(1.0, 0.02), drives.curve(0.5, 0.025)
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment="similarity", direction=direction)
    _run(protocol, truth, path)
    rotation, shift, scale = trajectory.umeyama(truth[:, :3, 3], path[:, :3, 3], True)
    ate = trajectory.position_rmse(truth[:, :3, 3], scale * path[:, :3, 3] @ rotation.T + shift)
    self.assertAlmostEqual(protocol.result()["ate"], ate, places=5)
    self.assertEqual(protocol.num_images, 8)
    [shown] = protocol.trajectories()
    self.assertEqual(shown.name, "drive0/0")
    self.assertEqual(shown.predicted.shape, (8, 3))
    np.testing.assert_allclose(shown.truth, truth[:, :3, 3], atol=1e-5)

  def test_samples_of_every_second_frame_are_two_sequences(self):
    poses = drives.curve(1.0, 0.02, frames=9)
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment="none")
    even, odd = (drives.fields(poses[i::2], first=100 * i) for i in (0, 1))
    answers = [drives.predictions(f["pose"].astype(np.float64)) for f in (even, odd)]
    for i in range(3):
      for fields, predictions in zip((even, odd), answers, strict=True):
        if i < len(fields["pose"]):
          protocol.update(*({n: v[i : i + 1] for n, v in d.items()} for d in (fields, predictions)))
    self.assertEqual([len(p.truth) for p in protocol.trajectories()], [5, 4])
    self.assertLess(protocol.result()["ate"], 1e-5)

  def test_other_videos_and_gaps_are_other_sequences(self):
    protocol = ego_motion_protocol.EgoMotionProtocol()
    _run(protocol, drives.curve(1.0, 0.02), first=0)
    _run(protocol, drives.curve(1.0, 0.03), first=100)
    self.assertLen(protocol.trajectories(), 2)
    self.assertEqual(protocol.num_images, 16)

  @parameterized.parameters(
    # Two drives at 1 and 3 metres a step, both predicted at half of 1.
    ("none", np.sqrt((0.5**2 + 2.5**2) / 2)),
    ("scale", 0.0),
    # One scale s for both: paths 1 and 3 against 0.5 and 0.5: s = 4.
    ("split_scale", 1.0),
  )
  def test_scales(self, alignment, rpe):
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment=alignment)
    slow = _straight([1.0] * 4)
    _run(protocol, slow, slow, 0.5, first=0)
    _run(protocol, _straight([3.0] * 4), slow, 0.5, first=100)
    self.assertAlmostEqual(protocol.result()["rpe_translation"], rpe, places=5)

  def test_guesses_by_hand(self):
    # Steps 1, 2, 3, 4: the mean is 2.5; the step before is always 1 less.
    poses = _straight([1.0, 2.0, 3.0, 4.0])
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment="none")
    _run(protocol, poses)
    result = protocol.result()
    self.assertAlmostEqual(
      result["constant_rpe_translation"], np.sqrt((1.5**2 + 0.5**2 + 0.5**2 + 1.5**2) / 4), places=5
    )
    self.assertAlmostEqual(result["constant_rpe_rotation"], 0.0, places=5)
    self.assertAlmostEqual(result["previous_rpe_translation"], 1.0, places=5)
    # Paths 0 1 3 6 10 and 0 2.5 5 7.5 10.
    self.assertAlmostEqual(result["constant_ate"], np.sqrt((1.5**2 + 2**2 + 1.5**2) / 5), places=5)
    self.assertAlmostEqual(result["snippet_ate"], 0.0, places=5)

  def test_the_guess_is_aligned_as_the_prediction_is(self):
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment="scale")
    _run(protocol, _straight([1.0] * 4), first=0)
    _run(protocol, _straight([3.0] * 4), first=100)
    self.assertAlmostEqual(protocol.result()["constant_rpe_translation"], 0.0, places=5)

  def test_driving_backwards_is_not_put_right(self):
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment="scale")
    _run(protocol, _straight([1.0] * 4), _straight([-1.0] * 4))
    self.assertAlmostEqual(protocol.result()["rpe_translation"], 1.0, places=5)

  def test_labels_in_place_of_poses(self):
    poses = drives.curve(1.0, 0.05)
    fields = drives.fields(poses)
    truth = drives.predictions(fields.pop("pose").astype(np.float64))
    protocol = ego_motion_protocol.EgoMotionProtocol(truth="labels", alignment="none")
    self.assertEqual(protocol.labels, ("rotation", "translation"))
    self.assertNotIn("pose", protocol.fields)
    predicted = {**truth, "translation": 1.1 * truth["translation"]}
    protocol.update({**fields, **truth}, predicted)
    lengths = np.linalg.norm(trajectory.steps_of(poses)[:, :3, 3], axis=-1)
    self.assertAlmostEqual(
      protocol.result()["rpe_translation"], 0.1 * np.sqrt(np.mean(lengths**2)), places=5
    )

  def test_nothing_and_bad_values(self):
    protocol = ego_motion_protocol.EgoMotionProtocol()
    with self.assertRaisesRegex(ValueError, "saw no frames"):
      protocol.result()
    self.assertEmpty(protocol.trajectories())
    fields = drives.fields(drives.curve(1.0, 0.0))
    answers = drives.predictions(fields["pose"].astype(np.float64))
    answers["rotation"][0] = np.nan
    with self.assertRaisesRegex(ValueError, "'rotation' must be finite"):
      protocol.update(fields, answers)

  def test_a_static_video(self):
    protocol = ego_motion_protocol.EgoMotionProtocol(alignment="similarity")
    fields = drives.fields(_straight([0.0] * 4))
    fields["image"][:] = 0
    protocol.update(fields, drives.predictions(fields["pose"].astype(np.float64)))
    result = protocol.result()
    self.assertTrue(all(np.isfinite(v) for v in result.values()), result)
    self.assertAlmostEqual(result["ate"], 0.0)

  @parameterized.parameters(
    ({"alignment": "median"}, "alignment must be one of .*'median'"),
    ({"truth": "poses"}, "truth must be one of .*'poses'"),
    ({"direction": "both"}, "direction must be one of .*'both'"),
    ({"snippet_frames": 1}, "snippet_frames must be at least 2"),
  )
  def test_bad_arguments(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      ego_motion_protocol.EgoMotionProtocol(**arguments)


if __name__ == "__main__":
  tf.test.main()
