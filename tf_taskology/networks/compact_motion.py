"""A small network for motion between small frames, for few CPU cores."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.networks import cost_volume, layers, motion_heads, second_look

_CELL = 16  # pixels
# Of thousands of numbers around 1: as they are, Adam's first steps would throw the motion out of view.
_DAMPING = 0.05


class CompactMotion:
  """Builds convolutions of both frames down to a coarse level, joined by where patches went.

  How patches moved (`cost_volume.PatchMatches`) is averaged over cells of 16 pixels, and read cell by
  cell, not as a mean over all: driving ahead moves left and right in opposite directions. If `focal` is given, a second
  look, with the second frame turned back by the rotation found (`second_look.TurnedShifts`), corrects both.

  Args:
    channels: of strides 2, 4, ...; the image size must be a multiple of the largest.
    match_strides: strides of the levels that are joined by patch matches, any of 4, 8 and 16.
    radius: of the patch matches.
    bottleneck_channels: of the features that give the camera's motion.
    field_channels: of each level on the way up to the objects' motion.
    output_stride: 2, 4, ...: the field's (x, y) is at image pixel (s x, s y).
    channels_per_frame: 3, or 4 if depth follows the colours.
    burn_in_calls: see `motion_heads.BurnIn`; 0 for none.
    focal: focal length in image widths, roughly, for a second look; None: no second look.
    scales: of rotations (radians) and translations (metres): what a last layer of ones means.
    input_scaling: "unit" or as `layers.ScaleImage`.
    name: of the Keras model.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    channels: Sequence[int] = (16, 32, 48, 64, 96),
    match_strides: Sequence[int] = (4, 8),
    radius: int = 3,
    bottleneck_channels: int = 128,
    field_channels: int = 24,
    output_stride: int = 2,
    channels_per_frame: int = 3,
    burn_in_calls: int = 0,
    focal: float | None = None,
    scales: Sequence[float] = (0.01, 0.3),
    input_scaling: str = "fixed",
    name: str = "compact_motion",
  ):
    if not match_strides or not set(match_strides) <= {4, 8, 16} or len(channels) < 4:
      raise ValueError(
        "CompactMotion: match_strides must be some of 4, 8, 16, and channels at least 4, "
        f"got {tuple(match_strides)} and {tuple(channels)}."
      )
    if focal is not None and not focal > 0:
      raise ValueError(f"CompactMotion: focal must be > 0 image widths or None, got {focal}.")
    self._channels = tuple(channels)
    self._match_strides = tuple(match_strides)
    self._radius = radius
    self._bottleneck_channels = bottleneck_channels
    self._field_channels = field_channels
    self._output_stride = layers.check_output_stride(
      "CompactMotion", output_stride, [2**level for level in range(1, len(channels) + 1)]
    )
    self._channels_per_frame = motion_heads.check_channels("CompactMotion", channels_per_frame)
    self._burn_in_calls = burn_in_calls
    self._focal = focal
    self._scales = tuple(scales)
    self._input_scaling = input_scaling
    self._name = name

  def __call__(self, tasks: Sequence, image_size: Sequence[int]) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: one `motion.Motion`.
      image_size: (height, width) in pixels.

    Returns:
      Keras model: "image" [N, H, W, 6] (or 8) as `motion_from_video.MotionFromVideo` -> {task name:
      [N, H/s, W/s, raw_channels] float32}, or 1 x 1 pixel if the task has no object motion.

    Raises:
      ValueError: other tasks, or the image size is not a multiple of the largest stride.
    """
    task = motion_heads.check_task("CompactMotion", tasks)
    size = layers.check_image_size("CompactMotion", image_size, 2 ** len(self._channels))
    image = tf.keras.Input((*size, 2 * self._channels_per_frame), name="image")
    x = motion_heads.ScalePair(self._input_scaling, name="scale_pair")(image)
    frames = motion_heads.Halves(name="frames")(x)
    matches = {
      stride: cost_volume.PatchMatches(stride, self._radius, name=f"matches{stride}")(frames)
      for stride in self._match_strides
    }
    features = self._features(x, matches)
    bottleneck = self._whole(features[-1], matches)
    field = self._field(features) if task.object_motion else None
    motion, rotation, translation = motion_heads.ego_motion(bottleneck)
    if self._focal is not None:
      rotation, translation = self._second_look(image, motion, rotation)
    raw = motion_heads.join(
      task,
      rotation,
      translation,
      field,
      bottleneck,
      [side // self._output_stride for side in size],
      burn_in_calls=self._burn_in_calls,
      scales=self._scales,
    )
    return tf.keras.Model(image, {task.name: raw}, name=self._name)

  def _features(self, x, matches):
    """Features of strides 2, 4, ...."""
    features = []
    for level, channels in enumerate(self._channels, 1):
      # Padding that centres the kernel of output x on input 2 x.
      x = tf.keras.layers.ZeroPadding2D(((1, 0), (1, 0)), name=f"down{level}_pad")(x)
      x = _convolution(channels, f"down{level}", strides=2, padding="valid")(x)
      if 2**level in matches:
        x = tf.keras.layers.Concatenate(name=f"join{level}")([x, matches[2**level]])
        x = _convolution(channels, f"joined{level}")(x)
      features.append(x)
    return features

  def _whole(self, coarsest, matches):
    """[N, 1, 1, bottleneck channels] from the coarsest features and the matches."""
    parts = [tf.keras.layers.Conv2D(24, 1, name="coarsest")(coarsest)]
    for stride, matched in matches.items():
      cell = _CELL // stride
      matched = tf.keras.layers.AveragePooling2D(cell, name=f"cells{stride}")(matched)
      matched = tf.keras.layers.Rescaling(_DAMPING, -_DAMPING, name=f"cells{stride}_scaled")(
        matched
      )
      parts.append(matched)
    parts = [tf.keras.layers.Flatten(name=f"flat{i}")(part) for i, part in enumerate(parts)]
    x = tf.keras.layers.Concatenate(name="whole")(parts)
    # Units of ReLU die here in the first steps, when no motion is the best guess.
    x = tf.keras.layers.Dense(self._bottleneck_channels, activation="elu", name="bottleneck")(x)
    return tf.keras.layers.Reshape((1, 1, -1), name="bottleneck_pixel")(x)

  def _second_look(self, image, motion, rotation):
    """Rotation and translation, [N, 1, 1, 3] each before scaling, from a first guess of both."""
    angles = tf.keras.layers.Rescaling(self._scales[0], dtype="float32", name="angles")(rotation)
    shifts = second_look.TurnedShifts(self._focal, _CELL, name="turned_shifts")([image, angles])
    x = tf.keras.layers.Rescaling(_DAMPING, name="shifts_scaled")(shifts)
    x = tf.keras.layers.Flatten(name="flat_shifts")(x)
    x = tf.keras.layers.Concatenate(name="second_whole")(
      [x, tf.keras.layers.Flatten(name="first_guess")(motion)]
    )
    x = tf.keras.layers.Dense(
      self._bottleneck_channels, activation="elu", name="second_bottleneck"
    )(x)
    # Zeros: the first guess stands until there is a reason.
    x = tf.keras.layers.Dense(6, kernel_initializer="zeros", use_bias=False, name="correction")(x)
    x = tf.keras.layers.Reshape((1, 1, 6), name="correction_pixel")(x)
    x = tf.keras.layers.Add(name="corrected")([motion, x])
    return motion_heads.Halves(name="corrected_parts")(x)

  def _field(self, features):
    level = len(features)
    x = _convolution(self._field_channels, f"field{level}")(features[-1])
    while 2**level > self._output_stride:
      level -= 1
      x = layers.Upsample(2, name=f"field{level}_up")(x)
      lateral = tf.keras.layers.Conv2D(self._field_channels, 1, name=f"field{level}_lateral")
      x = tf.keras.layers.Add(name=f"field{level}_skip")([x, lateral(features[level - 1])])
      x = _convolution(self._field_channels, f"field{level}")(x)
    # Zeros: nothing moves by itself until there is a reason.
    return tf.keras.layers.Conv2D(3, 1, kernel_initializer="zeros", name="field")(x)


def _convolution(channels, name, strides=1, padding="same"):
  return tf.keras.layers.Conv2D(
    channels, 3, strides, padding, activation="relu", kernel_initializer="he_normal", name=name
  )
