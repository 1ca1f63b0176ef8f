"""Intersections of turned rectangles by clipping polygons edge by edge, in float64 numpy.

Sutherland and Hodgman (1974), the textbook way: slow, branching, and nothing in common with what is
tested against it.
"""

import math

import numpy as np


def rectangle(box) -> list[tuple[float, float]]:
  """Corners of a box (x, y, z, length, width, height, heading) seen from above, anticlockwise."""
  x, y, _, length, width, _, heading = (float(value) for value in box)
  cosine, sine = math.cos(heading), math.sin(heading)
  corners = [(length / 2, width / 2), (-length / 2, width / 2)]
  corners += [(-a, -b) for a, b in corners]
  return [(x + a * cosine - b * sine, y + a * sine + b * cosine) for a, b in corners]


def area(polygon) -> float:
  """Area by the shoelace formula."""
  if len(polygon) < 3:
    return 0.0
  following = polygon[1:] + polygon[:1]
  return 0.5 * sum(a * d - b * c for (a, b), (c, d) in zip(polygon, following, strict=True))


def clip(polygon, window):
  """The part of a polygon inside a convex window, both anticlockwise."""
  for (ax, ay), (bx, by) in zip(window, window[1:] + window[:1], strict=True):
    side = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for x, y in polygon]
    kept = []
    for i, point in enumerate(polygon):
      previous, before = polygon[i - 1], side[i - 1]
      if (before < 0) != (side[i] < 0):
        share = before / (before - side[i])
        kept.append(tuple(p + share * (q - p) for p, q in zip(previous, point, strict=True)))
      if side[i] >= 0:
        kept.append(point)
    polygon = kept
    if not polygon:
      break
  return polygon


def intersection(first, second) -> float:
  """Area shared by two boxes seen from above."""
  return area(clip(rectangle(first), rectangle(second)))


def bev_iou(first, second) -> float:
  shared = intersection(first, second)
  return shared / (first[3] * first[4] + second[3] * second[4] - shared)


def iou_3d(first, second) -> float:
  top = min(first[2] + first[5] / 2, second[2] + second[5] / 2)
  bottom = max(first[2] - first[5] / 2, second[2] - second[5] / 2)
  shared = intersection(first, second) * max(0.0, top - bottom)
  return shared / (np.prod(first[3:6]) + np.prod(second[3:6]) - shared)


def random_boxes(random: np.random.RandomState, count: int, spread: float = 4.0) -> np.ndarray:
  """[count, 7] float32 boxes of vehicle size, crowded so that most overlap another."""
  place = random.uniform(-spread, spread, [count, 3]) * [1, 1, 0.2]
  size = random.uniform([2.0, 1.0, 1.0], [6.0, 3.0, 3.0], [count, 3])
  heading = random.uniform(-7, 7, [count, 1])
  return np.concatenate([place, size, heading], axis=1).astype(np.float32)
