"""Average precision of 3D boxes by the protocol of the Waymo Open Dataset (Sun et al. 2020).

Follows the public evaluation program (waymo-open-dataset, metrics/): what a paper leaves open, such
as how a gap in the precision-recall curve is filled, is done as there.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.evaluation import assignment
from tf_taskology.geometry import box_overlap

LEVELS = (1, 2)
RANGES = ((0.0, 30.0), (30.0, 50.0), (50.0, math.inf))
_LEVEL_1_POINTS = 6  # LEVEL_2: 1 to 5 points


@dataclasses.dataclass(frozen=True)
class Precision:
  """One line of a result.

  Attributes:
    ap: average precision, 0..1.
    aph: the same with true positives weighed by the accuracy of their heading.
    num_truth: boxes that were to be found.
    recalls: [cutoffs] of the precision-recall curve.
    precisions: [cutoffs].
    cutoffs: [cutoffs], the scores from which on detections count.
  """

  ap: float
  aph: float
  num_truth: int
  recalls: np.ndarray
  precisions: np.ndarray
  cutoffs: np.ndarray


def levels(num_points: np.ndarray) -> np.ndarray:
  """Difficulty of boxes by their points: 1, 2 (at most 5 points), or 0 (none: does not count)."""
  num_points = np.asarray(num_points)
  return np.where(num_points >= _LEVEL_1_POINTS, 1, np.where(num_points > 0, 2, 0))


class WaymoDetectionMetrics:
  """AP and APH of one class, by level of difficulty and by range.

  At each score cutoff, detections of at least that score are matched with true boxes so that the
  sum of IoUs is largest, over pairs that reach the threshold. As in the public program: a matched
  box counts as found at every level, one that is not as missed at its own level and harder ones;
  ranges divide detections and truth, each by its own distance, before they are matched.
  """

  def __init__(
    self,
    iou_threshold: float = 0.7,
    volume: bool = True,
    num_cutoffs: int = 101,
    cutoffs: Sequence[float] | None = None,
    max_recall_step: float = 0.05,
    ranges: Sequence[tuple[float, float]] = RANGES,
  ):
    """Waymo detection metrics.

    Args:
      iou_threshold: IoU from which a detection is right: 0.7 for vehicles.
      volume: IoU of volumes (3D); otherwise of areas seen from above (BEV).
      num_cutoffs: score cutoffs, chosen so that each step takes as many detections. Those of the one
        class that is seen here; the public program chooses them from the scores of all classes.
      cutoffs: these instead.
      max_recall_step: gaps of recall larger than this are filled with the precision of their end.
      ranges: (from, up to) distances of centres from the origin, metres.

    Raises:
      ValueError: for a value out of its range.
    """
    if not 0 < iou_threshold <= 1 or not 0 < max_recall_step <= 1 or num_cutoffs < 1:
      raise ValueError(
        "iou_threshold and max_recall_step must be in (0, 1] and num_cutoffs >= 1. "
        f"Received: {iou_threshold}, {max_recall_step}, {num_cutoffs}."
      )
    self._iou_threshold = iou_threshold
    self._overlap = box_overlap.iou_3d if volume else box_overlap.bev_iou
    self._num_cutoffs = num_cutoffs
    self._cutoffs = None if cutoffs is None else np.asarray(cutoffs, np.float64)
    self._max_recall_step = max_recall_step
    self._ranges = {"all": (0.0, math.inf), **{range_name(r): r for r in ranges}}
    self.reset()

  def reset(self):
    """Forgets everything seen."""
    self._frames = []

  def update(
    self, boxes: np.ndarray, scores: np.ndarray, true_boxes: np.ndarray, true_levels: np.ndarray
  ):
    """Adds a frame.

    Args:
      boxes: [n, 7] detections, in the sensor's or vehicle's frame (for ranges).
      scores: [n] in 0..1.
      true_boxes: [m, 7].
      true_levels: [m] 1 or 2, or 0 for boxes that do not count at all, see `levels`.

    Raises:
      ValueError: shapes that do not fit, numbers that are not finite, or another level.
    """
    boxes, scores = _checked("boxes", boxes), np.asarray(scores, np.float64)
    true_boxes, true_levels = _checked("true_boxes", true_boxes), np.asarray(true_levels)
    if scores.shape != boxes.shape[:1] or true_levels.shape != true_boxes.shape[:1]:
      raise ValueError(
        "Expected a score for each detection and a level for each true box. Received: "
        f"{scores.shape} for {len(boxes)} and {true_levels.shape} for {len(true_boxes)}."
      )
    if np.any(np.isnan(scores)) or not set(np.unique(true_levels)) <= {0, *LEVELS}:
      raise ValueError(
        "scores must be numbers and true_levels 0, 1 or 2. "
        f"Received levels {sorted(set(np.unique(true_levels)))}."
      )
    counted = true_levels > 0
    true_boxes, true_levels = true_boxes[counted], true_levels[counted]
    iou = box_overlap.pairs(self._overlap, boxes, true_boxes).numpy()
    self._frames.append(
      {
        "scores": scores,
        "levels": true_levels,
        "weights": np.where(iou >= self._iou_threshold, iou, 0.0),
        "accuracy": heading_accuracy(boxes[:, None, 6], true_boxes[:, 6]),
        "distance": np.linalg.norm(boxes[:, :3], axis=1),
        "true_distance": np.linalg.norm(true_boxes[:, :3], axis=1),
      }
    )

  def result(self) -> Mapping[str, Precision]:
    """Results by name: "LEVEL_1/all", "LEVEL_2/[0, 30)" and so on.

    Raises:
      ValueError: no frame was added.
    """
    if not self._frames:
      raise ValueError("Metrics need at least one frame: call update first.")
    cutoffs = self._cutoffs
    if cutoffs is None:
      scores = np.concatenate([frame["scores"] for frame in self._frames])
      cutoffs = score_cutoffs(scores, self._num_cutoffs)
    results = {}
    for name, interval in self._ranges.items():
      counts = sum(_count(frame, cutoffs, interval) for frame in self._frames)
      for level in LEVELS:
        results[f"LEVEL_{level}/{name}"] = self._precision(counts, level, cutoffs)
    return results

  def _precision(self, counts, level, cutoffs):
    found, accurate, wrong = counts[0], counts[1], counts[2]
    missed = counts[2 + level]
    share = lambda part, whole: np.divide(part, whole, out=np.zeros(len(cutoffs)), where=whole > 0)
    recalls = share(found, found + missed)
    # Nothing found is no mistake: the curve starts at precision 1.
    first = lambda precision: np.where(recalls == 0, 1.0, precision)
    precisions = first(share(found, found + wrong))
    return Precision(
      ap=average_precision(precisions, recalls, self._max_recall_step),
      aph=average_precision(first(share(accurate, found + wrong)), recalls, self._max_recall_step),
      num_truth=int(np.max(found + missed, initial=0)),
      recalls=recalls,
      precisions=precisions,
      cutoffs=cutoffs,
    )


def range_name(interval: tuple[float, float]) -> str:
  """How a range is called in results, e.g. "[30, 50)"."""
  return f"[{interval[0]:g}, {interval[1]:g})"


def heading_accuracy(first: np.ndarray, second: np.ndarray) -> np.ndarray:
  """1 - |difference| / pi of headings in radians, wrapped: 1 if the same, 0 if opposite."""
  difference = np.abs((first - second + np.pi) % (2 * np.pi) - np.pi)
  return np.clip(1.0 - difference / np.pi, 0.0, 1.0)


def score_cutoffs(scores: np.ndarray, count: int) -> np.ndarray:
  """Cutoffs that divide the scores into groups of about one size; even ones if scores are few."""
  if count == 1:
    return np.zeros(1)
  if count >= len(scores):
    return np.linspace(0.0, 1.0, count)
  scores = np.sort(scores)
  # Groups from the lowest score on, each of what is left divided by the groups left.
  starts, left = [0], len(scores)
  for groups in range(count - 1, 1, -1):
    starts.append(starts[-1] + left // groups)
    left -= left // groups
  return np.concatenate([scores[:1], np.clip(scores[starts[1:]], 0.0, 1.0), [1.0]])


def average_precision(
  precisions: np.ndarray, recalls: np.ndarray, max_recall_step: float = 0.05
) -> float:
  """Area under a precision-recall curve, precisions raised to the best at any higher recall.

  Between two recalls farther apart than the step, points are put in at every step that have the
  precision of the higher recall. What is then between two points is a straight line.

  Args:
    precisions: [n] in 0..1.
    recalls: [n] in 0..1, in any order.
    max_recall_step: see above.

  Returns:
    0..1; 0 if nothing is found at all.
  """
  best = {0.0: 1.0}
  for precision, recall in zip(precisions, recalls, strict=True):
    best[float(recall)] = max(best.get(float(recall), 0.0), float(precision))
  points, highest, last = [], 0.0, 0.0
  for recall in sorted(best, reverse=True):
    while last - recall > max_recall_step + 1e-6:
      last -= max_recall_step
      points.append((last, highest))
    highest = max(highest, best[recall])
    points.append((recall, highest))
    last = recall
  if len(points) < 2:
    return 0.0
  points[-1] = (0.0, points[-2][1])
  (r, p), (s, q) = np.array(points[:-1]).T, np.array(points[1:]).T
  return float(np.sum(0.5 * (r - s) * (p + q)))


def _count(frame, cutoffs, interval):
  """[5, cutoffs]: found, their heading accuracy, wrong, missed at LEVEL_1, missed at LEVEL_2."""
  inside = lambda distance: (distance >= interval[0]) & (distance < interval[1])
  kept, true_kept = inside(frame["distance"]), inside(frame["true_distance"])
  scores, level = frame["scores"][kept], frame["levels"][true_kept]
  weights, accuracy = (frame[name][kept][:, true_kept] for name in ("weights", "accuracy"))
  counts = np.zeros([5, len(cutoffs)])
  before = None
  for i, cutoff in enumerate(cutoffs):
    above = scores >= cutoff
    if before is not None and np.array_equal(above, before):
      counts[:, i] = counts[:, i - 1]
      continue
    before = above
    pairs = assignment.best_pairs(weights[above])
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    missed = np.delete(level, columns)
    counts[:, i] = (
      len(pairs),
      np.sum(accuracy[above][rows, columns]),
      np.sum(above) - len(pairs),
      np.sum(missed <= 1),
      len(missed),
    )
  return counts


def _checked(name, boxes):
  boxes = np.asarray(boxes, np.float32)
  if boxes.ndim != 2 or boxes.shape[1] != 7 or not np.all(np.isfinite(boxes)):
    raise ValueError(f"{name} must be [n, 7] finite numbers. Received shape {boxes.shape}.")
  return boxes
