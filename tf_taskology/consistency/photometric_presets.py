"""Constants of published photometric losses.

Weights are as they multiply a sum over both directions of every pair of neighbouring frames (over
frames, for the smoothness of depth). DVW writes such sums; DML takes means over both directions of
its one pair and doubles them, which is the same.
"""

import dataclasses
from collections.abc import Mapping

TERMS = (
  "rgb",
  "ssim",
  "depth",
  "smoothness",
  "rotation_cycle",
  "translation_cycle",
  "motion_smoothness",
  "sparsity",
  "scale",
)


@dataclasses.dataclass(frozen=True)
class Preset:
  """A published loss.

  Attributes:
    weights: of the terms in `TERMS`.
    stop_gradients: see `photometric.Photometric`.
    resampled_denominator: see `motion_fields.translation_cycle`.
    smooth_total: smoothness is asked of the total translation, rather than of the objects' only.
    wrap_around: see `motion_fields.field_smoothness`.
  """

  weights: Mapping[str, float]
  stop_gradients: tuple[str, ...]
  resampled_denominator: bool
  smooth_total: bool
  wrap_around: bool


PRESETS = {
  # Depth from Videos in the Wild (Gordon et al. 2019), code; Taskology builds on it.
  "dvw": Preset(
    weights={
      "rgb": 0.85,
      "ssim": 1.5,  # 3.0, halved where the term is added up
      "depth": 0.01,
      "smoothness": 0.01,
      "rotation_cycle": 1e-3,
      "translation_cycle": 1e-2,
      "motion_smoothness": 1e-3,
      "sparsity": 0.0,
      "scale": 0.0,
    },
    stop_gradients=("mask",),
    resampled_denominator=False,
    smooth_total=True,
    wrap_around=True,
  ),
  # Unsupervised Monocular Depth Learning in Dynamic Scenes (Li et al. 2020), code.
  "dml": Preset(
    weights={
      "rgb": 1.0,
      "ssim": 1.5,
      "depth": 0.0,
      "smoothness": 1e-3,
      "rotation_cycle": 1e-3,
      "translation_cycle": 5e-2,
      "motion_smoothness": 1.0,
      "sparsity": 0.2,
      "scale": 0.0,
    },
    stop_gradients=("mask", "target_depth"),
    resampled_denominator=True,
    smooth_total=False,
    wrap_around=False,
  ),
}
