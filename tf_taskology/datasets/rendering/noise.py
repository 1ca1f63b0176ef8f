"""Tileable grey patterns, and a bank of textures with mip levels."""

import dataclasses

import numpy as np

SIZE = 256  # texels along a side at the finest level
LEVELS = 8


def value_noise(generator: np.random.Generator, cells_x: int, cells_y: int) -> np.ndarray:
  """Tileable value noise [SIZE, SIZE] in [0, 1] with the given number of cells."""
  grid = generator.random((cells_y, cells_x))
  x, y = np.arange(SIZE) * cells_x / SIZE, np.arange(SIZE) * cells_y / SIZE
  x0, y0 = x.astype(int), y.astype(int)
  fx, fy = x - x0, y - y0
  fx, fy = fx * fx * (3 - 2 * fx), (fy * fy * (3 - 2 * fy))[:, None]
  x1, y1 = (x0 + 1) % cells_x, (y0 + 1) % cells_y
  top = grid[y0][:, x0] * (1 - fx) + grid[y0][:, x1] * fx
  bottom = grid[y1][:, x0] * (1 - fx) + grid[y1][:, x1] * fx
  return top * (1 - fy) + bottom * fy


def octaves(generator, first: int, count: int, stretch: int = 1, gain: float = 0.55):
  """Sum of octaves of value noise, stretched along y, spread over [0, 1]."""
  total = sum(
    gain**i * value_noise(generator, first * 2**i * stretch, first * 2**i) for i in range(count)
  )
  low, high = np.quantile(total, [0.01, 0.99])
  return np.clip((total - low) / (high - low), 0, 1)


def cells(generator, columns: int, rows: int, gap: int, offset: bool, grain: np.ndarray):
  """Planks, tiles or bricks: a random grey for each cell, dark gaps, some grain."""
  y, x = np.mgrid[0:SIZE, 0:SIZE]
  row = y * rows // SIZE
  shift = (row % 2) * (SIZE // columns // 2) if offset else 0
  column = ((x + shift) % SIZE) * columns // SIZE
  value = generator.random((rows, columns))[row, column] * 0.6 + 0.4 * grain
  inside_x = ((x + shift) % (SIZE // columns)) >= gap
  inside_y = (y % (SIZE // rows)) >= gap
  return np.where(inside_x & inside_y, value, 0.0)


@dataclasses.dataclass(frozen=True)
class Bank:
  """Textures of C channels, level after level.

  Attributes:
    index: name -> number of the texture.
    texels: [T * sum of level sizes, C] float32, or without the last axis where C is 1; in a level,
      texture after texture, row by row.
    starts: [LEVELS] where each level begins.
  """

  index: dict[str, int]
  texels: np.ndarray
  starts: np.ndarray


def pack(images: dict[str, np.ndarray]) -> Bank:
  """A bank of images [SIZE, SIZE] or [SIZE, SIZE, C]; every level is the mean of 2x2 texels."""
  level = np.stack(list(images.values())).astype(np.float32)
  rest = level.shape[3:]
  flat, starts, total = [], [], 0
  for _ in range(LEVELS):
    starts.append(total)
    flat.append(level.reshape(-1, *rest))
    total += len(flat[-1])
    level = (
      level[:, 0::2, 0::2] + level[:, 1::2, 0::2] + level[:, 0::2, 1::2] + level[:, 1::2, 1::2]
    ) / 4
  index = {name: i for i, name in enumerate(images)}
  return Bank(index, np.concatenate(flat), np.array(starts))


def bilinear(bank: Bank, texture, x: np.ndarray, y: np.ndarray, level: np.ndarray) -> np.ndarray:
  """Look-up between the four nearest texels of a mip level.

  Args:
    bank: the textures.
    texture: [n] int, number of the texture.
    x, y: [n] float32, position in tiles (1.0 is one period).
    level: [n] int32, 0..LEVELS - 1.

  Returns:
    [n] or [n, C] float32.
  """
  texels, wide = bank.texels, (lambda a: a[:, None]) if bank.texels.ndim > 1 else (lambda a: a)
  size = SIZE >> level
  x = (x - np.floor(x)) * size - np.float32(0.5)
  y = (y - np.floor(y)) * size - np.float32(0.5)
  x0, y0 = np.floor(x), np.floor(y)
  fx, fy = wide(x - x0), wide(y - y0)
  last = size - 1  # sizes are powers of two, so & wraps, also below zero
  x0, y0 = x0.astype(np.int32), y0.astype(np.int32)
  base = bank.starts[level] + texture * size * size
  row0, row1 = base + (y0 & last) * size, base + ((y0 + 1) & last) * size
  x1, x0 = (x0 + 1) & last, x0 & last
  look = lambda place: texels.take(place, axis=0)
  top = look(row0 + x0) * (1 - fx) + look(row0 + x1) * fx
  bottom = look(row1 + x0) * (1 - fx) + look(row1 + x1) * fx
  return top * (1 - fy) + bottom * fy
