"""Pictures, as networks look at them."""

import numpy as np
import tensorflow as tf

from tf_taskology.datasets import element, observation

_CHANNELS = {"frame": 3, "pair": 6}
_ANY_SIZE = 64  # rows and columns of an example for networks that take pictures of any size


class ImageObservation(observation.Observation):
  """[frames, height, width, 3] uint8. Networks get [n, height, width, 3 or 6] float32 in 0..255, see `element.fold`."""

  name = "image"
  inputs = {element.IMAGE: tf.uint8}
  takes = ("frame", "pair")
  kept = (element.IMAGE, element.INTRINSICS)

  def check_source(self, source):
    if not hasattr(source, "image_size"):
      raise ValueError(f"{source.describe()} gives no images, which the module's tasks look at.")

  def seen_by_own(self, part):
    return {element.IMAGE: part.get(element.AUGMENTED_IMAGE, part[element.IMAGE])}

  def fold(self, seen, takes):
    return {element.IMAGE: element.fold(seen[element.IMAGE], takes)}

  def build(self, network, tasks, source):
    return network(tasks, source.image_size)

  def check_network(self, owner, network, takes):
    expected, channels = _CHANNELS[takes], network.inputs[0].shape[-1]
    if channels != expected:
      raise ValueError(
        f"{owner}: its tasks take a {takes}, {expected} channels of colour, but its network takes {channels}."
      )

  def run(self, network, folded, takes, training=False):
    return network(tf.cast(folded[element.IMAGE], tf.float32), training=training)

  def output_size(self, network, tasks):
    for task in tasks:
      if not all(output.per_image for output in task.outputs.values()):
        return tuple(network.output[task.name].shape[1:3])
    return None

  def answer_size(self, source):
    return source.image_size

  def at_size(self, labels, size):
    return dict(labels) if size is None else element.subsample(labels, *size)

  def mirror(self, batch, mirrored):
    return element.flip_left_right(batch, mirrored)

  def augment(self, batch, augmentation, seed):
    """Adds "augmented_image", which only the own network sees; labels, poses and the image itself stay."""
    return {**batch, element.AUGMENTED_IMAGE: augmentation(batch[element.IMAGE], seed)}

  def input_specs(self, network, takes):
    channels = network.inputs[0].shape[3]
    return {element.IMAGE: tf.TensorSpec([None, None, None, channels], tf.uint8, element.IMAGE)}

  def example(self, network, takes):
    _, *size, channels = network.inputs[0].shape
    shape = [1, *(side or _ANY_SIZE for side in size), channels]
    return {element.IMAGE: np.full(shape, 128, np.uint8)}

  def describe_network(self, network):
    return {"image_size": list(network.inputs[0].shape[1:3])}
