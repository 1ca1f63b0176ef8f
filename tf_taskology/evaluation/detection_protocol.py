"""3D detection as the Waymo Open Dataset judges it: mAP and mAPH of volumes and of areas seen from above."""

from collections.abc import Sequence

import numpy as np

from tf_taskology.evaluation import box_samples, detection_metrics, protocol

FRAMES = ("first", "all")
_VIEWS = {"3d": (True, "3D"), "bev": (False, "BEV")}


class DetectionProtocol(protocol.Protocol):
  """AP and APH, mean over classes, at both levels of difficulty and by range.

  Reads what an exported detector answers: boxes after non-maximum suppression.

  Args:
    name: heading in tables.
    iou_threshold: overlap from which a detection is right; of each class, where it is a sequence.
    num_classes: classes, numbered from 1. One without a true box does not count.
    region: largest |x| and |y| of centres that count, metres, of detections and of truth; None: all. For networks
      whose grid is smaller than what the sensor sees.
    ranges: (from, up to) distances of centres from the origin, metres.
    frames: "first" counts the first frame of each sample, in whose frame of reference the others may be; "all" counts
      all of them, for data sets with every frame in its own.
    num_cutoffs: see `WaymoDetectionMetrics`.
  """

  outputs = ("boxes", "scores", "classes", "num_boxes")

  def __init__(
    self,
    name: str = "detection",
    iou_threshold: float | Sequence[float] = 0.7,
    num_classes: int = 1,
    region: float | None = None,
    ranges: Sequence[tuple[float, float]] = detection_metrics.RANGES,
    frames: str = "first",
    num_cutoffs: int = 101,
  ):
    if frames not in FRAMES:
      raise ValueError(f"DetectionProtocol.frames must be one of {FRAMES}. Received: {frames!r}.")
    if num_classes < 1 or (region is not None and region <= 0):
      raise ValueError(
        "DetectionProtocol needs num_classes >= 1 and a region > 0 metres or None. "
        f"Received: {num_classes} and {region}."
      )
    thresholds = np.broadcast_to(np.asarray(iou_threshold, float), [num_classes])
    self.name = name
    self._thresholds = tuple(float(t) for t in thresholds)
    self._region, self._frames = region, frames
    self._ranges = tuple(tuple(map(float, interval)) for interval in ranges)
    self._make = lambda threshold, volume: detection_metrics.WaymoDetectionMetrics(
      threshold, volume, num_cutoffs, ranges=self._ranges
    )
    self._num_cutoffs = num_cutoffs
    self.reset()

  @property
  def labels(self):
    return ("boxes", "classes", "box_points")

  @property
  def description(self):
    thresholds = ", ".join(f"{t:g}" for t in dict.fromkeys(self._thresholds))
    region = f"centres with |x|, |y| <= {self._region:g} m" if self._region else "all boxes"
    frames = "first frame of each sample" if self._frames == "first" else "all frames"
    return (
      f"Waymo protocol: IoU {thresholds}, Hungarian matching, {self._num_cutoffs} score cutoffs; LEVEL_1 more than 5 "
      f"points, LEVEL_2 1 or more; {region}; {frames}"
    )

  @property
  def metrics(self):
    found = {}
    for level in detection_metrics.LEVELS:
      for view, (_, title) in _VIEWS.items():
        for kind, letter in (("ap", ""), ("aph", "H")):
          label = f"{title} mAP{letter} L{level}"
          found[f"{kind}_{view}_l{level}"] = protocol.Metric(label, "%", True)
    for interval in self._ranges:
      words = detection_metrics.range_name(interval)
      found[f"ap_3d_{words}"] = protocol.Metric(f"3D mAP L1 {words} m", "%", True)
    return found

  @property
  def num_images(self):
    return self._num_images

  def reset(self):
    self._num_images = 0
    self._metrics = {
      (number, view): self._make(threshold, volume)
      for number, threshold in enumerate(self._thresholds, 1)
      for view, (volume, _) in _VIEWS.items()
    }

  def update(self, labels, predictions):
    """Adds a batch; see `Protocol.update`.

    Args:
      labels: "boxes" [batch, frames, m, 7], "classes" and "box_points" [batch, frames, m]: see `point_observation`.
      predictions: "boxes" [batch, frames, n, 7], "scores" and "classes" [batch, frames, n], "num_boxes" [batch, frames].
    """
    frames = slice(0, 1) if self._frames == "first" else slice(None)
    truth = [_folded(labels[name][:, frames], rank) for name, rank in _ranks(self.labels)]
    found = [_folded(predictions[name][:, frames], rank) for name, rank in _ranks(self.outputs)]
    for true_boxes, true_classes, points, boxes, scores, classes, count in zip(
      *truth, *found, strict=True
    ):
      self._add((true_boxes, true_classes, points), tuple(v[: int(count)] for v in (boxes, scores, classes)))  # fmt: skip
      self._num_images += 1

  def _add(self, truth, found):
    true_boxes, true_classes, points = truth
    boxes, scores, classes = found
    protocol.check_finite(boxes, "predictions['boxes']")
    levels = np.where(self._inside(true_boxes), detection_metrics.levels(points), 0)
    kept = self._inside(boxes)
    for (number, _), metrics in self._metrics.items():
      mine, true_mine = kept & (classes == number), true_classes == number
      metrics.update(boxes[mine], scores[mine], true_boxes[true_mine], levels[true_mine])

  def result(self):
    if not self._num_images:
      raise ValueError(f"Protocol {self.name!r} saw no frame.")
    results = {key: metrics.result() for key, metrics in self._metrics.items()}

    def mean(view, line, field):
      lines = [found[line] for (_, of), found in results.items() if of == view]
      values = [getattr(found, field) for found in lines if found.num_truth]
      return 100.0 * float(np.mean(values)) if values else None

    values = {}
    for level in detection_metrics.LEVELS:
      for view in _VIEWS:
        for kind in ("ap", "aph"):
          values[f"{kind}_{view}_l{level}"] = mean(view, f"LEVEL_{level}/all", kind)
    for interval in self._ranges:
      words = detection_metrics.range_name(interval)
      values[f"ap_3d_{words}"] = mean("3d", f"LEVEL_1/{words}", "ap")
    return {name: value for name, value in values.items() if value is not None}

  def curves(self):
    """LEVEL_1 over all ranges, of each class and view."""
    found = []
    for (number, view), metrics in self._metrics.items():
      line = metrics.result()["LEVEL_1/all"]
      if line.num_truth:
        of = f", class {number}" if len(self._thresholds) > 1 else ""
        name = f"{self.name}: {_VIEWS[view][1]}{of}"
        found.append(box_samples.Curve(name, line.recalls, line.precisions, line.ap))
    return tuple(found)

  def _inside(self, boxes):
    if self._region is None:
      return np.ones(len(boxes), bool)
    return np.all(np.abs(boxes[:, :2]) <= self._region, axis=-1)


def _ranks(names):
  """How many axes each tensor has of one frame."""
  return [(name, {"boxes": 2, "num_boxes": 0}.get(name, 1)) for name in names]


def _folded(values, rank):
  """[batch, frames, ...] with `rank` further axes -> [batch * frames, ...]."""
  values = np.asarray(values)
  return values.reshape(-1, *values.shape[values.ndim - rank :])
