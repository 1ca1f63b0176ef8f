"""`tf_taskology.train` that also keeps the final weights in the file $WEIGHTS_FILE, for a test to compare."""

import functools
import os

import numpy as np
import tensorflow as tf

from tf_taskology import train
from tf_taskology.training import startup, trainer


def normalised_network(tasks, image_size):
  """A tiny network with batch normalisation, whose statistics are averaged over workers."""
  image = tf.keras.Input((*image_size, 3), name="image")
  x = tf.keras.layers.Rescaling(1 / 127.5, -1)(image)
  x = tf.keras.layers.Conv2D(8, 3, 2, padding="same")(x)
  x = tf.keras.layers.ReLU()(tf.keras.layers.BatchNormalization(momentum=0.5)(x))
  heads = {
    task.name: tf.keras.layers.Conv2D(task.raw_channels, 3, padding="same", name=task.name)(x)
    for task in tasks
  }
  return tf.keras.Model(image, heads)


class _KeepWeights(tf.keras.callbacks.Callback):
  def on_train_end(self, logs=None):
    np.savez(os.environ["WEIGHTS_FILE"], *self.model.network.get_weights())


if __name__ == "__main__":
  trainer.train = functools.partial(trainer.train, extra_callbacks=[_KeepWeights()])
  startup.run(train.main)
