"""Reads image files inside `tf.data`, and says which file is bad."""

import re

import numpy as np
import tensorflow as tf


def read_color(path: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
  """A colour image, [height, width, 3] uint8.

  Args:
    path: string scalar.
    size: [2] int32, the (height, width) that it must have.

  Raises:
    tf.errors.InvalidArgumentError: when it runs; names the file that is missing, corrupt or of another size.
  """
  image = tf.numpy_function(_decode_color, [path, size], tf.uint8, stateful=False)
  image.set_shape([None, None, 3])
  return image


def read_depth(path: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
  """A depth image as it is stored, [height, width, 1] uint16; all 0 if the path is empty. Args, Raises: as above."""
  image = tf.numpy_function(_decode_depth, [path, size], tf.uint16, stateful=False)
  image.set_shape([None, None, 1])
  return image


def resize_color(image: tf.Tensor, top, left, crop, size: tuple[int, int]) -> tf.Tensor:
  """Crops and resizes, edges onto edges: averages what falls into a pixel, interpolates when enlarging.

  Args:
    image: [height, width, 3] uint8.
    top: int32 scalar, first row of the crop.
    left: int32 scalar, first column of the crop.
    crop: [2] int32, its (height, width).
    size: (height, width) of the result.

  Returns:
    [*size, 3] uint8.
  """
  image = image[top : top + crop[0], left : left + crop[1]]

  def reduced():
    return tf.raw_ops.ResizeArea(images=image[tf.newaxis], size=size)[0]

  def enlarged():
    return tf.image.resize(image, size, method="bilinear")

  resized = tf.cond(tf.reduce_any(crop > tf.constant(size)), reduced, enlarged)
  resized = tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)
  return tf.ensure_shape(resized, [*size, 3])


def sample(image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
  """Pixels of [h, w, C] at rows [H] and columns [W]: [H, W, C]; 0 where a row or column is -1."""
  sampled = tf.gather(tf.gather(image, tf.maximum(rows, 0)), tf.maximum(columns, 0), axis=1)
  inside = (rows >= 0)[:, tf.newaxis, tf.newaxis] & (columns >= 0)[tf.newaxis, :, tf.newaxis]
  return tf.where(inside, sampled, tf.zeros_like(sampled))


def _decode_color(path, size):
  path = _text(path)
  image = _decode(path, lambda data: tf.io.decode_image(data, channels=3, expand_animations=False))
  _check_size(path, image, size)
  return image


def _decode_depth(path, size):
  path = _text(path)
  if not path:
    return np.zeros((*size, 1), np.uint16)
  image = _decode(path, lambda data: tf.io.decode_png(data, channels=0, dtype=tf.uint16))
  if image.shape[-1] != 1:
    raise ValueError(
      f"Depth image {path!r} has {image.shape[-1]} channels; expected one channel of 16 bits."
    )
  _check_size(path, image, size)
  return image


def _text(path):
  """`numpy_function` gives bytes in a graph, and outside whatever it was called with."""
  value = np.asarray(path).item()
  return value.decode() if isinstance(value, bytes) else value


def _decode(path, decoder):
  # Graph ops would report a corrupt image without its name.
  try:
    with tf.device("CPU"):
      return decoder(tf.io.read_file(path)).numpy()
  except tf.errors.OpError as error:
    reason = re.sub(r"\{\{.*?\}\} | \[Op:.*", "", error.message)
    raise ValueError(f"Cannot read image {path!r}: {reason}") from error


def _check_size(path, image, size):
  if tuple(image.shape[:2]) != tuple(size):
    raise ValueError(
      f"Image {path!r} is {image.shape[1]}x{image.shape[0]} (width x height), but the first one of its folder "
      f"is {size[1]}x{size[0]}; all images of a recording must have one size."
    )
