"""A small encoder-decoder for small images on few CPU cores."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.networks import layers

NORMALIZATIONS = ("instance", "batch", "fixed_batch", "none")


class Compact:
  """Builds a U-Net-like network: plain 3x3 convolutions down to a coarse level that sees the whole image, and back.

  Level l has stride 2^l. On the way down each level is one strided convolution and `blocks[l]` residual ones; at the
  coarsest level the mean over the image is added to every pixel; on the way up each level adds the features of the
  same stride and has one residual convolution.

  Args:
    channels: of levels 1, 2, ...: strides 2, 4, .... The image size must be a multiple of the largest stride.
    blocks: residual 3x3 convolutions of each of these levels.
    decoder_channels: of the levels on the way up.
    output_stride: 1, 2, 4, ... up to the largest stride: prediction (x, y) is at image pixel (s x, s y). At 1
      the features of stride 2 say four pixels each, see `layers.subpixel_heads`.
    normalization: after each convolution but the heads': "instance" (each channel of each image by itself, so that a
      network says the same of an image in training, in production and whatever else is in the batch), "batch",
      "fixed_batch", which goes on from a network trained with "batch" and keeps its statistics, or "none".
    input_scaling: see `layers.ScaleImage`.
    upsampling: see `layers.Upsample`.
    coordinates: whether the network sees each pixel's position, see `layers.AddCoordinates`.
    head_gain: factor of the last convolutions' initial weights: with a small one a network starts from what a last
      layer of zeros means. Without labels, depth had better start plain: what it starts with is not corrected soon.
    name: of the Keras model.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    channels: Sequence[int] = (16, 32, 64, 128),
    blocks: Sequence[int] = (0, 1, 1, 1),
    decoder_channels: int = 32,
    output_stride: int = 2,
    normalization: str = "none",
    input_scaling: str = "fixed",
    upsampling: str = "bilinear",
    coordinates: bool = False,
    head_gain: float = 1.0,
    name: str = "compact",
  ):
    if len(channels) != len(blocks) or not channels:
      raise ValueError(
        f"Compact: channels and blocks need one entry per level, got {tuple(channels)} and {tuple(blocks)}."
      )
    if normalization not in NORMALIZATIONS:
      raise ValueError(
        f"Compact: normalization must be one of {NORMALIZATIONS}, got {normalization!r}."
      )
    self._channels = tuple(channels)
    self._blocks = tuple(blocks)
    self._decoder_channels = decoder_channels
    self._output_stride = layers.check_output_stride(
      "Compact", output_stride, [2**level for level in range(len(channels) + 1)]
    )
    self._normalization = normalization
    self._input_scaling = input_scaling
    self._upsampling = upsampling
    self._coordinates = coordinates
    self._head_gain = head_gain
    self._name = name

  def __call__(self, tasks: Sequence, image_size: Sequence[int]) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: tasks to perform, sharing everything but the last convolution.
      image_size: (height, width) in pixels.

    Returns:
      Keras model: "image" [N, H, W, 3] float32 in 0..255 -> {task name: [N, H/s, W/s, raw_channels] float32}.

    Raises:
      ValueError: the image size is not a multiple of the largest stride.
    """
    height, width = layers.check_image_size("Compact", image_size, 2 ** len(self._channels))
    image = tf.keras.Input((height, width, 3), name="image")
    x = layers.ScaleImage(self._input_scaling, name="scale_image")(image)
    if self._coordinates:
      x = layers.AddCoordinates(name="add_coordinates")(x)
    features = self._encode(x)
    x = self._decode(features)
    heads = layers.subpixel_heads if self._output_stride == 1 else layers.heads
    return tf.keras.Model(image, heads(tasks, x, gain=self._head_gain), name=self._name)

  def _encode(self, x: tf.Tensor) -> list[tf.Tensor]:
    """Features of levels 1, 2, ...."""
    features = []
    for level, (channels, blocks) in enumerate(zip(self._channels, self._blocks, strict=True), 1):
      x = self._convolve(x, channels, f"down{level}", strides=2)
      for block in range(blocks):
        x = self._residual(x, f"down{level}_block{block + 1}")
      features.append(x)
    context = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, name="context_mean")(x)
    context = tf.keras.layers.Conv2D(x.shape[-1], 1, name="context")(context)
    features[-1] = tf.keras.layers.Add(name="context_add")([x, context])
    return features

  def _decode(self, features: list[tf.Tensor]) -> tf.Tensor:
    """Features at the output stride; at stride 2 if that is 1."""
    level = len(features)
    x = tf.keras.layers.Conv2D(self._decoder_channels, 1, name=f"lateral{level}")(features[-1])
    while 2**level > max(2, self._output_stride):
      level -= 1
      x = layers.Upsample(2, self._upsampling, name=f"up{level}_resize")(x)
      lateral = tf.keras.layers.Conv2D(self._decoder_channels, 1, name=f"lateral{level}")
      x = tf.keras.layers.Add(name=f"up{level}_skip")([x, lateral(features[level - 1])])
      x = self._residual(x, f"up{level}")
    return tf.keras.layers.ReLU(name="decoded")(x)

  def _residual(self, x: tf.Tensor, name: str) -> tf.Tensor:
    """x + ReLU(conv(x)): one convolution per block keeps the number of operations low."""
    y = self._convolve(x, x.shape[-1], name)
    return tf.keras.layers.Add(name=f"{name}_add")([x, y])

  def _convolve(self, x: tf.Tensor, channels: int, name: str, strides: int = 1) -> tf.Tensor:
    """3x3 convolution, normalisation, ReLU."""
    normalized = self._normalization != "none"
    padding = "same"
    if strides == 2:
      # SAME pads an even image at the end only; this padding centres the kernel of output x on input 2 x.
      x = tf.keras.layers.ZeroPadding2D(((1, 0), (1, 0)), name=f"{name}_pad")(x)
      padding = "valid"
    x = tf.keras.layers.Conv2D(
      channels,
      3,
      strides,
      padding,
      use_bias=not normalized,
      kernel_initializer="he_normal",
      name=name,
    )(x)
    if self._normalization == "batch":
      x = tf.keras.layers.BatchNormalization(name=f"{name}_norm")(x)
    elif self._normalization == "fixed_batch":
      x = tf.keras.layers.BatchNormalization(name=f"{name}_norm")(x, training=False)
    elif self._normalization == "instance":
      x = layers.InstanceNorm(name=f"{name}_norm")(x)
    return tf.keras.layers.ReLU(name=f"{name}_relu")(x)
