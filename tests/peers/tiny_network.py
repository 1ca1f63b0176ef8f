"""The smallest network that can be published, and its tasks."""

import tensorflow as tf

from tf_taskology.tasks import depth, surface_normals

SIZE = (8, 12)


def tasks():
  return [depth.Depth(), surface_normals.SurfaceNormals()]


def build(size=SIZE):
  """Stride 2; with batch normalisation, whose statistics are not trained."""
  image = tf.keras.Input((*size, 3), name="image")
  x = tf.keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
  x = tf.keras.layers.Conv2D(4, 3, 2, "same")(x)
  x = tf.keras.layers.BatchNormalization()(x)
  x = tf.keras.layers.ReLU()(x)
  outputs = {
    task.name: tf.keras.layers.Conv2D(task.raw_channels, 1, dtype="float32", name=task.name)(x)
    for task in tasks()
  }
  return tf.keras.Model(image, outputs, name="tiny")


def predict(network, image):
  """What the network says, by output name, float32."""
  raw = network(tf.cast(image, tf.float32), training=False)
  predictions = {}
  for task in tasks():
    predictions.update(task.decode(raw[task.name]))
  return {name: value.numpy() for name, value in predictions.items()}
