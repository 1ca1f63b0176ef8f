"""Depth errors of Eigen et al., "Depth Map Prediction from a Single Image" (NeurIPS 2014), section 4.3."""

from collections.abc import Sequence

import numpy as np

from tf_taskology.evaluation import protocol

_ALIGNMENTS = {"none": ("", ""), "median": ("scaled_", ", median-scaled")}
_EPSILON = 1e-6
# Shares of height and width: first row, end row, first column, end column.
_CROPS = {
  "none": (0.0, 1.0, 0.0, 1.0),
  "garg": (0.40810811, 0.99189189, 0.03594771, 0.96405229),
  "eigen": (0.3324324, 0.91351351, 0.0359477, 0.96405229),
}


class DepthProtocol(protocol.Protocol):
  """Abs rel, sq rel, rmse, rmse log and δ < 1.25, 1.25², 1.25³, plain and with the scale of each image aligned.

  Papers differ in how they average. `average="image"` takes every metric per image and then the mean over images, as
  the public evaluation programs for the Eigen split of KITTI do (Godard et al., CVPR 2017; monodepth2).
  `average="pixel"` pools all pixels of all images first, as the formulas of Eigen et al. are printed and as
  Vandenhende et al. 2021 do. The two differ most for rmse.

  Args:
    name: heading in tables.
    output: the output compared: depth in metres along the optical axis, 0 where missing.
    min_depth: metres; labels at or below it do not count, predictions are clipped to it.
    max_depth: metres; labels at or above it do not count, predictions are clipped to it. 80 is usual for KITTI, 10
      indoors.
    average: "image" or "pixel".
    alignments: any of "none" (metric depth as it is) and "median" (each prediction is multiplied by the ratio of
      medians truth / prediction over the labelled pixels of its image, then clipped).
    crop: the part of each image that counts: "none" (all of it), or for KITTI "garg" (Garg et al., ECCV 2016) or
      "eigen", as shares of height and width that are rounded down to pixels.
  """

  def __init__(
    self,
    name: str = "depth",
    output: str = "depth",
    min_depth: float = 1e-3,
    max_depth: float = 80.0,
    average: str = "image",
    alignments: Sequence[str] = ("none", "median"),
    crop: str = "none",
  ):
    protocol.check_average(average, type(self).__name__)
    if not 0 < min_depth < max_depth:
      raise ValueError(
        f"0 < min_depth < max_depth must hold. Received: min_depth={min_depth}, max_depth={max_depth}."
      )
    unknown = [a for a in alignments if a not in _ALIGNMENTS]
    if unknown or not alignments:
      raise ValueError(
        f"alignments must be some of {tuple(_ALIGNMENTS)}. Received: {tuple(alignments)}."
      )
    if crop not in _CROPS:
      raise ValueError(f"DepthProtocol.crop must be one of {tuple(_CROPS)}. Received: {crop!r}.")
    self.name = name
    self.outputs = (output,)
    self._crop = crop
    self._min_depth, self._max_depth = min_depth, max_depth
    self._average = average
    self._alignments = tuple(alignments)
    self.reset()

  @property
  def description(self) -> str:
    pooling = "each metric per image, then the mean over images"
    if self._average == "pixel":
      pooling = "pixels of all images pooled"
    text = f"labels between {self._min_depth:g} and {self._max_depth:g} m, predictions clipped to it; {pooling}"
    if self._crop != "none":
      text += f"; crop “{self._crop}”"
    if "median" in self._alignments:
      text += (
        "; median-scaled: each prediction times median(truth) / median(prediction) of its image"
      )
    return text

  @property
  def metrics(self) -> dict[str, protocol.Metric]:
    base = {
      "abs_rel": ("abs rel", "", False),
      "sq_rel": ("sq rel", "m", False),
      "rmse": ("rmse", "m", False),
      "rmse_log": ("rmse log", "", False),
      "delta_1": ("δ < 1.25", "%", True),
      "delta_2": ("δ < 1.25²", "%", True),
      "delta_3": ("δ < 1.25³", "%", True),
    }
    return {
      _ALIGNMENTS[a][0] + key: protocol.Metric(title + _ALIGNMENTS[a][1], unit, higher)
      for a in self._alignments
      for key, (title, unit, higher) in base.items()
    }

  @property
  def num_images(self) -> int:
    return len(self._sums[self._alignments[0]])

  def reset(self):
    self._sums = {a: [] for a in self._alignments}

  def update(self, labels, predictions):
    (name,) = self.outputs
    truths = protocol.images(labels[name], 1, f"labels[{name!r}]")
    answers = protocol.images(predictions[name], 1, f"predictions[{name!r}]")
    if truths.shape != answers.shape:
      raise ValueError(
        f"{name!r}: labels are {truths.shape}, predictions {answers.shape}; they must be equal."
      )
    for truth, answer in zip(truths, answers, strict=True):
      valid = (truth > self._min_depth) & (truth < self._max_depth) & self._inside(truth.shape)
      if not valid.any():
        continue
      truth, answer = truth[valid], answer[valid]
      protocol.check_finite(answer, f"predictions[{name!r}]")
      for alignment, sums in self._sums.items():
        sums.append(self._image_sums(truth, answer, alignment))

  def _inside(self, shape) -> np.ndarray:
    """Which pixels of [height, width, 1] the crop keeps."""
    height, width = shape[:2]
    top, bottom, left, right = _CROPS[self._crop]
    inside = np.zeros(shape, bool)
    inside[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = True
    return inside

  def _image_sums(self, truth: np.ndarray, answer: np.ndarray, alignment: str) -> np.ndarray:
    if alignment == "median":
      answer = np.maximum(answer, _EPSILON)
      answer = answer * (np.median(truth) / np.median(answer))
    answer = np.clip(answer, self._min_depth, self._max_depth)
    error = answer - truth
    ratio = np.maximum(answer / truth, truth / answer)
    terms = [
      np.abs(error) / truth,
      error**2 / truth,
      error**2,
      (np.log(answer) - np.log(truth)) ** 2,
      ratio < 1.25,
      ratio < 1.25**2,
      ratio < 1.25**3,
    ]
    return np.array([truth.size, *(np.sum(t) for t in terms)], np.float64)

  def result(self) -> dict[str, float]:
    if not self.num_images:
      raise ValueError(f"Protocol {self.name!r} saw no labelled pixel ({self.description}).")
    values = []
    for alignment in self._alignments:
      sums = np.stack(self._sums[alignment])
      if self._average == "pixel":
        sums = sums.sum(axis=0, keepdims=True)
      means = sums[:, 1:] / sums[:, :1]
      means[:, 2:4] = np.sqrt(means[:, 2:4])
      means[:, 4:] *= 100.0
      values.extend(means.mean(axis=0))
    return dict(zip(self.metrics, map(float, values), strict=True))
