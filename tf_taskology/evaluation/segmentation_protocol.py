"""Intersection over union of segmentations, pixels of the whole split pooled."""

from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.evaluation import protocol
from tf_taskology.tasks import road_classes, segmentation

ABSENT = ("leave_out", "zero", "one")


class SegmentationProtocol(protocol.Protocol):
  """Mean IoU over all classes and over groups of them, IoU of every class, and pixel accuracy.

  One confusion matrix is summed over the split; IoU = hits / (labelled + predicted - hits), as PASCAL VOC and
  Cityscapes take it. Pixels without a label (255) count nowhere, whatever is predicted there.

  A class is absent if its union is empty: no pixel of the whole split is labelled or predicted as it. Public code
  differs in what it counts then, so the convention has a name:
    leave_out: not at all; the mean is over the classes that are there (nanmean, as the mtan family does).
    zero: IoU 0 (Vandenhende et al. 2021).
    one: IoU 1, for nothing was done wrong.
  A class that is predicted but never labelled is not absent: its IoU is 0. With "leave_out" the IoU of an absent
  class, and the mean over a group of which all are absent, are not defined and not reported.
  """

  def __init__(
    self,
    name: str = "segmentation",
    output: str = "segmentation",
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
    absent_classes: str = "leave_out",
    per_class: bool = True,
  ):
    """Segmentation.

    Args:
      name: heading in tables.
      output: the output compared: logits (or probabilities), one channel a class; labels are class numbers.
      num_classes: how many classes there are; None for the number of names, or the table of `tasks.road_classes` with
        its groups if there are no names either.
      class_names: a name for each class; None for numbers.
      groups: name -> class numbers, for means over some classes, e.g. pedestrians and vehicles.
      absent_classes: "leave_out", "zero" or "one", see above.
      per_class: also report the IoU of every class.

    Raises:
      ValueError: an argument is out of its range.
    """
    if num_classes is None and class_names is None:
      class_names = [c.name for c in road_classes.CLASSES]
      groups = road_classes.groups() if groups is None else groups
    num_classes = len(class_names) if num_classes is None else num_classes
    if not 0 < num_classes <= segmentation.IGNORE:
      raise ValueError(
        f"SegmentationProtocol.num_classes must be in 1..{segmentation.IGNORE}. Received: {num_classes}."
      )
    class_names = class_names or [f"class {i}" for i in range(num_classes)]
    if len(class_names) != num_classes or len(set(class_names)) < num_classes:
      raise ValueError(
        f"SegmentationProtocol.class_names must be {num_classes} different names. Received: {list(class_names)}."
      )
    for group, classes in (groups or {}).items():
      if not classes or min(classes) < 0 or max(classes) >= num_classes:
        raise ValueError(
          f"SegmentationProtocol.groups[{group!r}] must be class numbers in 0..{num_classes - 1}. Received: {classes!r}."
        )
    if absent_classes not in ABSENT:
      raise ValueError(
        f"SegmentationProtocol.absent_classes must be one of {ABSENT}. Received: {absent_classes!r}."
      )
    self.name = name
    self.outputs = (output,)
    self._num_classes = num_classes
    self._names = tuple(class_names)
    self._groups = {group: tuple(classes) for group, classes in (groups or {}).items()}
    self._absent = absent_classes
    self._per_class = per_class
    self.reset()

  @property
  def description(self) -> str:
    absent = {"leave_out": "is left out of means", "zero": "counts 0", "one": "counts 1"}
    groups = "; ".join(
      f"{group}: {', '.join(self._names[i] for i in classes)}"
      for group, classes in self._groups.items()
    )
    return (
      f"one confusion matrix of {self._num_classes} classes over the split, pixels without a label left out; a class "
      f"that is neither labelled nor predicted anywhere {absent[self._absent]}"
      + (f"; {groups}" if groups else "")
    )

  @property
  def metrics(self) -> dict[str, protocol.Metric]:
    metrics = {"miou": protocol.Metric("mIoU", "%", True)}
    for group in self._groups:
      metrics[f"miou_{group}"] = protocol.Metric(f"mIoU, {group}", "%", True)
    metrics["accuracy"] = protocol.Metric("pixel accuracy", "%", True)
    if self._per_class:
      for name in self._names:
        metrics[f"iou_{name}"] = protocol.Metric(f"IoU, {name}", "%", True)
    return metrics

  @property
  def num_images(self) -> int:
    return self._num_images

  @property
  def confusion(self) -> np.ndarray:
    """Pixels since `reset`, by label and prediction: [classes, classes] int64."""
    return self._confusion.copy()

  def reset(self):
    self._confusion = np.zeros([self._num_classes] * 2, np.int64)
    self._num_images = 0

  def update(self, labels, predictions):
    (name,) = self.outputs
    truths, logits = labels[name], predictions[name]
    if truths.ndim < 3 or truths.shape[-1] != 1:
      raise ValueError(
        f"labels[{name!r}] must be class numbers [..., height, width, 1]. Received shape {truths.shape}."
      )
    if logits.shape != (*truths.shape[:-1], self._num_classes):
      raise ValueError(
        f"predictions[{name!r}] must be [..., height, width, {self._num_classes}] with the labels' rows and columns "
        f"{truths.shape[-3:-1]}. Received shape {logits.shape}."
      )
    truths = truths[..., 0].reshape(-1, *truths.shape[-3:-1])
    logits = logits.reshape(*truths.shape, self._num_classes)
    for truth, answer in zip(truths, logits, strict=True):
      known = truth != segmentation.IGNORE
      if known.any():
        self._confusion += self._counts(truth[known], answer[known], name)
        self._num_images += 1

  def _counts(self, truth, answer, name):
    protocol.check_finite(answer, f"predictions[{name!r}]")
    outside = (truth < 0) | (truth >= self._num_classes)
    if outside.any():
      raise ValueError(
        f"labels[{name!r}] must be 0..{self._num_classes - 1}, or {segmentation.IGNORE} where missing. Received: "
        f"{sorted(set(truth[outside].tolist()))[:10]}."
      )
    cells = truth.astype(np.int64) * self._num_classes + np.argmax(answer, axis=-1)
    return np.bincount(cells, minlength=self._num_classes**2).reshape(self._confusion.shape)

  def result(self) -> dict[str, float]:
    if not self.num_images:
      raise ValueError(f"Protocol {self.name!r} saw no labelled pixel.")
    iou = self._iou()
    values = {"miou": _mean(iou)}
    for group, classes in self._groups.items():
      values[f"miou_{group}"] = _mean(iou[list(classes)])
    values["accuracy"] = np.trace(self._confusion) / self._confusion.sum()
    if self._per_class:
      values.update({f"iou_{name}": iou[i] for i, name in enumerate(self._names)})
    return {key: 100.0 * float(value) for key, value in values.items() if np.isfinite(value)}

  def _iou(self) -> np.ndarray:
    """IoU of every class, NaN for one that is left out."""
    hits = np.diag(self._confusion)
    union = self._confusion.sum(axis=0) + self._confusion.sum(axis=1) - hits
    absent = {"leave_out": np.nan, "zero": 0.0, "one": 1.0}[self._absent]
    return np.where(union > 0, hits / np.maximum(union, 1), absent)


def _mean(values: np.ndarray) -> float:
  """Mean of what is defined; NaN of nothing."""
  known = values[np.isfinite(values)]
  return float(known.mean()) if known.size else float("nan")
