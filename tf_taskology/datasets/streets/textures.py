"""Textures of the streets world: two channels, made once from a fixed seed.

Channel 0 mixes a material's two colours, channel 1 is a gain around 1. Rows run upwards on walls.
"""

import functools

import numpy as np

from tf_taskology.datasets.rendering import noise

_SEED = 20211101
_S = noise.SIZE


def _with_gain(mix: np.ndarray, gain: np.ndarray, amplitude: float) -> np.ndarray:
  return np.stack([mix, 1.0 + amplitude * (2.0 * gain - 1.0)], -1)


def _windows(generator, columns: int, rows: int, pane, wall: np.ndarray, amplitude: float):
  """A wall (mix 1) with `columns` x `rows` windows (mix near 0) and pale frames.

  Args:
    pane: (left, right, bottom, top) of the window as fractions of its cell.
  """
  y, x = (np.mgrid[0:_S, 0:_S] + 0.5) / _S
  cell = (y * rows).astype(int) * columns + (x * columns).astype(int)
  fx, fy = (x * columns) % 1.0, (y * rows) % 1.0
  left, right, bottom, top = pane
  frame = 0.035

  def within(margin):
    inside_x = (fx > left - margin) & (fx < right + margin)
    return inside_x & (fy > bottom - margin) & (fy < top + margin)

  glass = within(0.0) & (np.abs(fx - (left + right) / 2) > 0.02)
  tone = generator.random(columns * rows)
  # Some windows are dark, some show a curtain or the sky.
  tone = np.where(tone < 0.6, 0.12 * tone, 0.35 * tone)[cell]
  tone = tone + 0.12 * (fy - bottom) / (top - bottom)
  mix = np.where(glass, tone, 1.0)
  gain = 1.0 + amplitude * (2.0 * wall - 1.0)
  gain = np.where(within(frame) & ~glass, 1.25, gain)
  return np.stack([mix, np.where(glass, 1.0, gain)], -1)


def _paint(g: np.random.Generator) -> dict[str, np.ndarray]:
  y, x = (np.mgrid[0:_S, 0:_S] + 0.5) / _S
  patches, grain = noise.octaves(g, 3, 4), noise.octaves(g, 20, 3, gain=0.9)
  mottle, streaks = noise.octaves(g, 6, 5, gain=0.75), noise.octaves(g, 2, 4, stretch=8)
  bricks = noise.cells(g, 8, 16, 2, True, mottle)
  small_bricks = noise.cells(g, 32, 64, 1, True, mottle)
  ones = np.ones_like(x)
  return {
    "plain": _with_gain(patches, grain, 0.08),
    "asphalt": _with_gain(0.6 * patches + 0.4 * noise.octaves(g, 8, 3), grain, 0.45),
    "paving": _with_gain(noise.cells(g, 8, 8, 2, True, grain), mottle, 0.25),
    "slabs": _with_gain(noise.cells(g, 4, 4, 2, False, grain), mottle, 0.25),
    "grass": _with_gain(mottle, grain, 0.5),
    "leaf": _with_gain(noise.octaves(g, 12, 4, gain=0.8), noise.octaves(g, 16, 3, gain=0.8), 0.75),
    "bark": _with_gain(streaks, grain, 0.4),
    "planks": _with_gain(noise.cells(g, 16, 1, 3, False, streaks), streaks, 0.3),
    "bricks": _with_gain(bricks, grain, 0.2),
    "concrete": _with_gain(patches, streaks, 0.2),
    "shingles": _with_gain(noise.cells(g, 16, 16, 3, True, grain), patches, 0.3),
    "windows_plaster": _windows(g, 4, 4, (0.3, 0.7, 0.3, 0.8), patches, 0.16),
    "windows_brick": _windows(g, 4, 4, (0.25, 0.75, 0.28, 0.78), small_bricks, 0.45),
    "windows_wide": _windows(g, 4, 4, (0.08, 0.92, 0.32, 0.82), streaks, 0.2),
    "shop": _windows(g, 2, 1, (0.07, 0.93, 0.14, 0.8), mottle, 0.3),
    "door": _windows(g, 1, 1, (0.3, 0.7, 0.55, 0.85), streaks, 0.2),
    "cloth": _with_gain(mottle, grain, 0.2),
    "stripes": _with_gain((y * 8 % 1.0 < 0.5).astype(float), mottle, 0.1),
    "check": _with_gain(0.5 * (y * 8 % 1 < 0.5) + 0.5 * (x * 8 % 1 < 0.5), mottle, 0.1),
    "awning": _with_gain((x * 8 % 1.0 < 0.5).astype(float), patches, 0.1),
    "dashes": _with_gain((x > 0.5).astype(float), grain, 0.3),
    "zebra": _with_gain((y * 4 % 1.0 < 0.5).astype(float), grain, 0.3),
    "letters": _with_gain(_letters(g), patches, 0.1),
    "sky": _with_gain(np.clip(1.8 * noise.octaves(g, 3, 5) - 0.9, 0, 1), ones, 0.0),
    "target": _with_gain((np.hypot(x - 0.5, y - 0.5) > 0.36).astype(float), patches, 0.05),
    "arrow": _with_gain(
      ((np.abs(x - 0.5) < 0.09) & (np.abs(y - 0.45) < 0.25)
       | (np.abs(x - 0.5) < 0.85 - y) & (y > 0.6) & (y < 0.85)).astype(float), patches, 0.05
    ),
    "rim": _with_gain(_spokes(x, y), patches, 0.1),
  }  # fmt: skip


def _letters(generator) -> np.ndarray:
  """Bars of random height on a board, which from afar read as writing."""
  image = np.zeros((_S, _S))
  for column in range(14):
    if generator.random() < 0.8:
      x = 10 + column * 17
      low, high = 70 + 50 * generator.integers(0, 2), 150 + 40 * generator.integers(0, 2)
      image[low:high, x : x + 6] = 1.0
      level = generator.integers(low, high - 12)
      image[level : level + 14, x : x + 12] = 1.0
  return image


def _spokes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  angle, radius = np.arctan2(y - 0.5, x - 0.5), np.hypot(x - 0.5, y - 0.5)
  return np.where((np.cos(5 * angle) > 0.2) | (radius > 0.42) | (radius < 0.12), 1.0, 0.0)


@functools.cache
def bank() -> noise.Bank:
  """The textures, [n, 2]."""
  return noise.pack(_paint(np.random.default_rng(_SEED)))


def sample(texture: np.ndarray, x: np.ndarray, y: np.ndarray, footprint: np.ndarray) -> np.ndarray:
  """Trilinear look-up, so that a texture changes smoothly as a camera comes closer.

  Args:
    texture: [n] int, number of the texture.
    x, y: [n] float32, position in tiles (1.0 is one period).
    footprint: [n] float32, width of the sample in tiles.

  Returns:
    [n, 2] float32: mix and gain.
  """
  level = np.log2(np.maximum(footprint * np.float32(noise.SIZE), np.float32(1.0)))
  level = np.minimum(level, np.float32(noise.LEVELS - 1))
  below = level.astype(np.int32)
  share = (level - below)[:, None]
  fine = noise.bilinear(bank(), texture, x, y, below)
  coarse = noise.bilinear(bank(), texture, x, y, np.minimum(below + 1, noise.LEVELS - 1))
  return fine + share * (coarse - fine)
