"""Tests of trajectories against numbers of other programs and worked out by hand."""

import numpy as np
from absl.testing import absltest, parameterized

from tests.evaluation import drives
from tf_taskology.evaluation import trajectory


def _drives():
  truth, path = drives.curve(1.0, 0.02), drives.curve(0.5, 0.025)
  path[:, 0, 3] += 0.05 * np.sin(np.arange(8))
  return truth, path


class TrajectoryTest(parameterized.TestCase):
  # evo 1.38.1: APE of translation_part, RPE of translation_part and of rotation_angle_deg with
  # delta 1 frame; rmse. None, align(correct_scale=False), align(correct_scale=True).
  @parameterized.parameters(
    (None, 2.1193638813066022, 0.5079147105702859, 1.2811725781509202),
    (False, 1.1537053524446101, 0.5079147105702866, 1.2811725781509185),
    (True, 0.08826536890825766, 0.07084636673774679, 1.2811725781509185),
  )
  def test_errors_equal_those_of_evo(self, with_scale, ate, rpe_translation, rpe_rotation):
    truth, path = _drives()
    positions, scale = path[:, :3, 3], 1.0
    if with_scale is not None:
      rotation, shift, scale = trajectory.umeyama(truth[:, :3, 3], positions, with_scale)
      positions = scale * positions @ rotation.T + shift
    self.assertAlmostEqual(trajectory.position_rmse(truth[:, :3, 3], positions), ate, places=12)
    steps = trajectory.scaled(trajectory.steps_of(path), scale)
    shifts, angles = trajectory.step_errors(trajectory.steps_of(truth), steps)
    self.assertAlmostEqual(np.sqrt(np.mean(shifts**2)), rpe_translation, places=12)
    self.assertAlmostEqual(np.sqrt(np.mean(angles**2)), rpe_rotation, places=12)

  def test_chain_and_steps_are_inverse(self):
    poses = drives.curve(2.0, 0.1)
    np.testing.assert_allclose(trajectory.chain(trajectory.steps_of(poses)), poses, atol=1e-12)
    np.testing.assert_allclose(
      trajectory.inverse(poses) @ poses, np.tile(np.eye(4), (8, 1, 1)), atol=1e-12
    )

  def test_umeyama_undoes_a_similarity_and_never_mirrors(self):
    path = drives.curve(1.0, 0.2)[:, :3, 3]
    rotation = drives.turn(1.2)
    found = trajectory.umeyama(3.0 * path @ rotation.T + [1, 2, 3], path, True)
    np.testing.assert_allclose(found[0], rotation, atol=1e-9)
    np.testing.assert_allclose(found[1], [1, 2, 3], atol=1e-9)
    self.assertAlmostEqual(found[2], 3.0)
    mirrored, _, _ = trajectory.umeyama(path * [-1, 1, 1], path, True)
    self.assertAlmostEqual(np.linalg.det(mirrored), 1.0)

  def test_scale_of_nothing_is_one_and_never_negative(self):
    path = drives.curve(1.0, 0.0)[:, :3, 3]
    self.assertEqual(trajectory.best_scale(trajectory.scale_sums(path, np.zeros([8, 3]))), 1.0)
    self.assertEqual(trajectory.best_scale(trajectory.scale_sums(path, -path)), 0.0)
    self.assertAlmostEqual(trajectory.best_scale(trajectory.scale_sums(path, path / 4)), 4.0)
    self.assertEqual(trajectory.umeyama(path, np.zeros([8, 3]), True)[2], 1.0)

  def test_small_and_large_angles(self):
    for degrees in (1e-6, 0.01, 90.0, 179.999):
      step = np.eye(4)
      step[:3, :3] = drives.turn(np.radians(degrees))
      _, angle = trajectory.step_errors(np.eye(4)[None], step[None])
      self.assertAlmostEqual(angle[0], degrees, places=9)

  def test_snippet_error_by_hand(self):
    truth = np.array([[5.0, 0, 0], [5, 0, 1], [5, 0, 2]])
    path = np.array([[0.0, 0, 0], [0, 0, 2], [0.5, 0, 4]])
    # Scale: (2 + 8) / (4 + 16.25); the public code divides the root of the sum by the frames.
    scale = 10 / 20.25
    errors = [2 * scale - 1, 0.5 * scale, 4 * scale - 2]
    self.assertAlmostEqual(trajectory.snippet_error(truth, path), np.linalg.norm(errors) / 3)


if __name__ == "__main__":
  absltest.main()
