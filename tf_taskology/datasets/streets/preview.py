"""Draws examples of the streets world for a person to look at."""

import numpy as np

from tf_taskology.datasets.rendering import preview
from tf_taskology.datasets.streets import classes, motion, render

_NEAR = 3.0  # metres shown white; depth is shown by its inverse
_STRONG = 1.0  # metres of motion between two frames that saturate the colour


def panels(example: dict) -> list[np.ndarray]:
  """[H, W, 3] uint8: every frame's image, then depth, segmentation, motion of the first frame.

  Motion to the next frame is shown as a colour around grey: red to the right, green downwards, blue
  away from the camera.
  """
  depth = example["depth"][0]
  near = np.divide(_NEAR, depth, out=np.zeros_like(depth), where=depth > 0)
  result = [
    *example["image"],
    (np.repeat(np.minimum(near, 1.0), 3, -1) * 255).astype(np.uint8),
    classes.colours()[example["segmentation"][0, ..., 0]],
  ]
  if len(example["image"]) > 1:
    field = motion.object_motion(example, 1)[0].numpy()
    result.append((np.clip(field / _STRONG, -1, 1) * 127 + 128).astype(np.uint8))
  return result


def grid(jobs: list[render.Job], count: int, split: str = "train") -> np.ndarray:
  """[rows, columns, 3] uint8: `panels` of the first examples; see `rendering.preview.grid`."""
  return preview.grid(render, jobs, count, split, panels)
