"""Pieces that several networks share: input scaling, upsampling, heads, and the check of the image size.

Everything here follows one rule of positions: at stride s, feature (x, y) belongs to image pixel (s x, s y).
"""

from collections.abc import Sequence

import tensorflow as tf

_PACKAGE = "tf_taskology"
INPUT_SCALINGS = ("fixed", "per_image", "imagenet")
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STDDEV = (58.395, 57.12, 57.375)


def check_image_size(network: str, image_size: Sequence[int], multiple: int) -> tuple[int, int]:
  """Returns (height, width) as ints.

  Args:
    network: name of the network, for the message.
    image_size: (height, width) in pixels.
    multiple: what both must be divisible by, the largest stride inside the network.

  Raises:
    ValueError: the size is not two positive multiples of `multiple`.
  """
  size = tuple(int(side) for side in image_size)
  if len(size) != 2 or any(side <= 0 or side % multiple for side in size):
    nearest = tuple(max(multiple, round(side / multiple) * multiple) for side in size[:2])
    raise ValueError(
      f"{network}: image_size must be (height, width) in multiples of {multiple}, the largest stride "
      f"of this network; got {size}. The nearest size that works is {nearest}."
    )
  return size


def check_output_stride(network: str, output_stride: int, valid: Sequence[int]) -> int:
  """Returns `output_stride`; raises ValueError unless it is one of `valid`."""
  if output_stride not in valid:
    raise ValueError(
      f"{network}: output_stride must be one of {tuple(valid)}, got {output_stride}."
    )
  return output_stride


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class ScaleImage(tf.keras.layers.Layer):
  """Scales RGB images of 0..255, [N, H, W, 3], to about -1..1; works in float32, answers in the compute dtype.

  Args:
    scaling: "fixed" maps 0..255 to -1..1. "per_image" subtracts the mean of each channel of each image and divides
      by the standard deviation over all three, so that exposure and colour cast of a camera do not reach the network. "imagenet"
      subtracts the mean and divides by the standard deviation of each channel over ImageNet.
  """

  def __init__(self, scaling: str = "fixed", **kwargs):
    super().__init__(autocast=False, **kwargs)
    if scaling not in INPUT_SCALINGS:
      raise ValueError(f"input scaling must be one of {INPUT_SCALINGS}, got {scaling!r}.")
    self.scaling = scaling

  def call(self, image):
    image = tf.cast(image, tf.float32)
    if self.scaling == "fixed":
      image = image / 127.5 - 1.0
    elif self.scaling == "imagenet":
      image = (image - tf.constant(_IMAGENET_MEAN)) / tf.constant(_IMAGENET_STDDEV)
    else:
      image -= tf.reduce_mean(image, axis=(1, 2), keepdims=True)
      variance = tf.reduce_mean(tf.square(image), axis=(1, 2, 3), keepdims=True)
      # One grey level: noise of a blank image is not blown up.
      image *= tf.math.rsqrt(variance + 1.0)
    return tf.cast(image, self.compute_dtype)

  def get_config(self):
    return {**super().get_config(), "scaling": self.scaling}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class AddCoordinates(tf.keras.layers.Layer):
  """Appends each pixel's position: two channels, x and y from -1 to 1 (CoordConv, Liu et al. 2018).

  Convolutions do not know where they look; a camera above a road sees how far away the ground is by its row.
  """

  def call(self, x):
    """[N, H, W, C] -> [N, H, W, C + 2], same dtype."""
    shape = tf.shape(x)
    columns, rows = tf.linspace(-1.0, 1.0, shape[2]), tf.linspace(-1.0, 1.0, shape[1])
    position = tf.stack(tf.meshgrid(columns, rows), axis=-1)
    position = tf.broadcast_to(position, tf.concat([shape[:3], [2]], 0))
    return tf.concat([x, tf.cast(position, x.dtype)], axis=-1)


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class InstanceNorm(tf.keras.layers.Layer):
  """Brings each channel of each image to a learnt mean and standard deviation over its pixels (Ulyanov et al. 2016).

  Args:
    epsilon: added to the variance.
  """

  def __init__(self, epsilon: float = 1e-3, **kwargs):
    super().__init__(**kwargs)
    self.epsilon = epsilon

  def build(self, input_shape):
    self.gamma = self.add_weight("gamma", (input_shape[-1],), initializer="ones")
    self.beta = self.add_weight("beta", (input_shape[-1],), initializer="zeros")
    super().build(input_shape)

  def call(self, x):
    """[N, H, W, C] -> the same shape and dtype; moments are taken in float32."""
    mean, variance = tf.nn.moments(tf.cast(x, tf.float32), axes=[1, 2], keepdims=True)
    scale = tf.cast(self.gamma, tf.float32) * tf.math.rsqrt(variance + self.epsilon)
    shift = tf.cast(self.beta, tf.float32) - mean * scale
    return x * tf.cast(scale, x.dtype) + tf.cast(shift, x.dtype)

  def get_config(self):
    return {**super().get_config(), "epsilon": self.epsilon}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class Upsample(tf.keras.layers.Layer):
  """Makes [N, h, w, C] `factor` times larger: input feature (x, y) lands exactly on (factor x, factor y).

  Args:
    factor: whole number, 1 or more.
    method: "bilinear", or "nearest" (each feature fills factor x factor; a following convolution can undo the shift).
  """

  def __init__(self, factor: int = 2, method: str = "bilinear", **kwargs):
    super().__init__(**kwargs)
    if method not in ("bilinear", "nearest"):
      raise ValueError(f"upsampling must be 'bilinear' or 'nearest', got {method!r}.")
    self.factor = factor
    self.method = method

  def call(self, x):
    if self.factor == 1:
      return x
    shape = tf.shape(x)
    height = (x.shape[1] or shape[1]) * self.factor
    width = (x.shape[2] or shape[2]) * self.factor
    if self.method == "nearest":
      return tf.raw_ops.ResizeNearestNeighbor(images=x, size=[height, width])
    # Half-pixel centres would move the feature (x, y) away from pixel (factor x, factor y).
    return tf.cast(tf.raw_ops.ResizeBilinear(images=x, size=[height, width]), x.dtype)

  def get_config(self):
    return {**super().get_config(), "factor": self.factor, "method": self.method}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class DepthToSpace(tf.keras.layers.Layer):
  """[N, h, w, 4 C] -> [N, 2 h, 2 w, C]: feature (x, y) fills the pixels from (2 x, 2 y) to (2 x + 1, 2 y + 1)."""

  def call(self, x):
    return tf.nn.depth_to_space(x, 2)


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class ReflectPad(tf.keras.layers.Layer):
  """Pads [N, h, w, C] by one mirrored row and column at each side (a 3x3 VALID convolution then keeps the size)."""

  def call(self, x):
    return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")


