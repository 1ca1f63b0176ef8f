"""A spinning sensor of many beams: its rays, and what it makes of the distances along them."""

import dataclasses
import math

import numpy as np

HEIGHT = 1.9  # of the sensor above the ground, metres
_LOWEST, _HIGHEST = math.radians(-24.0), math.radians(2.0)


@dataclasses.dataclass(frozen=True)
class Sensor:
  """A sensor.

  Attributes:
    beams: rays above one another, denser towards the horizon.
    azimuths: directions of a turn.
    max_range: metres; nothing comes back from beyond.
    noise: standard deviation of ranges, metres.
    dropout: share of returns lost everywhere; more are lost far away, at grazing incidence and on
      dark surfaces.
  """

  beams: int = 32
  azimuths: int = 360
  max_range: float = 75.0
  noise: float = 0.02
  dropout: float = 0.05

  def __post_init__(self):
    for name, low, high in (
      ("beams", 1, 256),
      ("azimuths", 8, 4096),
      ("max_range", 1.0, 1000.0),
      ("noise", 0.0, 1.0),
      ("dropout", 0.0, 0.99),
    ):
      if not low <= getattr(self, name) <= high:
        raise ValueError(f"{name} is {getattr(self, name)}; expected {low} to {high}")

  @property
  def rays(self) -> int:
    """Rays of a turn, and so points at most."""
    return self.beams * self.azimuths

  def directions(self) -> np.ndarray:
    """[beams, azimuths, 3] float64 unit vectors; x forward, y left, z up; azimuths from -pi on."""
    # Steps shrink towards the top, where a degree is many metres of road.
    share = 1.0 - np.linspace(1.0, 0.0, self.beams) ** 1.6
    elevation = (_LOWEST + (_HIGHEST - _LOWEST) * share)[:, None]
    azimuth = -math.pi + (np.arange(self.azimuths) + 0.5) * 2 * math.pi / self.azimuths
    return np.stack(
      np.broadcast_arrays(
        np.cos(elevation) * np.cos(azimuth),
        np.cos(elevation) * np.sin(azimuth),
        np.sin(elevation),
      ),
      axis=-1,
    )

  def returns(
    self,
    distance: np.ndarray,
    incidence: np.ndarray,
    reflectivity: np.ndarray,
    generator: np.random.Generator,
  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What comes back.

    Args:
      distance: [rays] metres, inf where nothing is.
      incidence: [rays] cosine of the angle to the surface's normal, 0..1.
      reflectivity: [rays] 0..1.
      generator: source of noise; draws the same number whatever the distances are.

    Returns:
      Whether something came back [rays] bool, measured range [rays] metres, intensity [rays] 0..1.
    """
    noise, chance = generator.standard_normal(distance.shape), generator.random(distance.shape)
    near = np.where(np.isfinite(distance), distance, 2 * self.max_range) / self.max_range
    signal = reflectivity * incidence
    # Half of what is dark or grazing is lost at full range, little of it near by.
    lost = 0.5 * near**2 * (1.0 - np.sqrt(signal))
    lost = 1.0 - (1.0 - lost) * (1.0 - self.dropout) if self.dropout else 0.0
    back = (near <= 1.0) & (chance >= lost)
    measured = np.where(back, distance + self.noise * noise, 0.0)
    return back, np.maximum(measured, 0.0), np.clip(signal, 0.0, 1.0)
