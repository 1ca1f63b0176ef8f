"""Tests of networks/randomized_layer_norm.py."""

import numpy as np
import tensorflow as tf

from tf_taskology.networks import randomized_layer_norm


class NoiseRampUpTest(tf.test.TestCase):
  def test_rises_with_the_square_of_training_calls(self):
    layer = randomized_layer_norm.NoiseRampUp(0.5, 10)
    x = tf.zeros((1, 1))
    values = [layer(x, training=True).numpy() for _ in range(13)]
    expected = [0.5 * min(call / 10, 1.0) ** 2 for call in range(13)]
    self.assertAllClose(values, expected)

  def test_is_zero_and_does_not_count_outside_training(self):
    layer = randomized_layer_norm.NoiseRampUp(0.5, 10)
    self.assertEqual(layer(tf.zeros((1, 1)), training=False).numpy(), 0.0)
    self.assertEqual(layer.calls.numpy(), 0)

  def test_refuses_noise_that_could_turn_the_variance_negative(self):
    with self.assertRaisesRegex(ValueError, "0.6"):
      randomized_layer_norm.NoiseRampUp(0.6)


class RandomizedLayerNormTest(tf.test.TestCase):
  def setUp(self):
    super().setUp()
    self.x = np.random.default_rng(0).normal(3, 2, (2, 5, 7, 4)).astype(np.float32)

  def test_normalizes_each_channel_of_each_image(self):
    y = randomized_layer_norm.RandomizedLayerNorm(epsilon=0.0)([self.x, tf.zeros(())]).numpy()
    self.assertAllClose(y.mean((1, 2)), np.zeros((2, 4)), atol=1e-5)
    self.assertAllClose(y.std((1, 2)), np.ones((2, 4)), atol=1e-4)

  def test_given_noise_scales_mean_and_variance(self):
    noise = (np.full((2, 1, 1, 4), 0.25, np.float32), np.full((2, 1, 1, 4), -0.5, np.float32))
    y = randomized_layer_norm.RandomizedLayerNorm()([self.x, tf.zeros(())], noise=noise)
    mean, variance = self.x.mean((1, 2), keepdims=True), self.x.var((1, 2), keepdims=True)
    self.assertAllClose(y, (self.x - 1.25 * mean) / np.sqrt(0.5 * variance + 1e-3), rtol=1e-4)

  def test_noise_is_independent_per_image_and_channel_and_truncated(self):
    tf.keras.utils.set_random_seed(0)
    x = np.tile(np.random.default_rng(0).normal(0, 1, (1, 8, 8, 1)), (64, 1, 1, 32)).astype(
      np.float32
    )
    y = randomized_layer_norm.RandomizedLayerNorm(epsilon=0.0)([x, tf.constant(0.4)]).numpy()
    factor = (
      (x.std((1, 2)) / y.std((1, 2))) ** 2 / x.var((1, 2)) * x.var((1, 2)) / x.std((1, 2)) ** 2
    )
    factor = 1 / y.std((1, 2)) ** 2
    self.assertBetween(factor.min(), 0.199, 0.5)
    self.assertBetween(factor.max(), 1.5, 1.801)
    # A normal distribution cut at two standard deviations has 0.8796 of its spread.
    self.assertAllClose(factor.std(), 0.4 * 0.8796, rtol=0.05)


if __name__ == "__main__":
  tf.test.main()
