"""Draws examples of the rooms world side by side for a person to look at."""

import colorsys

import numpy as np

from tf_taskology.datasets.rendering import preview
from tf_taskology.datasets.rooms import furniture, render

_FAR = 7.0  # metres shown white


def class_colours() -> np.ndarray:
  """[256, 3] uint8, a colour for each class; black for void."""
  colours = np.zeros((256, 3), np.uint8)
  for i in range(len(furniture.CLASSES)):
    hue, value = (i * 0.618) % 1.0, 0.6 + 0.4 * (i * 3 % 4) / 3
    colours[i] = np.array(colorsys.hsv_to_rgb(hue, 0.7, value)) * 255
  return colours


def panels(example: dict, frame: int) -> list[np.ndarray]:
  """Image, depth, normals and segmentation of one frame as [H, W, 3] uint8 pictures."""
  depth = np.clip(example["depth"][frame] / _FAR, 0, 1) * 255
  # Red right, green up, blue towards the camera, as normal maps usually are.
  normals = (example["normals"][frame] * (1, -1, -1) + 1) * 127.5
  return [
    example["image"][frame],
    np.repeat(depth, 3, -1).astype(np.uint8),
    normals.astype(np.uint8),
    class_colours()[example["segmentation"][frame][..., 0]],
  ]


def grid(jobs: list[render.Job], count: int, split: str = "train") -> np.ndarray:
  """Pictures of the first examples of each data set; arguments as in `rendering.preview.grid`.

  Returns:
    [rows, columns, 3] uint8; for each data set the second frame's image, then the first frame's
    image, depth, normals and segmentation from top to bottom.
  """
  return preview.grid(render, jobs, count, split, lambda e: [e["image"][1], *panels(e, 0)])
