"""Pictures of the sweeps world for a person to look at: points and boxes seen from above."""

import numpy as np
from PIL import Image, ImageDraw

from tf_taskology.datasets.sweeps import render

_BACKGROUND, _LOW, _HIGH = np.array([18, 18, 24]), np.array([60, 90, 200]), np.array([255, 220, 90])
_TALL = 3.0  # metres, where the colour of height ends
_SEEN, _HARDLY = (240, 80, 70), (120, 70, 70)  # boxes with more than 5 returns, and the others
_LATER = (240, 170, 60)


def picture(example: dict, reach: float = 50.0, size: int = 512) -> np.ndarray:
  """The first sweep with its boxes, and where the vehicles are in the last one.

  Args:
    example: of `render.render`.
    reach: metres from the own car to the picture's sides; x points up, y to the left.
    size: of the picture, pixels.

  Returns:
    [size, size, 3] uint8.
  """
  image = np.tile(_BACKGROUND, (size, size, 1)).astype(float)
  points = example["points"][0, : example["num_points"][0]].astype(float)
  points = points[np.argsort(points[:, 2])]  # what is higher hides what is below
  row, column = (np.floor(v).astype(int) for v in _pixels(points[:, :2], reach, size))
  inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
  share = np.clip(points[:, 2:3] / _TALL, 0, 1)
  image[row[inside], column[inside]] = (_LOW + share * (_HIGH - _LOW))[inside]
  canvas = Image.fromarray(image.astype(np.uint8))
  drawing = ImageDraw.Draw(canvas)
  pose = example["pose"].astype(float)
  to_first = np.linalg.inv(pose[0]) @ pose[-1]
  for box in example["boxes"][-1][example["classes"][-1] > 0]:
    _draw(drawing, box, to_first, reach, size, _LATER)
  there = example["classes"][0] > 0
  for box, count in zip(example["boxes"][0][there], example["box_points"][0][there], strict=True):
    _draw(drawing, box, np.eye(4), reach, size, _SEEN if count > 5 else _HARDLY)
  return np.asarray(canvas)


def grid(jobs: list[render.Job], count: int, split: str = "train") -> np.ndarray:
  """Pictures of the first examples of each data set, [rows, columns, 3] uint8."""
  rows = [
    np.concatenate([picture(render.render(job, split, i)) for i in range(count)], axis=1)
    for job in jobs
  ]
  return np.concatenate(rows)


def _pixels(places, reach, size):
  """Rows and columns of places [n, 2], as floats."""
  scale = size / (2 * reach)
  return (reach - places[:, 0]) * scale, (reach - places[:, 1]) * scale


def _draw(drawing, box, pose, reach, size, colour):
  """The outline, and a line from the centre to the front."""
  along = np.array([np.cos(box[6]), np.sin(box[6]), 0.0])
  across = np.array([-along[1], along[0], 0.0])
  ends = [(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5), (0.5, 0.5)]
  corners = [box[:3] + a * box[3] * along + b * box[4] * across for a, b in ends]
  for line in (corners, [box[:3], box[:3] + 0.5 * box[3] * along]):
    places = (np.asarray(line) @ pose[:3, :3].T + pose[:3, 3])[:, :2]
    row, column = _pixels(places, reach, size)
    drawing.line(list(zip(column.tolist(), row.tolist(), strict=True)), fill=colour, width=1)
