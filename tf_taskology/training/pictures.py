"""Pictures of a module's answers for TensorBoard."""

import tensorflow as tf

from tf_taskology.datasets import element, observations
from tf_taskology.training import point_pictures

_NUM_IMAGES = 4
_NUM_FRAMES = 2  # enough for modules that take pairs


class Drawer:
  """Draws a few dedicated and mediator samples with what the model says of them.

  Args:
    datasets: name of the row of pictures -> dataset of single elements, of which the first are taken.
  """

  def __init__(self, datasets: dict[str, tf.data.Dataset]):
    self._seen = {}
    for name, dataset in datasets.items():
      batch = next(iter(dataset.take(_NUM_IMAGES).batch(_NUM_IMAGES)))
      self._seen[name] = observations.of_element(batch).seen(batch)

  def __call__(self, model: tf.keras.Model) -> dict[str, tf.Tensor]:
    """name -> [n, height, width, 3] float32 in 0..1: what is seen and predictions side by side."""
    return {name: _picture(seen, model) for name, seen in self._seen.items()}


def _picture(seen, model):
  if element.IMAGE not in seen:
    return point_pictures.from_above(seen, model(seen, training=False))
  image = seen[element.IMAGE][:, :_NUM_FRAMES]
  return side_by_side(image, model(image, training=False))


def side_by_side(image: tf.Tensor, predictions: dict[str, tf.Tensor]) -> tf.Tensor:
  """The first frame of images and of predictions (or pair of those) in one row of pictures.

  What holds of the frame as a whole, 1 x 1 pixel, is left out.

  Args:
    image: [n, frames, height, width, 3] uint8.
    predictions: output name -> [n, frames, h, w, channels].
  """
  size = image.shape[2:4]
  columns = [tf.cast(image[:, 0], tf.float32) / 255.0]
  for prediction in predictions.values():
    if prediction.shape[2:4] == (1, 1):
      continue
    columns.append(tf.image.resize(_colored(prediction[:, 0]), size, method="nearest"))
  return tf.concat(columns, axis=2)


def _colored(values: tf.Tensor) -> tf.Tensor:
  """[n, h, w, channels] -> RGB: directions as (n + 1) / 2, scalars as grey from near (light) to far, classes as greys."""
  channels = values.shape[-1]
  if channels == 3:
    return tf.clip_by_value((values + 1) / 2, 0.0, 1.0)
  if channels > 1:
    values = tf.cast(tf.argmax(values, axis=-1)[..., tf.newaxis], tf.float32) / channels
  else:
    low = tf.reduce_min(values, axis=[1, 2, 3], keepdims=True)
    values = low / tf.maximum(values, 1e-6)
  return tf.repeat(values, 3, axis=-1)
