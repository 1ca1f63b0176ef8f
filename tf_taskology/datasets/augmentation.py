"""Colour augmentation of the images that the own network sees (peers are sent the images as they are)."""

import tensorflow as tf


class ColorAugmentation:
  """Random brightness, contrast, saturation, colour cast, gamma and noise, the same for all frames of a sample.

  All strengths are half-widths of uniform draws (log-scale for factors) and 0 is a no-op. Draws are stateless:
  they depend on the seed and the batch's index only.

  Args:
    brightness: added to the image, as a fraction of full scale.
    contrast: log factor about the image's mean.
    saturation: log factor about the pixel's grey value.
    cast: log factor of each colour channel.
    gamma: log exponent.
    noise: upper end of the standard deviation of pixel noise, as a fraction of full scale.
    blur: probability of a 3x3 binomial blur.
  """

  def __init__(
    self, brightness=0.1, contrast=0.2, saturation=0.2, cast=0.1, gamma=0.1, noise=0.01, blur=0.0
  ):
    self.strengths = dict(
      brightness=brightness,
      contrast=contrast,
      saturation=saturation,
      cast=cast,
      gamma=gamma,
      noise=noise,
      blur=blur,
    )
    for name, value in self.strengths.items():
      if not 0 <= value <= 3:
        raise ValueError(
          f"ColorAugmentation.{name} must be between 0 and 3 (0 = off). Received: {value}."
        )

  def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Augments a batch.

    Args:
      image: [batch, frames, height, width, 3] uint8.
      seed: [2] int64.

    Returns:
      The same shape, uint8.
    """
    s = self.strengths
    batch = tf.shape(image)[0]

    def draw(index, channels=1):
      u = tf.random.stateless_uniform([batch, 1, 1, 1, channels], seed + [0, index], -1.0, 1.0)
      return u

    x = tf.cast(image, tf.float32) / 255.0
    if s["blur"]:
      blurred = tf.reshape(
        _binomial_blur(tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0))), tf.shape(x)
      )
      x = tf.where((draw(6) + 1) / 2 < s["blur"], blurred, x)
    x = tf.pow(tf.maximum(x, 1e-4), tf.exp(draw(0) * s["gamma"]))
    x *= tf.exp(draw(1, 3) * s["cast"])
    grey = tf.reduce_mean(x, axis=-1, keepdims=True)
    x = grey + (x - grey) * tf.exp(draw(2) * s["saturation"])
    mean = tf.reduce_mean(x, axis=[1, 2, 3, 4], keepdims=True)
    x = mean + (x - mean) * tf.exp(draw(3) * s["contrast"]) + draw(4) * s["brightness"]
    if s["noise"]:
      noise = tf.random.stateless_normal(tf.shape(x), seed + [1, 0])
      x += noise * (draw(5) + 1) / 2 * s["noise"]
    return tf.cast(tf.clip_by_value(x, 0.0, 1.0) * 255.0 + 0.5, tf.uint8)


def _binomial_blur(x):
  x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
  x = (x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]) / 4
  return (x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]) / 4
