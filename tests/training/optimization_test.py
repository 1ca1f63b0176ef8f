"""Tests of training/optimization.py."""

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tf_taskology.training import optimization


def rates(steps, **arguments):
  """Learning rates at global steps."""
  schedule = optimization.Optimization(**arguments).build()._learning_rate
  return [float(schedule(tf.constant(step, tf.int64))) for step in steps]


class OptimizationTest(tf.test.TestCase, parameterized.TestCase):
  def test_cosine_after_a_warmup(self):
    found = rates(
      (0, 5, 10, 60, 110, 200),
      learning_rate=0.1,
      warmup_steps=10,
      decay="cosine",
      decay_steps=110,
      final_fraction=0.2,
    )
    self.assertAllClose(found, [0.0, 0.05, 0.1, 0.06, 0.02, 0.02])

  def test_a_share_is_the_same_warmup(self):
    common = dict(learning_rate=0.1, decay="cosine", decay_steps=100)
    steps = range(0, 110, 5)
    self.assertAllClose(
      rates(steps, warmup_share=0.1, **common), rates(steps, warmup_steps=10, **common)
    )

  def test_a_later_warmup_ends_when_an_early_one_does(self):
    common = dict(learning_rate=0.1, warmup_steps=10, decay="cosine")
    later = rates((0, 20, 25, 30, 80, 130, 150), warmup_begin=20, decay_steps=130, **common)
    early = rates((0, 0, 5, 10, 60, 110, 130), decay_steps=110, **common)
    self.assertAllClose(later, early)
    self.assertAllClose(later[:3], [0.0, 0.0, 0.05])

  def test_a_later_warmup_to_a_constant(self):
    found = rates((0, 20, 25, 30, 90), learning_rate=0.1, warmup_steps=10, warmup_begin=20)
    self.assertAllClose(found, [0.01, 0.01, 0.055, 0.1, 0.1])

  def test_a_later_warmup_tames_the_first_steps_of_adam(self):
    def moved(**arguments):
      """Length of the longest step of a variable whose gradients begin at step 200."""
      optimizer = optimization.Optimization(learning_rate=1e-3, **arguments).build()
      variable = tf.Variable(0.0)
      places = []
      for step in range(440):
        optimizer.apply_gradients([(tf.constant(float(step >= 200)), variable)])
        places.append(variable.numpy())
      return np.abs(np.diff(places)).max()

    self.assertGreater(moved(), 2e-3)
    self.assertLess(moved(warmup_begin=200, warmup_steps=200), 1.5e-3)

  @parameterized.parameters(
    (dict(optimizer="Adamm"), "tf.keras.optimizers"),
    (dict(learning_rate=0.0), "learning_rate"),
    (dict(decay="linear"), "decay"),
    (dict(warmup_share=0.1), "needs decay_steps"),
    (dict(warmup_share=0.1, warmup_steps=3, decay_steps=9), "in place of warmup_steps"),
    (dict(warmup_begin=10), "needs warmup_steps"),
    (dict(warmup_begin=-1, warmup_steps=3), "warmup_begin"),
    (dict(decay="cosine"), "decay_steps"),
    (dict(decay="cosine", decay_steps=20, warmup_begin=15, warmup_steps=5), "warmup_begin=15"),
    (dict(clip_norm=0.0), "clip_norm"),
  )
  def test_refuses(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      optimization.Optimization(**arguments)


if __name__ == "__main__":
  tf.test.main()
