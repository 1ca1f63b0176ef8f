"""A bank of tileable grey textures with mip levels, made once from a fixed seed."""

import functools

import numpy as np

from tf_taskology.datasets.rendering import noise

SIZE = noise.SIZE

_SEED = 20210620


def _stripes(generator, count: int) -> np.ndarray:
  """Stripes of random width and grey along y."""
  edges = np.sort(generator.random(count))
  index = np.searchsorted(edges, (np.arange(SIZE) + 0.5) / SIZE) % count
  return np.tile(generator.random(count)[index], (SIZE, 1))


def _art(generator) -> np.ndarray:
  """Random rectangles over a soft ground, as on a poster."""
  image = noise.octaves(generator, 2, 3)
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
  grain = noise.octaves(generator, 2, 4, stretch=8)
  warp = noise.octaves(generator, 3, 4)
  dots = np.hypot((x * 8) % 1 - 0.5, (y * 8) % 1 - 0.5) < 0.3
  return {
    "cloud": noise.octaves(generator, 2, 5),
    "mottle": noise.octaves(generator, 6, 5, gain=0.75),
    "speckle": noise.octaves(generator, 24, 3, gain=0.9),
    "grain": grain,
    "planks": noise.cells(generator, 8, 2, 2, False, grain),
    "parquet": noise.cells(generator, 16, 4, 1, True, noise.octaves(generator, 4, 4)),
    "tiles": noise.cells(generator, 4, 4, 5, False, 0.5 + 0.5 * warp),
    "bricks": noise.cells(generator, 4, 8, 4, True, warp),
    "checker": ((np.floor(x * 8) + np.floor(y * 8)) % 2).astype(float),
    "stripes": ((np.floor(x * 8) % 2) * 0.8 + 0.2 * grain),
    "bands": _stripes(generator, 14),
    "plaid": 0.5 * _stripes(generator, 10) + 0.5 * _stripes(generator, 10).T,
    "dots": dots.astype(float),
    "blobs": (noise.octaves(generator, 5, 3) > 0.52).astype(float),
    "marble": 0.5 + 0.5 * np.sin(2 * np.pi * (3 * x + 2 * y + 2.5 * warp)),
    "rings": 0.5 + 0.5 * np.sin(2 * np.pi * (6 * x + 1.2 * warp)),
    "art_a": _art(generator),
    "art_b": _art(generator),
    "art_c": _art(generator),
    "spines_a": _spines(generator),
    "spines_b": _spines(generator),
  }


@functools.cache
def bank() -> noise.Bank:
  """The textures, of one channel."""
  return noise.pack(_paint(np.random.default_rng(_SEED)))


def sample(texture: np.ndarray, x: np.ndarray, y: np.ndarray, footprint: np.ndarray) -> np.ndarray:
  """Bilinear look-up at the mip level whose texel matches the footprint.

  Args:
    texture: [n] int, number of the texture.
    x, y: [n] float32, position in tiles (1.0 is one period).
    footprint: [n] float32, width of the sample in tiles.

  Returns:
    [n] float32 in [0, 1].
  """
  level = np.log2(np.maximum(footprint * SIZE, 1.0)).round().astype(np.int32)
  return noise.bilinear(bank(), texture, x, y, np.minimum(level, noise.LEVELS - 1))
