"""Two frames of a sample, seen in both directions at the resolution of predictions."""

import abc
from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.consistency import consistency_loss
from tf_taskology.geometry import cameras


class Pair:
  """Both directions between two frames, one after the other along the batch axis.

  Attributes:
    image: [2 batch, height, width, 3] float, colours in 0..1 at the pixels of the prediction: those of the source
      frame, averaged over the footprint of a prediction's pixel. This takes away noise, and widens the range from
      which wrong depth finds the right one.
    other_image: [2 batch, H, W, 3], those of the target frame at full resolution, averaged likewise.
    stride: pixels of the image between two of the prediction.
    intrinsics, other_intrinsics: [2 batch, 3, 3], pixels of the prediction.
    motion: [2 batch, 4, 4], source camera to target camera, metres.
  """

  def __init__(self, image, intrinsics, pose, frames: Sequence[int], size, dtype):
    """Reads the frames.

    Args:
      image: [batch, frames, H, W, 3] uint8, or float in 0..255.
      intrinsics: [batch, frames, 3, 3], pixels of `image`.
      pose: [batch, frames, 4, 4], camera to world.
      frames: numbers of the two frames.
      size: (height, width) of the prediction.
      dtype: of the results.
    """
    self._frames = tuple(frames)
    self.stride = cameras.stride(tuple(image.shape[-3:-1]), tuple(size))
    intrinsics = cameras.scale_intrinsics(tf.cast(intrinsics, dtype), 1 / self.stride)
    image, self.other_image = self.directions(footprint_mean(image, self.stride, dtype))
    self.image = image[..., :: self.stride, :: self.stride, :]
    self.intrinsics, self.other_intrinsics = self.directions(intrinsics)
    self.motion = cameras.relative_pose(*self.directions(tf.cast(pose, dtype)))

  def directions(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """[batch, frames, ...] -> what belongs to source and target frames, twice [2 batch, ...]."""
    first, second = x[:, self._frames[0]], x[:, self._frames[1]]
    return tf.concat([first, second], axis=0), tf.concat([second, first], axis=0)


class TwoFrames(consistency_loss.ConsistencyLoss):
  """A relation of depth in two frames of a scene that stands still, with known camera motion."""

  def __init__(
    self,
    weights=None,
    labelled_weights=None,
    jit_compile: bool = True,
    frames: Sequence[int] = (0, 1),
    name: str | None = None,
  ):
    """Checks the arguments.

    Args:
      weights: see `ConsistencyLoss`.
      labelled_weights: see `ConsistencyLoss`.
      jit_compile: run the loss under XLA.
      frames: the two frames of the sample.
      name: of the tf.Module.

    Raises:
      ValueError: frames that are no such pair, or as `ConsistencyLoss`.
    """
    if len(frames) != 2 or frames[0] == frames[1] or min(frames) < 0:
      raise ValueError(
        f"{type(self).__name__}.frames must be two different frame numbers >= 0. "
        f"Received: {frames!r}."
      )
    self._frames = tuple(frames)
    super().__init__(weights, labelled_weights, name)
    self._terms = consistency_loss.compiled(self._compute, jit_compile)

  @property
  def needs(self):
    return {"depth": self._frames}

  @property
  def needs_inputs(self):
    return ("intrinsics", "pose")

  def __call__(self, predictions, inputs, labels=None):
    read = {"depth": {**predictions, **(labels or {})}["depth"]}
    read.update({field: inputs[field] for field in ("image", *self.needs_inputs)})
    for field, value in read.items():
      if max(self._frames) >= value.shape[1]:
        raise ValueError(
          f"{type(self).__name__}.frames={self._frames} but {field!r} has {value.shape[1]} frames."
        )
    return self._terms(**read)

  @abc.abstractmethod
  def _compute(self, depth, image, intrinsics, pose):
    """The terms, of the whole sample's tensors."""


def footprint_mean(image: tf.Tensor, stride: int, dtype) -> tf.Tensor:
  """Colours of [batch, frames, H, W, 3] in 0..1, means over the odd window that reaches halfway to the next stride."""
  image = tf.cast(image, dtype) / 255
  window = 2 * (stride // 2) + 1
  if window == 1:
    return image
  folded = tf.nn.avg_pool2d(tf.reshape(image, [-1, *image.shape[2:]]), window, 1, "SAME")
  return tf.reshape(folded, tf.shape(image))
