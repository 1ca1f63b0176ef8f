"""The motion network of "Depth from Videos in the Wild" (Gordon et al. 2019) and of its successor DML."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.networks import layers, motion_heads

_CHANNELS = (16, 32, 64, 128, 256, 512, 1024)


class MotionFromVideo:
  """Builds an encoder of seven strided convolutions and a field that is refined level by level.

  The mean over the coarsest level gives rotation and translation of the camera, and its focal lengths
  and centre; the field of objects' translations starts there and is refined with the features of
  each level, the frames themselves last. With the defaults, `channels_per_frame=4` and a task that
  learns intrinsics it has the published 44,180,049 parameters.

  Args:
    first_field: "residual", a 1x1 convolution of the camera's motion (DML), or "translation", the
      camera's translation (DVW).
    align_corners: how fields are upsampled; DML aligns the corners of the images, DVW does not.
    channels_per_frame: 3 for colours; 4 if depth follows them, as DML's default.
    auto_mask: zero the field where it is no longer than its mean over the batch, as DML does.
    burn_in_calls: training calls in the first half of which the field is held at 0, to grow linearly
      in the second; DML has 20000, DVW 0.
    input_scaling: "unit", colours in 0..1 as published, or as `layers.ScaleImage`.
    width: channels of the first level; all others are in proportion. Published: 16.
    name: of the Keras model.

  Raises:
    ValueError: an argument is out of its range.
  """

  def __init__(
    self,
    first_field: str = "residual",
    align_corners: bool = True,
    channels_per_frame: int = 3,
    auto_mask: bool = False,
    burn_in_calls: int = 0,
    input_scaling: str = "unit",
    width: int = 16,
    name: str = "motion_from_video",
  ):
    if first_field not in ("residual", "translation"):
      raise ValueError(
        f"MotionFromVideo: first_field must be 'residual' or 'translation', got {first_field!r}."
      )
    if width <= 0:
      raise ValueError(f"MotionFromVideo: width must be positive, got {width}.")
    self._first_field = first_field
    self._align_corners = align_corners
    self._channels_per_frame = motion_heads.check_channels("MotionFromVideo", channels_per_frame)
    self._auto_mask = auto_mask
    self._burn_in_calls = burn_in_calls
    self._input_scaling = input_scaling
    self._width = width
    self._name = name

  def __call__(self, tasks: Sequence, image_size: Sequence[int]) -> tf.keras.Model:
    """Builds the network.

    Args:
      tasks: one `motion.Motion`.
      image_size: (height, width) in pixels, any.

    Returns:
      Keras model: "image" [N, H, W, 6] float32 in 0..255, source and target frame one after the other
      (channels_per_frame 4: colours and depth in metres of each, [N, H, W, 8]) -> {task name: [N, H,
      W, raw_channels] float32}, or 1 x 1 pixel if the task has no object motion.

    Raises:
      ValueError: other tasks.
    """
    task = motion_heads.check_task("MotionFromVideo", tasks)
    height, width = layers.check_image_size("MotionFromVideo", image_size, 1)
    image = tf.keras.Input((height, width, 2 * self._channels_per_frame), name="image")
    pair = motion_heads.ScalePair(self._input_scaling, name="scale_pair")(image)
    features = [pair]
    for level, channels in enumerate(_CHANNELS, 1):
      channels = max(1, channels * self._width // _CHANNELS[0])
      convolution = tf.keras.layers.Conv2D(
        channels, 3, 2, padding="same", activation="relu", name=f"conv{level}"
      )
      features.append(convolution(features[-1]))
    bottleneck = tf.keras.layers.GlobalAveragePooling2D(keepdims=True, name="bottleneck")(
      features[-1]
    )
    ego_motion, rotation, translation = motion_heads.ego_motion(bottleneck)
    field = None
    if task.object_motion:
      field = translation
      if self._first_field == "residual":
        field = tf.keras.layers.Conv2D(3, 1, name="first_field")(ego_motion)
      for level in range(len(_CHANNELS), -1, -1):
        field = self._refine(field, features[level], f"refine{level}")
    raw = motion_heads.join(
      task,
      rotation,
      translation,
      field,
      bottleneck,
      (height, width),
      auto_mask=self._auto_mask,
      burn_in_calls=self._burn_in_calls,
    )
    return tf.keras.Model(image, {task.name: raw}, name=self._name)

  def _refine(self, field, features, name):
    """The field at the size of the features, plus what two towers of convolutions make of both."""
    channels = max(4, features.shape[-1])
    field = motion_heads.ResizeTo(self._align_corners, name=f"{name}_resize")([field, features])
    x = tf.keras.layers.Concatenate(name=f"{name}_concat")([field, features])

    def convolve(y, suffix):
      return tf.keras.layers.Conv2D(
        channels, 3, padding="same", activation="relu", name=f"{name}_{suffix}"
      )(y)

    towers = [convolve(x, "a"), convolve(convolve(x, "b1"), "b2")]
    x = tf.keras.layers.Concatenate(name=f"{name}_towers")(towers)
    change = tf.keras.layers.Conv2D(3, 1, use_bias=False, name=f"{name}_change")(x)
    return tf.keras.layers.Add(name=f"{name}_add")([field, change])
