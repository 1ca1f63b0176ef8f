"""What a camera does to a picture: cast, vignette, blur, tone curve, noise."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Optics:
  """Effects of one camera; all frames of an example share them.

  Attributes:
    gains: [3] float32, colour cast and nothing else: their mean is 1.
    brightness: mean the automatic exposure aims at, linear, of a full scale of 1.
    gamma: exponent of the tone curve (linear to display); 1/2.2 is a plain display.
    vignette: loss of light in the corners, 0..1.
    blur: standard deviation, pixels for each 64 pixels of width.
    noise: standard deviation of the noise at full scale.
  """

  gains: np.ndarray
  brightness: float
  gamma: float
  vignette: float
  blur: float
  noise: float


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
  """Gaussian blur of [frames, 3, H, W] with edges repeated."""
  radius = int(np.ceil(2.5 * sigma))
  if radius < 1 or sigma < 0.15:
    return image
  taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
  taps /= taps.sum()
  for axis in (2, 3):
    pad = [(0, 0)] * 4
    pad[axis] = (radius, radius)
    padded, length = np.pad(image, pad, mode="edge"), image.shape[axis]
    cut = [slice(None)] * 4
    image = np.zeros_like(image)
    for shift, tap in enumerate(taps):
      cut[axis] = slice(shift, shift + length)
      image += tap * padded[tuple(cut)]
  return image


def develop(light: np.ndarray, optics: Optics, generator: np.random.Generator) -> np.ndarray:
  """Turns linear light into what the camera stores.

  Args:
    light: [frames, 3, H, W] float32 linear RGB; one exposure serves all frames.
    optics: the camera.
    generator: source of the noise.

  Returns:
    [frames, H, W, 3] uint8.
  """
  height, width = light.shape[2:]
  # The clipped mean keeps a bright lamp in view from darkening the room.
  image = light * np.float32(optics.brightness / np.minimum(light[0], 2.0).mean())
  y, x = np.mgrid[0:height, 0:width].astype(np.float32)
  square = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / ((width**2 + height**2) / 4)
  image *= optics.gains[:, None, None] * (1.0 - np.float32(optics.vignette) * square)
  image = _blur(image, optics.blur * width / 64.0)
  np.clip(image, 0.0, 1.0, out=image)
  image = image ** np.float32(optics.gamma)
  noise = generator.standard_normal(image.shape, dtype=np.float32)
  image += np.float32(optics.noise) * (0.5 + 0.5 * image) * noise
  return quantise(np.moveaxis(image, 1, -1))


def quantise(image: np.ndarray) -> np.ndarray:
  """Rounds display values in [0, 1] to uint8."""
  return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
