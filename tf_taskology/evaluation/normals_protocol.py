"""Surface normal errors of Fouhey et al., "Data-Driven 3D Primitives" (ICCV 2013), section 5."""

import numpy as np

from tf_taskology.evaluation import protocol

THRESHOLDS = (11.25, 22.5, 30.0)
# The pooled median comes from a histogram, so that memory does not grow with the data set; it is exact to half a bin.
_BIN = 1e-3
_NUM_BINS = round(180.0 / _BIN) + 1


class NormalsProtocol(protocol.Protocol):
  """Mean, median and rmse of the angle, and the share of pixels within 11.25°, 22.5° and 30°.

  Args:
    name: heading in tables.
    output: the output compared: unit normals in the camera frame, (0, 0, 0) where missing. Predictions need not have
      length 1; one without direction counts as 90° wrong.
    average: "pixel" pools all pixels of all images, as the literature does since Fouhey et al.; "image" takes every
      metric per image and then the mean over images.
  """

  def __init__(self, name: str = "normals", output: str = "normals", average: str = "pixel"):
    protocol.check_average(average, type(self).__name__)
    self.name = name
    self.outputs = (output,)
    self._average = average
    self.reset()

  @property
  def description(self) -> str:
    pooling = "pixels of all images pooled"
    if self._average == "image":
      pooling = "each metric per image, then the mean over images"
    return f"angle between predicted and true normal at labelled pixels; {pooling}"

  @property
  def metrics(self) -> dict[str, protocol.Metric]:
    errors = {
      key: protocol.Metric(f"{key} angle", "°", False) for key in ("mean", "median", "rmse")
    }
    shares = {f"within_{t:g}": protocol.Metric(f"within {t:g}°", "%", True) for t in THRESHOLDS}
    return errors | shares

  @property
  def num_images(self) -> int:
    return len(self._sums)

  def reset(self):
    self._sums, self._medians = [], []
    self._histogram = np.zeros(_NUM_BINS, np.int64)

  def update(self, labels, predictions):
    (name,) = self.outputs
    truths = protocol.images(labels[name], 3, f"labels[{name!r}]")
    answers = protocol.images(predictions[name], 3, f"predictions[{name!r}]")
    if truths.shape != answers.shape:
      raise ValueError(
        f"{name!r}: labels are {truths.shape}, predictions {answers.shape}; they must be equal."
      )
    for truth, answer in zip(truths, answers, strict=True):
      valid = np.any(truth != 0, axis=-1)
      if not valid.any():
        continue
      protocol.check_finite(answer[valid], f"predictions[{name!r}]")
      angle = angles(truth[valid], answer[valid])
      shares = [np.count_nonzero(angle < t) for t in THRESHOLDS]
      self._sums.append(np.array([angle.size, angle.sum(), np.sum(angle**2), *shares], np.float64))
      self._medians.append(np.median(angle))
      self._histogram += np.bincount((angle / _BIN).astype(np.int64), minlength=_NUM_BINS)

  def result(self) -> dict[str, float]:
    if not self.num_images:
      raise ValueError(f"Protocol {self.name!r} saw no labelled pixel.")
    sums = np.stack(self._sums)
    if self._average == "pixel":
      sums, median = sums.sum(axis=0, keepdims=True), self._pooled_median()
    else:
      median = np.mean(self._medians)
    means = sums[:, 1:] / sums[:, :1]
    mean, rmse = means[:, 0].mean(), np.sqrt(means[:, 1]).mean()
    values = [mean, median, rmse, *(100.0 * means[:, 2:].mean(axis=0))]
    return dict(zip(self.metrics, map(float, values), strict=True))

  def _pooled_median(self) -> float:
    cumulative = np.cumsum(self._histogram)
    total = cumulative[-1]
    # Two middle ranks, as numpy's median takes; equal for an odd count.
    bins = np.searchsorted(cumulative, [(total - 1) // 2 + 1, total // 2 + 1])
    return float(np.mean((bins + 0.5) * _BIN))


def angles(truth: np.ndarray, answer: np.ndarray) -> np.ndarray:
  """Degrees between vectors, [..., 3] -> [...]; 90 where `answer` has no direction.

  atan2 of cross and dot product, since arccos loses half of the digits near 0.
  """
  cross = np.linalg.norm(np.cross(truth, answer), axis=-1)
  angle = np.degrees(np.arctan2(cross, np.sum(truth * answer, axis=-1)))
  return np.where(np.linalg.norm(answer, axis=-1) < 1e-6, 90.0, angle)
