"""Draws the sensor domain's camera."""

import numpy as np

from tf_taskology.datasets.rendering import optics
from tf_taskology.datasets.rooms import shading


def sample_optics(generator: np.random.Generator, strength: shading.Strength) -> optics.Optics:
  """Draws one camera's effects."""
  draws = generator.random(8)
  gains = 1.0 + strength.colour_cast * (2.0 * draws[:3] - 1.0)
  return optics.Optics(
    gains=(gains / gains.mean()).astype(np.float32),
    brightness=0.22 * 2.0 ** (strength.exposure * (2.0 * draws[3] - 1.0)),
    gamma=(1.0 + strength.gamma * (2.0 * draws[4] - 1.0)) / 2.2,
    vignette=strength.vignette * draws[5],
    blur=strength.blur * draws[6],
    noise=strength.noise * (0.3 + 0.7 * draws[7]),
  )
