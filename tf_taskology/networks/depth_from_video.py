"""The depth network of "Depth from Videos in the Wild" (Gordon et al. 2019), which Taskology trains in section 4.1."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.networks import layers, randomized_layer_norm

NORMALIZATIONS = ("randomized_layer", "batch")


class DepthFromVideo:
  """Builds a ResNet18 encoder and a decoder of transposed convolutions with skip connections, at full resolution.

  14,325,425 trainable parameters with a head of one channel, as the published code. Its head's softplus is no part of
  the network: it belongs to `Depth(decoder="softplus").decode`. Decoder and shortcuts have no normalisation.

  Args:
    normalization: "randomized_layer" (the paper's) or "batch".
    max_noise: standard deviation of the randomised layer normalisation's noise after its ramp-up.
    noise_rampup_calls: training calls until then.
    input_scaling: see `layers.ScaleImage`.
    width: channels of the first stage; all others are in proportion. The published network has 64. A multiple of 16:
      with 8 channels the gradient of a strided 1x1 convolution corrupts memory in TensorFlow 2.15 on CPUs (oneDNN).
    name: of the Keras model.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    normalization: str = "randomized_layer",
    max_noise: float = 0.5,
    noise_rampup_calls: int = 10000,
    input_scaling: str = "imagenet",
    width: int = 64,
    name: str = "depth_from_video",
  ):
    if normalization not in NORMALIZATIONS:
      raise ValueError(
        f"DepthFromVideo: normalization must be one of {NORMALIZATIONS}, got {normalization!r}."
      )
    if width <= 0 or width % 16:
      raise ValueError(f"DepthFromVideo: width must be a positive multiple of 16, got {width}.")
    self._width = width
    self._normalization = normalization
    self._max_noise = max_noise
    self._noise_rampup_calls = noise_rampup_calls
    self._input_scaling = input_scaling
    self._name = name

  def __call__(self, tasks: Sequence, image_size: Sequence[int]) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: tasks to perform; each has its own last convolution.
      image_size: (height, width) in pixels, multiples of 32.

    Returns:
      Keras model: "image" [N, H, W, 3] float32 in 0..255 -> {task name: [N, H, W, raw_channels] float32}.

    Raises:
      ValueError: the image size is not a multiple of 32.
    """
    height, width = layers.check_image_size("DepthFromVideo", image_size, 32)
    image = tf.keras.Input((height, width, 3), name="image")
    x = layers.ScaleImage(self._input_scaling, name="scale_image")(image)
    features = self._encode(x, self._normalizer(x))
    x = _decode(features, [self._width * 4 // 2**i for i in range(5)])
    x = layers.ReflectPad(name="head_pad")(x)
    return tf.keras.Model(image, layers.heads(tasks, x, padding="valid"), name=self._name)

  def _normalizer(self, x):
    """Callable (tensor, layer name) -> normalised tensor."""
    if self._normalization == "batch":
      return lambda y, name: tf.keras.layers.BatchNormalization(name=name)(y)
    stddev = randomized_layer_norm.NoiseRampUp(
      self._max_noise, self._noise_rampup_calls, name="noise_stddev"
    )(x)
    return lambda y, name: randomized_layer_norm.RandomizedLayerNorm(name=name)([y, stddev])

  def _encode(self, x, normalize):
    """Features of strides 2, 4, 8, 16, 32."""
    x = _encoder_convolution(x, self._width, 7, 2, "conv1")
    x = tf.keras.layers.ReLU(name="conv1_relu")(normalize(x, "conv1_norm"))
    features = [x]
    x = tf.keras.layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    for stage in range(2, 6):
      channels = self._width * 2 ** (stage - 2)
      strides = 1 if stage == 2 else 2
      x = _residual_block(x, channels, strides, f"conv{stage}_1", normalize)
      x = _residual_block(x, channels, 1, f"conv{stage}_2", normalize)
      features.append(x)
    return features


def _encoder_convolution(x, channels, kernel_size, strides, name):
  """Convolution without bias, its weights N(0, 2 / (kernel_size^2 channels))."""
  stddev = (2.0 / (kernel_size**2 * channels)) ** 0.5
  return tf.keras.layers.Conv2D(
    channels,
    kernel_size,
    strides,
    padding="same",
    use_bias=False,
    kernel_initializer=tf.keras.initializers.RandomNormal(stddev=stddev),
    name=name,
  )(x)


def _residual_block(x, channels, strides, name, normalize):
  """ReLU(x + conv(ReLU(conv(x)))), both convolutions normalised, the 1x1 one of a changed x not."""
  shortcut = x
  if x.shape[-1] != channels:
    shortcut = _encoder_convolution(x, channels, 1, strides, f"{name}_shortcut")
  y = normalize(_encoder_convolution(x, channels, 3, strides, f"{name}_a"), f"{name}_a_norm")
  y = tf.keras.layers.ReLU(name=f"{name}_a_relu")(y)
  y = normalize(_encoder_convolution(y, channels, 3, 1, f"{name}_b"), f"{name}_b_norm")
  y = tf.keras.layers.Add(name=f"{name}_add")([y, shortcut])
  return tf.keras.layers.ReLU(name=f"{name}_relu")(y)


def _decode(features, widths):
  """From stride 32 to full resolution; `widths` are the channels of strides 16, 8, 4, 2, 1."""
  x = features[-1]
  skips = [*features[-2::-1], None]
  for level, (channels, skip) in zip(range(5, 0, -1), zip(widths, skips, strict=True), strict=True):
    x = tf.keras.layers.Conv2DTranspose(
      channels, 3, 2, padding="same", activation="relu", name=f"upconv{level}"
    )(x)
    if skip is not None:
      x = tf.keras.layers.Concatenate(name=f"skip{level}")([x, skip])
    x = layers.ReflectPad(name=f"iconv{level}_pad")(x)
    x = tf.keras.layers.Conv2D(channels, 3, activation="relu", name=f"iconv{level}")(x)
  return x
