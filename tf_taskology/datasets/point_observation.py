"""Point clouds, as networks look at them."""

import numpy as np
import tensorflow as tf

from tf_taskology.datasets import element, observation

POINTS = "points"
NUM_POINTS = "num_points"
BOXES = "boxes"
CLASSES = "classes"
TRACKS = "tracks"
BOX_POINTS = "box_points"
_EXAMPLE_POINTS = 64


class PointObservation(observation.Observation):
  """points [frames, n, channels] float32, of which the first `num_points` [frames] int32 count.

  x forward, y left, z up in metres, then what the sensor gives besides; all frames of a sample in one frame of
  reference. Labels of data sets are boxes [frames, m, 7], and classes, tracks, box_points [frames, m].

  Networks get {"points": [n, frames, points, channels], "num_points": [n, frames]} and answer [n, frames, rows,
  columns, channels]. Modules that take a frame are asked about single sweeps, [n, points, channels] and [n].
  """

  name = "points"
  inputs = {POINTS: tf.float32, NUM_POINTS: tf.int32}
  takes = ("frame", "sequence")
  kept = (POINTS, NUM_POINTS)

  def check_source(self, source):
    if POINTS not in source.element_spec:
      raise ValueError(
        f"{source.describe()} gives no point clouds, which the module's tasks look at."
      )

  def fold(self, seen, takes):
    if takes == "sequence":
      return dict(seen)
    return {field: element.fold_frames(value) for field, value in seen.items()}

  def build(self, network, tasks, source):
    lengths = {task.num_frames for task in tasks if task.takes == "sequence"}
    if len(lengths) > 1:
      raise ValueError(
        f"The tasks of a module must take sequences of one length. Received: {lengths}."
      )
    model = network(tasks, *lengths)
    given, taken = source.element_spec[POINTS].shape[-1], model.input[POINTS].shape[-1]
    if given != taken:
      raise ValueError(
        f"{source.describe()} gives {given} numbers a point, but the network takes {taken}: set its point_size."
      )
    return model

  def check_network(self, owner, network, takes):
    names = sorted(network.input) if isinstance(network.input, dict) else ["one tensor"]
    if names != sorted(self.inputs):
      raise ValueError(f"{owner}: its network must take {sorted(self.inputs)}. It takes: {names}.")

  def run(self, network, folded, takes, training=False):
    if takes == "sequence":
      return network(dict(folded), training=training)
    raw = network({name: value[:, tf.newaxis] for name, value in folded.items()}, training=training)
    return {name: value[:, 0] for name, value in raw.items()}

  def output_size(self, network, tasks):
    return None

  def answer_size(self, source):
    return None

  def at_size(self, labels, size):
    return dict(labels)

  def mirror(self, batch, mirrored):
    """Turns y around, and with it headings; the world is mirrored too (pose -> S pose S)."""
    sign = tf.where(mirrored, -1.0, 1.0)
    result = dict(batch)
    result[POINTS] = _scaled(batch[POINTS], 1, sign)
    if element.POSE in batch:
      mirror = tf.linalg.diag([1.0, -1.0, 1.0, 1.0])
      turned = mirror @ batch[element.POSE] @ mirror
      result[element.POSE] = tf.where(
        mirrored[:, tf.newaxis, tf.newaxis, tf.newaxis], turned, batch[element.POSE]
      )
    if BOXES in batch.get(element.LABELS, {}):
      boxes = _scaled(_scaled(batch[element.LABELS][BOXES], 1, sign), 6, sign)
      result[element.LABELS] = {**batch[element.LABELS], BOXES: boxes}
    return result

  def augment(self, batch, augmentation, seed):
    """Points and boxes move together, before anything is learnt of them and before peers are asked."""
    return augmentation(batch, seed)

  def input_specs(self, network, takes):
    _, frames, _, channels = network.input[POINTS].shape
    before = [None, frames] if takes == "sequence" else [None]
    return {
      POINTS: tf.TensorSpec([*before, None, channels], tf.float32, POINTS),
      NUM_POINTS: tf.TensorSpec(before, tf.int32, NUM_POINTS),
    }

  def example(self, network, takes):
    _, frames, _, channels = network.input[POINTS].shape
    before = (1, frames) if takes == "sequence" else (1,)
    return {
      POINTS: np.zeros([*before, _EXAMPLE_POINTS, channels], np.float32),
      NUM_POINTS: np.full(before, _EXAMPLE_POINTS, np.int32),
    }

  def describe_network(self, network):
    _, frames, _, channels = network.input[POINTS].shape
    return {"point_size": channels, "num_frames": frames}


def _scaled(values, channel, factor):
  """[batch, frames, n, channels] with one channel multiplied by `factor` [batch]."""
  chosen = tf.one_hot(channel, values.shape[-1], dtype=values.dtype)
  factor = tf.cast(factor, values.dtype)[:, tf.newaxis, tf.newaxis, tf.newaxis]
  return values * (1.0 + chosen * (factor - 1.0))
