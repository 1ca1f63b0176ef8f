"""Randomised layer normalisation (Gordon et al. 2019, "Depth from Videos in the Wild", section 3.3)."""

import tensorflow as tf

from tf_taskology.networks import layers

_PACKAGE = "tf_taskology"


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class NoiseRampUp(layers.CountedLayer):
  """Standard deviation of the noise: max_stddev * min(calls / rampup_calls, 1)^2, and 0 outside training.

  One layer serves all normalisations of a network. It counts training calls of the network; a module that trains on
  a dedicated and a mediator batch makes two in a step.

  Args:
    max_stddev: 0.5 is the largest for which truncated noise (two standard deviations) keeps its factor >= 0.
    rampup_calls: 0 starts at max_stddev.
  """

  def __init__(self, max_stddev: float = 0.5, rampup_calls: int = 10000, **kwargs):
    super().__init__(**kwargs)
    if not 0.0 <= max_stddev <= 0.5:
      raise ValueError(f"max_stddev must be in 0..0.5, got {max_stddev}.")
    self.max_stddev = max_stddev
    self.rampup_calls = rampup_calls

  def call(self, x, training=None):
    """Returns a float32 scalar; of `x` only its existence matters."""
    if not training:
      return tf.zeros(())
    calls = self.count(training)
    ramp = tf.minimum(calls / self.rampup_calls, 1.0) if self.rampup_calls else tf.ones(())
    return self.max_stddev * tf.square(ramp)

  def get_config(self):
    config = {"max_stddev": self.max_stddev, "rampup_calls": self.rampup_calls}
    return {**super().get_config(), **config}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class RandomizedLayerNorm(tf.keras.layers.Layer):
  """Normalises each channel of each image over its pixels, by moments that are noisy in training.

  Mean and variance are multiplied by independent factors 1 + truncated normal, one per image and channel. There are
  no running statistics: training and test differ by the noise alone.

  Args:
    epsilon: added to the variance.
  """

  def __init__(self, epsilon: float = 1e-3, **kwargs):
    super().__init__(autocast=False, **kwargs)
    self.epsilon = epsilon

  def build(self, input_shape):
    channels = input_shape[0][-1] if isinstance(input_shape, (list, tuple)) else input_shape[-1]
    self.gamma = self.add_weight("gamma", (channels,), initializer="ones")
    self.beta = self.add_weight("beta", (channels,), initializer="zeros")
    super().build(input_shape)

  def call(self, inputs, noise=None):
    """Normalises.

    Args:
      inputs: (x, stddev): [N, H, W, C], and the standard deviation of the noise, a scalar.
      noise: (for mean, for variance), each [N, 1, 1, C], to be used instead of draws.

    Returns:
      [N, H, W, C] in the compute dtype; moments are taken in float32.
    """
    x, stddev = inputs
    x = tf.cast(x, tf.float32)
    mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
    if noise is None:
      noise = [stddev * tf.random.truncated_normal(tf.shape(mean)) for _ in range(2)]
    mean *= 1.0 + noise[0]
    variance *= 1.0 + noise[1]
    gamma, beta = tf.cast(self.gamma, tf.float32), tf.cast(self.beta, tf.float32)
    y = tf.nn.batch_normalization(x, mean, variance, beta, gamma, self.epsilon)
    return tf.cast(y, self.compute_dtype)

  def get_config(self):
    return {**super().get_config(), "epsilon": self.epsilon}
