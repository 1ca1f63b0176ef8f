"""Semantic segmentation."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.tasks import task as task_lib

IGNORE = 255
ABSENT = ("leave_out", "zero")


class Segmentation(task_lib.Task):
  """The class of every pixel.

  One output, "segmentation": predictions [..., num_classes] logits; labels [..., 1] class numbers,
  255 where a label is missing.

  Attributes:
    name: "segmentation".
  """

  name = "segmentation"

  def __init__(
    self,
    num_classes: int,
    class_weights: Sequence[float] | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
    absent_classes: str = "leave_out",
  ):
    """Segmentation.

    Args:
      num_classes: at most 255.
      class_weights: weight of each class in the loss; None weighs all alike.
      groups: name -> class numbers; the metric "miou_<name>" is the mean over them, e.g. over
        pedestrians and vehicles.
      absent_classes: what a class counts in a mean IoU that is neither in the labels nor in the
        predictions: "leave_out" (not at all, as the mtan family) or "zero" (0, as Vandenhende et al.
        2021).

    Raises:
      ValueError: an argument is out of its range.
    """
    if not 0 < num_classes <= IGNORE:
      raise ValueError(f"Segmentation.num_classes must be in 1..{IGNORE}. Received: {num_classes}.")
    if class_weights is not None and len(class_weights) != num_classes:
      raise ValueError(
        f"Segmentation.class_weights needs {num_classes} numbers. Received: {len(class_weights)}."
      )
    if absent_classes not in ABSENT:
      raise ValueError(
        f"Segmentation.absent_classes must be one of {ABSENT}. Received: {absent_classes!r}."
      )
    for group, classes in (groups or {}).items():
      if not classes or min(classes) < 0 or max(classes) >= num_classes:
        raise ValueError(
          f"Segmentation.groups[{group!r}] must be class numbers in 0..{num_classes - 1}. "
          f"Received: {classes!r}."
        )
    self.num_classes = num_classes
    self._class_weights = None if class_weights is None else tuple(class_weights)
    self._groups = {name: tuple(classes) for name, classes in (groups or {}).items()}
    self._absent_classes = absent_classes

  @property
  def outputs(self):
    return {
      "segmentation": task_lib.Output(
        channels=self.num_classes,
        unit="logits of classes",
        missing=float(IGNORE),
        label_channels=1,
      )
    }

  @property
  def raw_channels(self):
    return self.num_classes

  def decode(self, raw):
    """Logits as they are."""
    return {"segmentation": raw}

  def loss(self, labels, predictions):
    """cross_entropy: mean over labelled pixels, weighted by the weight of their class.

    Raises:
      InvalidArgumentError: a label is neither a class nor 255 (not checked under XLA).
    """
    numbers, known = self._numbers(labels["segmentation"])
    # Where there is no label the prediction is replaced, so that nothing there can make a gradient.
    logits = predictions["segmentation"]
    logits = tf.where(known[..., tf.newaxis] > 0, logits, tf.zeros_like(logits))
    values = tf.nn.sparse_softmax_cross_entropy_with_logits(numbers, logits)
    weights = known
    if self._class_weights is not None:
      weights *= tf.gather(tf.constant(self._class_weights, logits.dtype), numbers)
    return {"cross_entropy": task_lib.masked_mean(values, weights)}

  def metrics(self):
    """accuracy: share of labelled pixels; miou: mean IoU over all classes; miou_<group>: over some."""
    metrics = {
      "accuracy": task_lib.TaskMetric(self._accuracy, name="accuracy"),
      "miou": MeanIou(self, range(self.num_classes), self._absent_classes, name="miou"),
    }
    for group, classes in self._groups.items():
      name = f"miou_{group}"
      metrics[name] = MeanIou(self, classes, self._absent_classes, name=name)
    return metrics

  def confusion(self, labels, predictions) -> tf.Tensor:
    """Counts of labelled pixels by label and prediction: [num_classes, num_classes] float32."""
    numbers, known = self._numbers(labels["segmentation"])
    found = tf.argmax(predictions["segmentation"], axis=-1, output_type=tf.int32)
    cell = tf.reshape(numbers * self.num_classes + found, [-1])
    counts = tf.math.unsorted_segment_sum(tf.reshape(known, [-1]), cell, self.num_classes**2)
    return tf.reshape(counts, [self.num_classes, self.num_classes])

  def sample_weights(self, labels):
    return tf.cast(labels["segmentation"] != IGNORE, tf.float32)

  def _accuracy(self, labels, predictions):
    numbers, known = self._numbers(labels["segmentation"])
    found = tf.argmax(predictions["segmentation"], axis=-1, output_type=tf.int32)
    return tf.cast(found == numbers, tf.float32), known

  def _numbers(self, label):
    """Class numbers [...] int32, 0 where missing, and 1 where there is a label."""
    if label.shape[-1] != 1:
      raise ValueError(
        f"{self.name}: labels must be class numbers, [..., 1]. Received shape: {label.shape}."
      )
    label = tf.cast(label[..., 0], tf.int32)
    known = label != IGNORE
    numbers = tf.where(known, label, tf.zeros_like(label))
    checks = [
      tf.debugging.assert_non_negative(numbers, f"{self.name}: a label is below 0."),
      tf.debugging.assert_less(
        numbers,
        self.num_classes,
        f"{self.name}: a label is neither one of {self.num_classes} classes nor {IGNORE}.",
      ),
    ]
    with tf.control_dependencies([check for check in checks if check is not None]):
      return tf.identity(numbers), tf.cast(known, tf.float32)


class MeanIou(tf.keras.metrics.Metric):
  """Mean over classes of intersection over union, pixels of all samples pooled.

  Args:
    task: the `Segmentation`.
    classes: class numbers of which the mean is taken.
    absent_classes: see `Segmentation`.
    name: of the metric.
  """

  def __init__(self, task: Segmentation, classes: Sequence[int], absent_classes: str, name: str):
    super().__init__(name=name)
    self._task = task
    self._classes = tuple(classes)
    self._absent_classes = absent_classes
    size = task.num_classes
    self._counts = self.add_weight(name="counts", shape=[size, size], initializer="zeros")

  def update(self, labels, predictions):
    self.update_state(self._task.confusion(labels, predictions))

  def update_state(self, counts: tf.Tensor):
    self._counts.assign_add(counts)

  def reset_state(self):
    self._counts.assign(tf.zeros_like(self._counts))

  def result(self) -> tf.Tensor:
    return mean_iou(self._counts, self._classes, self._absent_classes)


def mean_iou(counts: tf.Tensor, classes: Sequence[int], absent_classes: str) -> tf.Tensor:
  """Mean IoU over some classes of a confusion matrix [label, prediction]; 0 if all are absent."""
  hits = tf.linalg.diag_part(counts)
  union = tf.reduce_sum(counts, axis=0) + tf.reduce_sum(counts, axis=1) - hits
  iou = tf.gather(tf.math.divide_no_nan(hits, union), list(classes))
  if absent_classes == "zero":
    return tf.reduce_mean(iou)
  present = tf.cast(tf.gather(union, list(classes)) > 0, iou.dtype)
  return tf.math.divide_no_nan(tf.reduce_sum(iou), tf.reduce_sum(present))
