"""Tests of networks/motion_from_video.py, networks/compact_motion.py and networks/motion_heads.py."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.networks import network_cases
from tf_taskology.networks import compact_motion, motion_from_video, motion_heads
from tf_taskology.tasks import motion

_SIZE = (32, 64)
_NETWORKS = {
  "dml": lambda: motion_from_video.MotionFromVideo(width=4),
  "dvw": lambda: motion_from_video.MotionFromVideo(
    first_field="translation", align_corners=False, width=4
  ),
  "compact": lambda: compact_motion.CompactMotion(),
  "second look": lambda: compact_motion.CompactMotion(focal=0.6),
}


def count(model):
  return sum(np.prod(variable.shape) for variable in model.trainable_variables)


class MotionNetworksTest(tf.test.TestCase, parameterized.TestCase):
  def test_parameter_count_is_that_of_the_published_code(self):
    tasks = [motion.Motion(learn_intrinsics=True)]
    model = motion_from_video.MotionFromVideo(channels_per_frame=4)(tasks, (128, 416))
    self.assertEqual(count(model), 44_180_049)
    self.assertEqual(model.output_shape["motion"], (None, 128, 416, 13))

  @parameterized.parameters("dml", "compact", "second look")
  def test_training_reduces_the_loss_and_keeps_scales_above_the_minimum(self, name):
    tf.keras.utils.set_random_seed(0)
    task = motion.Motion(learn_intrinsics=True)
    model = _NETWORKS[name]()([task], _SIZE)
    pairs = tf.random.stateless_uniform((2, *_SIZE, 6), (3, 4), maxval=255.0)
    optimizer = tf.keras.optimizers.Adam(1e-2)
    target = {"rotation": 0.05, "translation": 0.1, "motion_field": 0.02, "camera": 0.8}

    @tf.function
    def step():
      with tf.GradientTape() as tape:
        found = task.decode(model(pairs, training=True)["motion"])
        loss = tf.add_n([tf.reduce_mean(tf.abs(found[n] - target[n])) for n in found])
      gradients = tape.gradient(loss, model.trainable_variables)
      optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
      return loss

    before = [variable.numpy() for variable in model.trainable_variables]
    losses = [step().numpy() for _ in range(4)]
    self.assertLess(min(losses[1:]), losses[0])
    for layer in ("rotation_scale", "translation_scale"):
      self.assertGreaterEqual(model.get_layer(layer).scale, 0.001)
    changed = [
      not np.array_equal(variable.numpy(), old)
      for variable, old in zip(model.trainable_variables, before, strict=True)
    ]
    self.assertTrue(all(changed), [v.name for v in model.trainable_variables])
    path = os.path.join(self.get_temp_dir(), f"{name}.keras")
    model.save(path)
    again = tf.keras.models.load_model(path)(pairs)["motion"]
    self.assertAllClose(again, model(pairs)["motion"])

  @parameterized.parameters("dvw", "compact")
  def test_whole_frame_outputs_are_constant_and_the_field_has_its_size(self, name):
    task = motion.Motion(learn_intrinsics=True)
    model = _NETWORKS[name]()([task], _SIZE)
    raw = model(tf.random.stateless_uniform((1, *_SIZE, 6), (1, 2), maxval=255.0))["motion"]
    stride = 2 if name == "compact" else 1
    self.assertEqual(raw.shape, (1, _SIZE[0] // stride, _SIZE[1] // stride, 13))
    whole = tf.concat([raw[..., :6], raw[..., 9:]], axis=-1)
    self.assertAllEqual(whole, tf.broadcast_to(whole[:, :1, :1], whole.shape))
    self.assertAllInRange(raw[..., 9:11], 0.05, 5)
    rigid = _NETWORKS[name]()([motion.Motion(object_motion=False)], _SIZE)
    self.assertEqual(rigid.output_shape["motion"], (None, 1, 1, 6))

  def test_the_second_look_changes_nothing_at_first(self):
    tf.keras.utils.set_random_seed(0)
    first = _NETWORKS["compact"]()([motion.Motion()], _SIZE)
    second = _NETWORKS["second look"]()([motion.Motion()], _SIZE)
    weights = {variable.name: variable for variable in first.trainable_variables}
    added = [v for v in second.trainable_variables if v.name not in weights]
    self.assertLen(added, 3)
    for variable in second.trainable_variables:
      if variable.name in weights:
        variable.assign(weights[variable.name])
    pair = tf.random.stateless_uniform((2, *_SIZE, 6), (5, 6), maxval=255.0)
    self.assertAllClose(first(pair)["motion"], second(pair)["motion"])

  def test_order_of_frames_matters(self):
    model = compact_motion.CompactMotion()([motion.Motion()], _SIZE)
    pair = tf.random.stateless_uniform((1, *_SIZE, 6), (1, 2), maxval=255.0)
    swapped = tf.concat([pair[..., 3:], pair[..., :3]], axis=-1)
    self.assertNotAllClose(model(pair)["motion"], model(swapped)["motion"])

  def test_auto_mask_and_burn_in(self):
    field = tf.constant([[[[1.0, 0, 0], [0, 3, 0]], [[0, 0, 0.5], [0, 0, 4]]]])
    masked = motion_heads.AutoMask()(field)
    self.assertAllEqual(masked[0, :, 0], np.zeros([2, 3]))
    self.assertAllEqual(masked[0, :, 1], field[0, :, 1])
    burn_in = motion_heads.BurnIn(4)
    factors = [float(burn_in(tf.ones([1, 1, 1, 3]), training=True)[0, 0, 0, 0]) for _ in range(6)]
    self.assertAllClose(factors, [0, 0, 0, 0.5, 1, 1])

  def test_refuses(self):
    with self.assertRaisesRegex(ValueError, "takes pairs"):
      compact_motion.CompactMotion()([network_cases.DEPTH], _SIZE)
    with self.assertRaisesRegex(ValueError, "multiples of 32"):
      compact_motion.CompactMotion()([motion.Motion()], (40, 64))
    with self.assertRaisesRegex(ValueError, "first_field"):
      motion_from_video.MotionFromVideo(first_field="zero")
    with self.assertRaisesRegex(ValueError, "channels_per_frame"):
      compact_motion.CompactMotion(channels_per_frame=5)
    with self.assertRaisesRegex(ValueError, "focal"):
      compact_motion.CompactMotion(focal=0.0)


if __name__ == "__main__":
  tf.test.main()
