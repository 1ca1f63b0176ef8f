"""Scalar draws from a numpy Generator, short to write and quick."""

import numpy as np


class Draw:
  """Draws of one generator."""

  def __init__(self, generator: np.random.Generator):
    self.random = generator.random

  def __call__(self, low: float, high: float) -> float:
    return low + (high - low) * self.random()

  def index(self, count: int) -> int:
    """An integer from 0 to count - 1."""
    return int(self.random() * count)

  def chance(self, probability: float) -> bool:
    """True with the given probability."""
    return self.random() < probability
