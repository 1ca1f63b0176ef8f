"""Light, weather and camera of the two domains."""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rendering import draws, optics, pixels


@dataclasses.dataclass(frozen=True)
class Style:
  """How an example looks apart from what is in it; colours are linear RGB.

  Attributes:
    sun_direction: [3] unit, world frame, towards the sun.
    sun, ambient: [3] float32, light from the sun at a face that faces it, and from everywhere.
    sky_low, sky_high: [3] float32, colour of the sky at the horizon and overhead.
    clouds: 0..1, how much of the clouds is seen.
    haze: metres after which 63 % of a surface's colour is lost to the haze.
    hue_shift, saturation: what becomes of the materials' colours.
    optics: the camera.
  """

  sun_direction: np.ndarray
  sun: np.ndarray
  ambient: np.ndarray
  sky_low: np.ndarray
  sky_high: np.ndarray
  clouds: float
  haze: float
  hue_shift: float
  saturation: float
  optics: optics.Optics


def _colour(hue: float, saturation: float, value: float) -> np.ndarray:
  """[3] float32 linear."""
  return (pixels.hsv_to_rgb(*np.array([hue, saturation, value])) ** 2.2).astype(np.float32)


def _towards(azimuth: float, elevation: float) -> np.ndarray:
  c = math.cos(elevation)
  return np.array([c * math.cos(azimuth), c * math.sin(azimuth), math.sin(elevation)])


def street(draw: draws.Draw, noise: float) -> Style:
  """A day of sun or clouds, seen by a plain camera.

  Args:
    noise: standard deviation of the sensor's noise, of a full scale of 1.
  """
  overcast = draw.chance(0.3)
  strength = draw(0.2, 0.5) if overcast else draw(1.2, 1.9)
  return Style(
    sun_direction=_towards(draw(0, 2 * math.pi), draw(0.5, 1.1)),
    sun=np.float32(strength) * np.float32([1.0, 0.95, 0.86]),
    ambient=np.float32(1.1 if overcast else 0.62) * np.float32([0.9, 1.0, 1.12]),
    sky_low=_colour(0.57, draw(0.05, 0.2), 0.97),
    sky_high=_colour(0.58, draw(0.05, 0.15) if overcast else draw(0.35, 0.6), 0.88),
    clouds=draw(0.2, 0.9),
    haze=draw(400.0, 900.0),
    hue_shift=0.0,
    saturation=1.0,
    optics=optics.Optics(
      gains=np.ones(3, np.float32), brightness=0.26, gamma=1 / 2.2, vignette=0.0, blur=0.06,
      noise=noise,
    ),
  )  # fmt: skip


def stills(draw: draws.Draw, noise: float) -> Style:
  """Any weather and hour, photographed and edited by anybody; arguments as in `street`."""
  low_sun, overcast = draw.chance(0.35), draw.chance(0.35)
  warm = draw(0.3, 0.7) if low_sun else draw(0.0, 0.25)
  strength = 0.15 if overcast else draw(0.8, 2.4)
  cool = draw(-0.1, 0.35)
  gains = 1.0 + 0.18 * np.array([draw(-1, 1) for _ in range(3)])
  return Style(
    sun_direction=_towards(draw(0, 2 * math.pi), draw(0.2, 0.45) if low_sun else draw(0.5, 1.2)),
    sun=np.float32(strength) * np.float32([1.0, 1.0 - 0.5 * warm, 1.0 - warm]),
    ambient=np.float32(draw(0.4, 1.1)) * np.float32([1.0 - cool, 1.0, 1.0 + cool]),
    sky_low=_colour(0.08 if low_sun else 0.56, draw(0.0, 0.5), draw(0.75, 1.0)),
    sky_high=_colour(draw(0.52, 0.68), draw(0.0, 0.7), draw(0.45, 0.98)),
    clouds=draw(0.0, 1.0),
    haze=draw(120.0, 900.0),
    hue_shift=draw(-0.05, 0.05),
    saturation=draw(0.25, 1.6),
    optics=optics.Optics(
      gains=(gains / gains.mean()).astype(np.float32), brightness=draw(0.14, 0.36),
      gamma=draw(0.75, 1.25) / 2.2, vignette=draw(0.0, 0.5), blur=draw(0.0, 0.14),
      noise=noise * draw(0.5, 4.0),
    ),
  )  # fmt: skip
