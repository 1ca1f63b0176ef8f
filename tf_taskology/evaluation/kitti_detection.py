"""Average precision of boxes as the KITTI object benchmark takes it (Geiger et al. 2012), R40."""

import dataclasses

import numpy as np

from tf_taskology.geometry import box_overlap

_POINTS = 41  # recall 0 and 40 more; the 40 count (Simonelli et al. 2019)


@dataclasses.dataclass(frozen=True)
class KittiPrecision:
  """Result.

  Attributes:
    ap: average precision at 40 recalls, 0..1.
    aos: average orientation similarity: true positives weighed by (1 + cos of the error) / 2.
    precisions: [41] at recalls 0, 1/40, ..., raised to the best at any higher recall.
    num_truth: boxes that were to be found.
  """

  ap: float
  aos: float
  precisions: np.ndarray
  num_truth: int


class KittiDetectionMetrics:
  """AP R40 of one class and one difficulty; what is too hard or too small is ignored, not wrong.

  The benchmark's own matching: each true box in turn takes the detection that overlaps it most, of
  those with at least the score; IoU must exceed the threshold.
  """

  def __init__(self, iou_threshold: float = 0.7, volume: bool = True):
    """KITTI detection metrics.

    Args:
      iou_threshold: 0.7 for cars, 0.5 for pedestrians and cyclists.
      volume: IoU of volumes (3D); otherwise of areas seen from above (BEV).
    """
    if not 0 < iou_threshold < 1:
      raise ValueError(f"iou_threshold must be in (0, 1). Received: {iou_threshold}.")
    self._iou_threshold = iou_threshold
    self._overlap = box_overlap.iou_3d if volume else box_overlap.bev_iou
    self._frames = []

  def update(
    self,
    boxes: np.ndarray,
    scores: np.ndarray,
    true_boxes: np.ndarray,
    ignored: np.ndarray | None = None,
    true_ignored: np.ndarray | None = None,
  ):
    """Adds a frame.

    Args:
      boxes: [n, 7] detections.
      scores: [n].
      true_boxes: [m, 7].
      ignored: [n] bool, detections too small for the difficulty. None: none.
      true_ignored: [m] bool, true boxes of a harder difficulty or a similar class. None: none.
    """
    boxes, true_boxes = (np.asarray(b, np.float32).reshape(-1, 7) for b in (boxes, true_boxes))
    flags = lambda given, count: np.zeros(count, bool) if given is None else np.asarray(given, bool)
    similarity = (1 + np.cos(boxes[:, None, 6] - true_boxes[:, 6])) / 2
    self._frames.append(
      {
        "scores": np.asarray(scores, np.float64),
        "iou": box_overlap.pairs(self._overlap, boxes, true_boxes).numpy(),
        "similarity": similarity,
        "ignored": flags(ignored, len(boxes)),
        "true_ignored": flags(true_ignored, len(true_boxes)),
      }
    )

  def result(self) -> KittiPrecision:
    """The result. Raises ValueError if no true box counts."""
    num_truth = sum(int(np.sum(~frame["true_ignored"])) for frame in self._frames)
    if not num_truth:
      raise ValueError("KITTI metrics need at least one true box that counts: see update.")
    scores = np.concatenate([self._scores_of_found(frame) for frame in self._frames])
    thresholds = recall_thresholds(scores, num_truth)
    precisions, similarities = np.zeros(_POINTS), np.zeros(_POINTS)
    for i, threshold in enumerate(thresholds):
      found, similar, wrong = np.sum([self._count(f, threshold) for f in self._frames], axis=0)
      precisions[i] = found / max(found + wrong, 1)
      similarities[i] = similar / max(found + wrong, 1)
    raised = lambda values: np.maximum.accumulate(values[::-1])[::-1]
    precisions = raised(precisions)
    return KittiPrecision(
      ap=float(np.mean(precisions[1:])),
      aos=float(np.mean(raised(similarities)[1:])),
      precisions=precisions,
      num_truth=num_truth,
    )

  def _scores_of_found(self, frame):
    """Scores of true positives when all detections count; each true box takes the best score."""
    taken, scores = np.zeros(len(frame["scores"]), bool), []
    for truth in range(len(frame["true_ignored"])):
      candidates = (frame["iou"][:, truth] > self._iou_threshold) & ~taken
      if not np.any(candidates):
        continue
      best = int(np.argmax(np.where(candidates, frame["scores"], -np.inf)))
      taken[best] = True
      if not frame["true_ignored"][truth] and not frame["ignored"][best]:
        scores.append(frame["scores"][best])
    return np.array(scores)

  def _count(self, frame, threshold):
    """(found, sum of their similarity, wrong) of detections with at least this score."""
    above = frame["scores"] >= threshold
    taken = np.zeros(len(above), bool)
    found, similar = 0, 0.0
    for truth in range(len(frame["true_ignored"])):
      candidates = (frame["iou"][:, truth] > self._iou_threshold) & ~taken & above
      if not np.any(candidates):
        continue
      # One that counts goes before one that is ignored, whatever their overlaps.
      rank = np.where(candidates, frame["iou"][:, truth] + ~frame["ignored"], -1.0)
      best = int(np.argmax(rank))
      taken[best] = True
      if not frame["true_ignored"][truth] and not frame["ignored"][best]:
        found += 1
        similar += frame["similarity"][best, truth]
    wrong = int(np.sum(above & ~taken & ~frame["ignored"]))
    return found, similar, wrong


def recall_thresholds(scores: np.ndarray, num_truth: int) -> np.ndarray:
  """Scores at which the recall is nearest to 0, 1/40, 2/40, ... as far as it reaches."""
  scores = np.sort(scores)[::-1]
  thresholds, wanted = [], 0.0
  for i, score in enumerate(scores):
    here, last = (i + 1) / num_truth, i == len(scores) - 1
    following = here if last else (i + 2) / num_truth
    if not last and following - wanted < wanted - here:
      continue
    thresholds.append(score)
    wanted += 1 / (_POINTS - 1)
  return np.array(thresholds[:_POINTS])
