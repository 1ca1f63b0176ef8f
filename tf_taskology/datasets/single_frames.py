"""Every frame of a data set as a sample of its own."""

import tensorflow as tf

from tf_taskology.datasets import element, source as source_lib


class SingleFrames(source_lib.Source):
  """The frames of another source's samples, one by one: batches then hold more scenes.

  What is in a common frame of reference stays in it. Names get "/<frame>".

  Args:
    source: the other source; of point clouds, for images have a size besides.
  """

  def __init__(self, source: source_lib.Source):
    if isinstance(source, source_lib.ImageSource):
      raise ValueError(
        f"SingleFrames.source must be a source of point clouds. Received: {source.describe()}."
      )
    self._source = source

  @property
  def num_frames(self) -> int:
    return 1

  @property
  def labels(self):
    return self._source.labels

  @property
  def element_spec(self):
    def alone(spec):
      return tf.TensorSpec([1, *spec.shape[1:]], spec.dtype) if spec.shape.rank else spec

    return tf.nest.map_structure(alone, self._source.element_spec)

  def num_samples(self, split: str) -> int:
    return self._source.num_samples(split) * self._source.num_frames

  def dataset(self, split: str) -> tf.data.Dataset:
    dataset = self._source.dataset(split).flat_map(self._frames)
    return dataset.apply(tf.data.experimental.assert_cardinality(self.num_samples(split)))

  def describe(self) -> str:
    return f"{self._source.describe()}, frame by frame"

  def prepare(self):
    self._source.prepare()

  def _frames(self, sample):
    frames = self._source.num_frames
    numbers = tf.strings.as_string(tf.range(frames))
    names = tf.strings.join([tf.fill([frames], sample[element.SAMPLE_ID]), numbers], "/")
    rest = {name: value for name, value in sample.items() if name != element.SAMPLE_ID}
    alone = tf.nest.map_structure(lambda value: value[:, tf.newaxis], rest)
    return tf.data.Dataset.from_tensor_slices({**alone, element.SAMPLE_ID: names})
