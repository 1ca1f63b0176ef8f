"""Signatures of published modules that look at pictures.

  serving_default: image uint8 [n, height, width, 3] of any size -> output name: float32 [n, height, width, channels].
  serving_jpeg: image_bytes string [n], JPEG or PNG, all of one size -> the same.
  peer: image uint8 [n, height, width, 3] -> output name, in its `peer_dtype`, at the network's own resolution.

A module whose tasks take pairs gets them as `element.fold` makes them, image uint8 [n, height, width, 6], and
image_bytes as two files each, string [n, 2]. Outputs that are per image are [n, 1, 1, channels] everywhere. Images of
another size than the network's are resized to it.
"""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.datasets import element, observations
from tf_taskology.peers import resizing, signature
from tf_taskology.tasks import task as task_lib


def signatures(
  network: tf.keras.Model, tasks: Sequence[task_lib.Task]
) -> dict[str, signature.Signature]:
  """The signatures of a network that takes image [n, height, width, 3 or 6]."""
  image_size = tuple(network.inputs[0].shape[1:3])
  pairs = task_lib.takes_of(tasks) == "pair"
  observation = observations.of_tasks(tasks)
  outputs = {name: output for task in tasks for name, output in task.outputs.items()}

  def adapt(inputs):
    return {element.IMAGE: _at_network_size(inputs[element.IMAGE], image_size)}

  def serving_default(image):
    predictions = observation.predict(network, tasks, adapt({element.IMAGE: image}))
    for name, output in outputs.items():
      if output.per_image:
        continue
      value = resizing.bilinear(predictions[name], tf.shape(image)[1:3])
      if resizing.is_direction(output):
        value = tf.math.l2_normalize(value, axis=-1, epsilon=1e-12)
      predictions[name] = value
    return predictions

  def serving_jpeg(image_bytes):
    image = tf.map_fn(
      lambda encoded: tf.io.decode_image(encoded, channels=3, expand_animations=False),
      tf.reshape(image_bytes, [-1]),
      fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
    )
    return serving_default(tf.concat([image[::2], image[1::2]], axis=-1) if pairs else image)

  peer = signature.peer(network, tasks, adapt)
  encoded = tf.TensorSpec([None, 2] if pairs else [None], tf.string, name="image_bytes")
  return {
    signature.DEFAULT: signature.Signature(serving_default, peer.inputs),
    "serving_jpeg": signature.Signature(serving_jpeg, [encoded]),
    signature.PEER: peer,
  }


def _at_network_size(image, image_size):
  """uint8 images of any size -> float32 in 0..255 of the network's size."""
  image = tf.cast(image, tf.float32)
  if None in image_size:
    return image
  image = tf.cond(
    tf.reduce_all(tf.shape(image)[1:3] == tf.constant(image_size)),
    lambda: image,
    lambda: resizing.bilinear(image, image_size),
  )
  return tf.ensure_shape(image, [None, *image_size, None])
