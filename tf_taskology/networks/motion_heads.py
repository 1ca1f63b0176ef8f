"""What networks for motion share: their input, and heads for what holds of the whole frame."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.networks import layers

_PACKAGE = "tf_taskology"
PAIR_SCALINGS = ("unit", *layers.INPUT_SCALINGS)
_MIN_SCALE = 0.001


def check_task(network: str, tasks: Sequence):
  """The one task. Raises ValueError if it is not one task that takes pairs."""
  if len(tasks) != 1 or getattr(tasks[0], "takes", None) != "pair":
    found = [(task.name, getattr(task, "takes", None)) for task in tasks]
    raise ValueError(f"{network} performs one task that takes pairs of frames, got {found}.")
  return tasks[0]


def check_channels(network: str, channels_per_frame: int) -> int:
  """Returns 3 or 4, or raises ValueError."""
  if channels_per_frame not in (3, 4):
    raise ValueError(
      f"{network}: channels_per_frame must be 3 (colours) or 4 (and depth), got {channels_per_frame}."
    )
  return channels_per_frame


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class ScalePair(tf.keras.layers.Layer):
  """Scales the colours of two frames, [N, H, W, 6] or with a depth each [N, H, W, 8].

  Args:
    scaling: "unit" maps 0..255 to 0..1; else as `layers.ScaleImage`, each frame by itself. Depth
      stays as it is.
  """

  def __init__(self, scaling: str = "unit", **kwargs):
    super().__init__(autocast=False, **kwargs)
    if scaling not in PAIR_SCALINGS:
      raise ValueError(f"input scaling must be one of {PAIR_SCALINGS}, got {scaling!r}.")
    self.scaling = scaling
    self._scale = None if scaling == "unit" else layers.ScaleImage(scaling, dtype="float32")

  def call(self, pair):
    parts = []
    for frame in tf.split(tf.cast(pair, tf.float32), 2, axis=-1):
      colours, rest = frame[..., :3], frame[..., 3:]
      parts += [colours / 255.0 if self._scale is None else self._scale(colours), rest]
    return tf.cast(tf.concat(parts, axis=-1), self.compute_dtype)

  def get_config(self):
    return {**super().get_config(), "scaling": self.scaling}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class ResizeTo(tf.keras.layers.Layer):
  """(x [N, h, w, C], like [N, H, W, ...]) -> x at H x W, bilinear.

  Args:
    align_corners: the outer pixels stay the outer pixels; else (x, y) goes to (x W / w, y H / h).
  """

  def __init__(self, align_corners: bool, **kwargs):
    super().__init__(**kwargs)
    self.align_corners = align_corners

  def call(self, inputs):
    x, like = inputs
    size = tf.shape(like)[1:3] if None in like.shape[1:3] else like.shape[1:3]
    resized = tf.raw_ops.ResizeBilinear(images=x, size=size, align_corners=self.align_corners)
    return tf.cast(resized, x.dtype)

  def get_config(self):
    return {**super().get_config(), "align_corners": self.align_corners}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class AtLeast(tf.keras.constraints.Constraint):
  """Weights are kept at or above a minimum."""

  def __init__(self, minimum: float):
    self.minimum = minimum

  def __call__(self, weights):
    return tf.maximum(weights, self.minimum)

  def get_config(self):
    return {"minimum": self.minimum}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class LearnedScale(tf.keras.layers.Layer):
  """Multiplies tensors by one learnt number, at first 0.01 and never below 0.001; float32."""

  def __init__(self, **kwargs):
    super().__init__(autocast=False, **kwargs)

  def build(self, input_shape):
    self.scale = self.add_weight(
      "scale",
      shape=(),
      initializer=tf.keras.initializers.Constant(0.01),
      constraint=AtLeast(_MIN_SCALE),
      dtype="float32",
    )
    super().build(input_shape)

  def call(self, inputs):
    return tf.nest.map_structure(lambda x: tf.cast(x, tf.float32) * self.scale, inputs)


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class AutoMask(tf.keras.layers.Layer):
  """Zeroes a field [N, h, w, 3] where it is no longer than its mean over batch and pixels (DML)."""

  def call(self, field):
    length = tf.norm(field, axis=-1, keepdims=True)
    return field * tf.cast(length > tf.reduce_mean(length), field.dtype)


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class BurnIn(layers.CountedLayer):
  """Multiplies a field by clip(2 calls / burn_in_calls - 1, 0, 1), calls those in training (DML).

  Outside training the factor is that of the last training call.
  """

  def __init__(self, burn_in_calls: int, **kwargs):
    super().__init__(**kwargs)
    self.burn_in_calls = burn_in_calls

  def call(self, field, training=None):
    factor = tf.clip_by_value(2 * self.count(training) / self.burn_in_calls - 1, 0.0, 1.0)
    return field * tf.cast(factor, field.dtype)

  def get_config(self):
    return {**super().get_config(), "burn_in_calls": self.burn_in_calls}


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class Halves(tf.keras.layers.Layer):
  """The two halves of the channels: rotation and translation of [N, 1, 1, 6]."""

  def call(self, x):
    return tf.split(x, 2, axis=-1)


@tf.keras.utils.register_keras_serializable(package=_PACKAGE)
class Join(tf.keras.layers.Layer):
  """Spreads what holds of the whole frame, [N, 1, 1, C] each, over the size and joins all; float32.

  Args:
    size: (height, width) of the result.
  """

  def __init__(self, size: Sequence[int], **kwargs):
    super().__init__(autocast=False, **kwargs)
    self.size = tuple(size)

  def call(self, inputs):
    parts = []
    for x in inputs:
      shape = [tf.shape(x)[0], *self.size, x.shape[-1]]
      parts.append(tf.broadcast_to(tf.cast(x, tf.float32), shape))
    return tf.concat(parts, axis=-1)

  def get_config(self):
    return {**super().get_config(), "size": self.size}


def ego_motion(bottleneck: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
  """From features [N, 1, 1, C]: six numbers [N, 1, 1, 6]; their halves, rotation and translation.

  Before scaling.
  """
  motion = tf.keras.layers.Conv2D(6, 1, use_bias=False, name="ego_motion")(bottleneck)
  return motion, *Halves(name="ego_motion_parts")(motion)


def camera(bottleneck: tf.Tensor) -> tf.Tensor:
  """Focal lengths and centre in image widths and heights, [N, 1, 1, 4]; the centre starts at 0.5."""
  focal = tf.keras.layers.Conv2D(2, 1, activation="softplus", dtype="float32", name="focal")
  centre = tf.keras.layers.Conv2D(2, 1, use_bias=False, dtype="float32", name="centre")
  half = tf.keras.layers.Rescaling(1.0, offset=0.5, dtype="float32", name="centre_offset")
  joined = tf.keras.layers.Concatenate(dtype="float32", name="camera")
  return joined([focal(bottleneck), half(centre(bottleneck))])


def join(
  task,
  rotation: tf.Tensor,
  translation: tf.Tensor,
  field: tf.Tensor | None,
  bottleneck: tf.Tensor,
  size: Sequence[int],
  auto_mask: bool = False,
  burn_in_calls: int = 0,
  scales: Sequence[float] | None = None,
) -> tf.Tensor:
  """The raw output of `motion.Motion`.

  Args:
    task: the task.
    rotation: from `ego_motion`.
    translation: the same.
    field: [N, h, w, 3] before scaling, or None.
    bottleneck: features [N, 1, 1, C], for the camera.
    size: (height, width) of the field.
    auto_mask: see `AutoMask`.
    burn_in_calls: see `BurnIn`; 0 for none.
    scales: fixed factors of rotation and of translations; None: learnt ones (`LearnedScale`), as published. Those
      shrink to their minimum while a network does not know yet which way things move, and 0 is its best guess.

  Returns:
    [N, h, w, task.raw_channels] float32; 1 x 1 pixel without a field.
  """
  rotation_scale, scaled = (
    LearnedScale(name=name)
    if scales is None
    else tf.keras.layers.Rescaling(scales[i], dtype="float32", name=name)
    for i, name in enumerate(("rotation_scale", "translation_scale"))
  )
  rotation = rotation_scale(rotation)
  if field is None:
    parts, size = [rotation, scaled(translation)], (1, 1)
  else:
    translation, field = (
      scaled([translation, field]) if scales is None else (scaled(translation), scaled(field))
    )
    if auto_mask:
      field = AutoMask(dtype="float32", name="auto_mask")(field)
    if burn_in_calls:
      field = BurnIn(burn_in_calls, dtype="float32", name="burn_in")(field)
    parts = [rotation, translation, field]
  if task.learn_intrinsics:
    parts.append(camera(bottleneck))
  return Join(size, name=f"{task.name}_raw")(parts)
