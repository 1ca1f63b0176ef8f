"""A bank of tileable grey textures with mip levels, made once from a fixed seed."""

import functools

import numpy as np

SIZE = 256  # texels along a side at the finest level
LEVELS = 8

_SEED = 20210620


def _noise(generator: np.random.Generator, cells_x: int, cells_y: int) -> np.ndarray:
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


def _octaves(generator, first: int, count: int, stretch: int = 1, gain: float = 0.55):
  """Sum of octaves of value noise, stretched along y, spread over [0, 1]."""
  total = sum(
    gain**i * _noise(generator, first * 2**i * stretch, first * 2**i) for i in range(count)
  )
  low, high = np.quantile(total, [0.01, 0.99])
  return np.clip((total - low) / (high - low), 0, 1)


def _cells(generator, columns: int, rows: int, gap: int, offset: bool, grain: np.ndarray):
  """Planks, tiles or bricks: a random grey for each cell, dark gaps, some grain."""
  y, x = np.mgrid[0:SIZE, 0:SIZE]
  row = y * rows // SIZE
  shift = (row % 2) * (SIZE // columns // 2) if offset else 0
  column = ((x + shift) % SIZE) * columns // SIZE
  value = generator.random((rows, columns))[row, column] * 0.6 + 0.4 * grain
  inside_x = ((x + shift) % (SIZE // columns)) >= gap
  inside_y = (y % (SIZE // rows)) >= gap
  return np.where(inside_x & inside_y, value, 0.0)


def _stripes(generator, count: int) -> np.ndarray:
  """Stripes of random width and grey along y."""
  edges = np.sort(generator.random(count))
  index = np.searchsorted(edges, (np.arange(SIZE) + 0.5) / SIZE) % count
  return np.tile(generator.random(count)[index], (SIZE, 1))


def _art(generator) -> np.ndarray:
  """Random rectangles over a soft ground, as on a poster."""
  image = _octaves(generator, 2, 3)
  for _ in range(24):
    x, y = generator.integers(0, SIZE, 2)
    w, h = generator.integers(12, 90, 2)
    rows, columns = np.arange(y, y + h) % SIZE, np.arange(x, x + w) % SIZE
    image[np.ix_(rows, columns)] = generator.random()
  return image


def _spines(generator) -> np.ndarray:
  """Book spines: narrow upright bands with a label on each."""
  image = _stripes(generator, 28)
  edges = np.diff(image[0], prepend=image[0, -1]) != 0
  image[:, edges] = 0.0
  image[60:84] = 1.0 - image[60:84]
  return image


def _paint(generator) -> dict[str, np.ndarray]:
  y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
  grain = _octaves(generator, 2, 4, stretch=8)
  warp = _octaves(generator, 3, 4)
  dots = np.hypot((x * 8) % 1 - 0.5, (y * 8) % 1 - 0.5) < 0.3
  return {
    "cloud": _octaves(generator, 2, 5),
    "mottle": _octaves(generator, 6, 5, gain=0.75),
    "speckle": _octaves(generator, 24, 3, gain=0.9),
    "grain": grain,
    "planks": _cells(generator, 8, 2, 2, False, grain),
    "parquet": _cells(generator, 16, 4, 1, True, _octaves(generator, 4, 4)),
    "tiles": _cells(generator, 4, 4, 5, False, 0.5 + 0.5 * warp),
    "bricks": _cells(generator, 4, 8, 4, True, warp),
    "checker": ((np.floor(x * 8) + np.floor(y * 8)) % 2).astype(float),
    "stripes": ((np.floor(x * 8) % 2) * 0.8 + 0.2 * grain),
    "bands": _stripes(generator, 14),
    "plaid": 0.5 * _stripes(generator, 10) + 0.5 * _stripes(generator, 10).T,
    "dots": dots.astype(float),
    "blobs": (_octaves(generator, 5, 3) > 0.52).astype(float),
    "marble": 0.5 + 0.5 * np.sin(2 * np.pi * (3 * x + 2 * y + 2.5 * warp)),
    "rings": 0.5 + 0.5 * np.sin(2 * np.pi * (6 * x + 1.2 * warp)),
    "art_a": _art(generator),
    "art_b": _art(generator),
    "art_c": _art(generator),
    "spines_a": _spines(generator),
    "spines_b": _spines(generator),
  }


@functools.cache
def bank() -> tuple[dict[str, int], np.ndarray, np.ndarray]:
  """The textures.

  Returns:
    index: name -> number of the texture.
    texels: [T * sum of level sizes] float32 in [0, 1], levels one after the other.
    starts: [LEVELS] where each level begins; in a level, texture after texture, row by row.
  """
  images = _paint(np.random.default_rng(_SEED))
  level = np.stack(list(images.values())).astype(np.float32)
  flat, starts, total = [], [], 0
  for _ in range(LEVELS):
    starts.append(total)
    flat.append(level.ravel())
    total += level.size
    level = (
      level[:, 0::2, 0::2] + level[:, 1::2, 0::2] + level[:, 0::2, 1::2] + level[:, 1::2, 1::2]
    ) / 4
  return {name: i for i, name in enumerate(images)}, np.concatenate(flat), np.array(starts)


def sample(texture: np.ndarray, x: np.ndarray, y: np.ndarray, footprint: np.ndarray) -> np.ndarray:
  """Bilinear look-up at the mip level whose texel matches the footprint.

  Args:
    texture: [n] int, number of the texture.
    x, y: [n] float32, position in tiles (1.0 is one period).
    footprint: [n] float32, width of the sample in tiles.

  Returns:
    [n] float32 in [0, 1].
  """
  _, texels, starts = bank()
  level = np.log2(np.maximum(footprint * SIZE, 1.0)).round().astype(np.int32)
  level = np.minimum(level, LEVELS - 1)
  size = SIZE >> level
  x = (x - np.floor(x)) * size - np.float32(0.5)
  y = (y - np.floor(y)) * size - np.float32(0.5)
  x0, y0 = np.floor(x), np.floor(y)
  fx, fy = x - x0, y - y0
  last = size - 1  # sizes are powers of two, so & wraps, also below zero
  x0, y0 = x0.astype(np.int32), y0.astype(np.int32)
  base = starts[level] + texture * size * size
  row0, row1 = base + (y0 & last) * size, base + ((y0 + 1) & last) * size
  x1, x0 = (x0 + 1) & last, x0 & last
  top = texels[row0 + x0] * (1 - fx) + texels[row0 + x1] * fx
  bottom = texels[row1 + x0] * (1 - fx) + texels[row1 + x1] * fx
  return top * (1 - fy) + bottom * fy
