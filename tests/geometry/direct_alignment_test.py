from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.geometry import moving_scene
from tf_taskology.geometry import cameras, direct_alignment, rotations

_SIZE = (96, 128)
_TURN = np.float32([0.012, -0.015, 0.01])  # radians: two pixels
_STEP = np.float32([0.02, -0.015, 0.03])  # metres; the camera moves by 0.16


def _both_ways(stride=1, factor=1.0, step=(0.0, 0.0, 0.0)):
  """Arguments of `align` and the true motion, [2, ...]: frame 0 into frame 1, and back.

  The sphere, a quarter of the picture, moves by `step` meanwhile.
  """
  scene = moving_scene.frames(*_SIZE, step)
  image = tf.constant(scene["image"] / 255, tf.float32)
  depth = factor * tf.constant(scene["depth"][:, ::stride, ::stride, 0], tf.float32)
  intrinsics = tf.constant(scene["intrinsics"], tf.float32)
  arguments = {
    "image": image[:, ::stride, ::stride],
    "target_image": image[::-1],
    "depth": depth,
    "target_depth": depth[::-1],
    "intrinsics": cameras.scale_intrinsics(intrinsics, 1 / stride),
  }
  angles = np.float32(scene["rotation"][:, 0, 0])
  return arguments, angles, factor * np.float32(scene["translation"][:, 0, 0])


def _guess(angles, translation, factor=1.0):
  return {
    "rotation": rotations.matrix_from_angles(tf.constant(angles + _TURN)),
    "translation": tf.constant(translation + factor * _STEP),
  }


class DirectAlignmentTest(tf.test.TestCase, parameterized.TestCase):
  @parameterized.parameters((1, 1.0), (2, 1.0), (1, 3.0))
  def test_finds_the_motion(self, stride, factor):
    arguments, angles, translation = _both_ways(stride, factor)
    levels = direct_alignment.LEVELS + (1,) * 6
    found = direct_alignment.align(
      **arguments,
      **_guess(angles, translation, factor),
      occlusion_tolerance=0.05,
      levels=levels,
    )
    self.assertAllClose(rotations.angles_from_matrix(found[0]), angles, atol=1.5e-3)
    self.assertAllClose(found[1], translation, atol=4e-3 * factor)

  def test_what_moves_by_itself_counts_less(self):
    """Than with least squares: the sphere is a quarter of the picture, and nearer than all else."""
    arguments, angles, translation = _both_ways(step=(0.15, 0.05, -0.1))

    def error():
      guess = _guess(angles, translation)
      found = direct_alignment.align(**arguments, **guess, occlusion_tolerance=0.05)
      return np.abs(rotations.angles_from_matrix(found[0]) - angles).max()

    robust = error()
    with mock.patch.object(direct_alignment, "_ROBUSTNESS", 1e3):
      self.assertLess(3 * robust, error())

  def test_true_motion_stays(self):
    arguments, angles, translation = _both_ways()
    guess = {"rotation": rotations.matrix_from_angles(tf.constant(angles))}
    found = direct_alignment.align(**arguments, **guess, translation=tf.constant(translation))
    self.assertAllClose(rotations.angles_from_matrix(found[0]), angles, atol=1.5e-3)
    self.assertAllClose(found[1], translation, atol=3e-3)

  def test_compiled(self):
    arguments, angles, translation = _both_ways(2)
    arguments.update(_guess(angles, translation))
    compiled = tf.function(direct_alignment.align, jit_compile=True)
    self.assertAllClose(compiled(**arguments), direct_alignment.align(**arguments), atol=1e-4)

  @parameterized.named_parameters(
    ("black", lambda image: tf.zeros_like(image)),
    ("noise", lambda image: tf.random.stateless_uniform(tf.shape(image), [1, 2])),
  )
  def test_frames_that_say_nothing(self, changed):
    arguments, angles, translation = _both_ways()
    arguments["target_image"] = changed(arguments["target_image"])
    if not tf.reduce_max(arguments["target_image"]):
      arguments["image"] = changed(arguments["image"])
    guess = _guess(angles, translation)
    rotation, moved = direct_alignment.align(**arguments, **guess)
    self.assertAllClose(rotation @ tf.linalg.matrix_transpose(rotation), tf.eye(3, batch_shape=[2]), atol=1e-5)  # fmt: skip
    self.assertAllClose(rotations.angles_from_matrix(rotation), angles + _TURN, atol=0.1)
    self.assertAllClose(moved, guess["translation"], atol=0.5)
    if not tf.reduce_max(arguments["target_image"]):
      self.assertAllEqual(rotation, guess["rotation"])

  def test_what_fits_no_better_is_not_taken(self):
    arguments, angles, translation = _both_ways()
    flat = {name: tf.ones_like(arguments[name]) for name in ("depth", "target_depth")}
    guess = _guess(angles, translation)
    far_off = {"rotation": guess["rotation"], "translation": guess["translation"] + 50.0}
    found = direct_alignment.align(**{**arguments, **flat}, **far_off)
    self.assertAllEqual(found[0], far_off["rotation"])
    self.assertAllEqual(found[1], far_off["translation"])

  def test_small_frames_and_constancy(self):
    arguments, angles, translation = _both_ways(16)
    variables = {**arguments, **_guess(angles, translation)}
    with tf.GradientTape() as tape:
      tape.watch(list(variables.values()))
      found = direct_alignment.align(**variables)
    self.assertTrue(np.isfinite(found[0]).all() and np.isfinite(found[1]).all())
    self.assertEqual(tape.gradient(found, list(variables.values())), [None] * len(variables))


if __name__ == "__main__":
  tf.test.main()
