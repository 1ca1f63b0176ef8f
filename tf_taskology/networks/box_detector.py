"""A detector as production calls it: points in, boxes after non-maximum suppression out."""

import tensorflow as tf

from tf_taskology.tasks import box_decoding, detection


class BoxDetector(tf.Module):
  """A network, its decoding and suppression as one function with a signature for export.

  Attributes:
    serve: points [N, P, point_size] float32 and num_points [N] int32 (points behind the count are
      padding) -> see `BoxDecoder`.
  """

  def __init__(
    self,
    model: tf.keras.Model,
    task: detection.Detection,
    decoder: box_decoding.BoxDecoder,
  ):
    """Detector.

    Args:
      model: network of `PointPillars` that performs the task, for any number of frames.
      task: the detection.
      decoder: of the same anchors.
    """
    super().__init__()
    self._model = model
    self._task = task
    self._decoder = decoder
    size = model.input["points"].shape[-1]
    self.serve = tf.function(
      self._serve,
      input_signature=[
        tf.TensorSpec([None, None, size], tf.float32, "points"),
        tf.TensorSpec([None], tf.int32, "num_points"),
      ],
      autograph=False,
    )

  def _serve(self, points, num_points):
    inputs = {"points": points[:, tf.newaxis], "num_points": num_points[:, tf.newaxis]}
    raw = self._model(inputs, training=False)[self._task.name]
    return self._decoder(self._task.decode(tf.cast(raw[:, 0], tf.float32)))