class CountedLayer(tf.keras.layers.Layer):
  """A layer that depends on how often its network has been called in training."""

  def build(self, input_shape):
    self.calls = self.add_weight(
      "calls",
      shape=(),
      dtype=tf.int64,
      initializer="zeros",
      trainable=False,
      aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
    super().build(input_shape)

  def count(self, training) -> tf.Tensor:
    """The calls in training before this one, float32; counts this one if it is in training."""
    calls = tf.cast(self.calls, tf.float32)
    if training:
      with tf.control_dependencies([calls]):
        self.calls.assign_add(1)
    return calls


def heads(
  tasks: Sequence,
  features: tf.Tensor,
  kernel_size: int = 3,
  padding: str = "same",
  gain: float = 1.0,
) -> dict[str, tf.Tensor]:
  """One convolution per task, float32 under every precision policy.

  Args:
    tasks: `tasks.task.Task`s with distinct names.
    features: [N, h, w, C].
    kernel_size: of the convolution.
    padding: of the convolution.
    gain: factor of the usual initial weights (Glorot's).

  Returns:
    {task name: raw [N, h, w, task.raw_channels] float32}.
  """
  names = [task.name for task in tasks]
  if not names or len(set(names)) != len(names):
    raise ValueError(f"a network needs one or more tasks with distinct names, got {names}.")
  return {
    task.name: tf.keras.layers.Conv2D(
      task.raw_channels,
      kernel_size,
      padding=padding,
      kernel_initializer=tf.keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform"),
      dtype="float32",
      name=f"{task.name}_head",
    )(features)
    for task in tasks
  }


def subpixel_heads(tasks: Sequence, features: tf.Tensor, gain: float = 1.0) -> dict[str, tf.Tensor]:
  """As `heads`, at twice the features' resolution: what `heads` says, made larger, plus a detail for each pixel.

  The details of the 2 x 2 pixels from (2 x, 2 y) on come from feature (x, y) by one convolution (sub-pixel
  convolution, Shi et al. 2016): thin things and depth edges for hardly more than a head's cost.

  Args:
    tasks: see `heads`.
    features: [N, h, w, C].
    gain: see `heads`.

  Returns:
    {task name: raw [N, 2 h, 2 w, task.raw_channels] float32}.
  """
  raw = {}
  for name, coarse in heads(tasks, features, gain=gain).items():
    fine = tf.keras.layers.Conv2D(
      4 * coarse.shape[-1],
      3,
      padding="same",
      kernel_initializer="zeros",  # details are added to something that is right on the whole
      dtype="float32",
      name=f"{name}_detail",
    )(features)
    fine = DepthToSpace(dtype="float32", name=f"{name}_detail_pixels")(fine)
    coarse = Upsample(2, dtype="float32", name=f"{name}_resize")(coarse)
    raw[name] = tf.keras.layers.Add(dtype="float32", name=f"{name}_sum")([coarse, fine])
  return raw
