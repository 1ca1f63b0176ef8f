"""From predictions at anchors to a list of boxes: what an exported detector answers."""

import tensorflow as tf

from tf_taskology.geometry import anchors as anchors_lib, box_suppression, boxes as boxes_lib
from tf_taskology.tasks import anchor_targets, detection

_LARGEST_LOG = 3.0  # sizes beyond e^3 anchors are no vehicle, and their areas would overflow


class BoxDecoder:
  """Boxes of the anchors with the best scores, after non-maximum suppression.

  mAP is sensitive to all of these settings, so a result names them.
  """

  def __init__(
    self,
    anchors: anchors_lib.Anchors,
    num_classes: int = 1,
    max_boxes: int = 100,
    candidates: int = 1000,
    score_threshold: float = 0.1,
    iou_threshold: float = 0.5,
    overlap: str = "rotated",
  ):
    """Box decoder.

    Args:
      anchors: of the predictions.
      num_classes: of the predictions.
      max_boxes: of a sweep, at most.
      candidates: anchors with the best scores that suppression sees.
      score_threshold: probability above which an anchor is a candidate.
      iou_threshold: see `box_suppression.suppress`. 0.7 of public code leaves duplicates.
      overlap: see there.

    Raises:
      ValueError: a number below 1.
    """
    if min(max_boxes, candidates, num_classes) < 1:
      raise ValueError(
        "BoxDecoder.max_boxes, candidates and num_classes must be >= 1. "
        f"Received: {max_boxes}, {candidates}, {num_classes}."
      )
    self._anchors = anchors
    self._num_classes = num_classes
    self._max_boxes = max_boxes
    self._candidates = min(candidates, anchors.count)
    self._settings = {
      "iou_threshold": iou_threshold,
      "score_threshold": score_threshold,
      "overlap": overlap,
    }

  def __call__(self, predictions: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Boxes of each sweep.

    Args:
      predictions: of `detection.Detection`, [batch, rows, columns, channels] float32.

    Returns:
      boxes [batch, max_boxes, 7] float32, scores [batch, max_boxes] float32 (probabilities, best
      first), classes [batch, max_boxes] int32 (from 1), num_boxes [batch] int32. 0 behind the last.
    """
    split = lambda name, size: tf.reshape(predictions[name], [-1, self._anchors.count, size])
    probabilities = tf.sigmoid(split(detection.BOX_LOGITS, self._num_classes))
    scores, best = tf.math.top_k(tf.reduce_max(probabilities, axis=-1), self._candidates)
    take = lambda values: tf.gather(values, best, batch_dims=1)
    classes = 1 + tf.argmax(take(probabilities), axis=-1, output_type=tf.int32)
    anchors = tf.gather(tf.constant(self._anchors.boxes().reshape(-1, boxes_lib.SIZE)), best)
    boxes = self._boxes(
      take(split(detection.BOX_RESIDUALS, boxes_lib.SIZE)),
      anchors,
      take(split(detection.BOX_DIRECTIONS, 2)),
    )
    kept = box_suppression.suppress(
      boxes, scores, self._max_boxes, classes=classes, **self._settings
    )
    return {
      "boxes": kept.gather(boxes),
      "scores": kept.gather(scores),
      "classes": kept.gather(classes),
      "num_boxes": tf.reduce_sum(tf.cast(kept.valid, tf.int32), axis=-1),
    }

  def _boxes(self, residuals, anchors, directions):
    sizes = tf.clip_by_value(residuals[..., 3:6], -_LARGEST_LOG, _LARGEST_LOG)
    residuals = tf.concat([residuals[..., :3], sizes, residuals[..., 6:]], axis=-1)
    boxes = boxes_lib.decode(residuals, anchors)
    bins = tf.argmax(directions, axis=-1, output_type=tf.int32)
    heading = anchor_targets.turn_to_bin(boxes[..., 6], bins)
    return tf.concat([boxes[..., :6], heading[..., tf.newaxis]], axis=-1)
