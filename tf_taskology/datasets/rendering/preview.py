"""Pictures of rendered worlds for a person to look at."""

import re
import types
from collections.abc import Callable

import numpy as np
from PIL import Image


def grid(
  renderer: types.ModuleType,
  jobs: list,
  count: int,
  split: str,
  panels: Callable[[dict], list[np.ndarray]],
) -> np.ndarray:
  """Pictures of the first examples of each data set.

  Args:
    renderer: a world's module with `render(job, split, index)`.
    jobs: data sets of one image width, one below the other.
    count: examples of each, side by side.
    split: one of the renderer's SPLITS.
    panels: what to show of an example, [H, W, 3] uint8 each, from top to bottom.

  Returns:
    [rows, columns, 3] uint8.
  """
  rows = []
  for job in jobs:
    columns = [np.concatenate(panels(renderer.render(job, split, i))) for i in range(count)]
    rows.append(np.concatenate(columns, 1))
  return np.concatenate(rows)


def parse_size(text: str) -> tuple[int, int]:
  """(height, width) of e.g. "48x64".

  Raises:
    ValueError: anything else.
  """
  match = re.fullmatch(r"(\d+)x(\d+)", text)
  if not match:
    raise ValueError(f"--size is {text!r}; expected height x width in pixels, e.g. 48x64")
  return int(match[1]), int(match[2])


def save(picture: np.ndarray, path: str, height: int) -> None:
  """Writes a PNG, enlarged so that images of `height` pixels have about 128."""
  zoom = max(1, 128 // height)
  Image.fromarray(np.repeat(np.repeat(picture, zoom, 0), zoom, 1)).save(path)
