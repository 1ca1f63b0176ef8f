"""Shadows of things that stand still, kept as a map of the ground.

The map belongs to the world and not to a view: a spot of ground has one brightness in all frames.
"""

import dataclasses

import numpy as np

from tf_taskology.datasets.streets import parts as p, scene

_CELL = 0.25  # metres
_BACK, _AHEAD, _SIDE = 12.0, 70.0, 36.0  # metres around the camera that the map covers


@dataclasses.dataclass(frozen=True)
class ShadowMap:
  """Share of sunlight at points of the ground.

  Attributes:
    share: [rows, columns] float32 in [0, 1]; rows along y.
    low: [2] float64, world (x, y) of the first cell's centre, metres.
  """

  share: np.ndarray
  low: np.ndarray

  def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[n] float32 at world positions [n] in metres; beyond the map its rim goes on."""
    rows, columns = self.share.shape
    fx = np.clip((x - self.low[0]) / _CELL, 0, columns - 1.001).astype(np.float32)
    fy = np.clip((y - self.low[1]) / _CELL, 0, rows - 1.001).astype(np.float32)
    x0, y0 = fx.astype(np.int32), fy.astype(np.int32)
    fx, fy = fx - x0, fy - y0
    place, flat = y0 * columns + x0, self.share.ravel()
    top = flat[place] * (1 - fx) + flat[place + 1] * fx
    bottom = flat[place + columns] * (1 - fx) + flat[place + columns + 1] * fx
    return top * (1 - fy) + bottom * fy


def _covered(part: p.Part, rotation, center, sun, x, y) -> np.ndarray:
  """Whether the sun's rays to ground points (x [1, w], y [h, 1]) meet a part."""
  ray = rotation.T @ sun
  ox, oy = rotation[0], rotation[1]  # part-frame axes of world x and y
  base = -rotation.T @ center

  def affine(row):
    """row . o with o the ground point in the part's frame."""
    return (row @ ox) * x + ((row @ oy) * y + row @ base)

  if part.kind == p.CONVEX:
    enter, leave = np.zeros((y.size, x.size)), np.full((y.size, x.size), np.inf)
    for plane in part.shape:
      room, along = plane[3] - affine(plane[:3]), plane[:3] @ ray
      if abs(along) < 1e-9:
        leave = np.where(room < 0, -1.0, leave)
      elif along > 0:
        leave = np.minimum(leave, room / along)
      else:
        enter = np.maximum(enter, room / along)
    return enter < leave
  # Ellipsoids exactly; the others as the ellipsoid in their box.
  scale = 1.0 / np.maximum(part.size, 0.02)
  d = ray * scale
  o = [affine(np.eye(3)[i] * scale[i]) for i in range(3)]
  b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
  c = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1.0
  return (b * b > (d @ d) * c) & ((b < 0) | (c < 0))


def cast(world: scene.Scene, sun: np.ndarray, around: np.ndarray) -> ShadowMap:
  """The shadows of what stands still.

  Args:
    world: the scene.
    sun: [3] unit, towards the sun.
    around: [4, 4] pose of the camera; the map covers what lies before it.
  """
  forward = around[:2, 2] / max(np.hypot(*around[:2, 2]), 1e-6)
  side = np.array([-forward[1], forward[0]])
  corners = np.array([
    around[:2, 3] + a * forward + b * side for a in (-_BACK, _AHEAD) for b in (-_SIDE, _SIDE)
  ])  # fmt: skip
  low, high = corners.min(0), corners.max(0)
  x, y = (np.arange(low[i], high[i], _CELL) for i in (0, 1))
  share = np.ones((y.size, x.size), np.float32)
  rotation, center = world.placed(0)
  reach = np.einsum("nij,nj->ni", np.abs(rotation), world.size)
  # The box's shadow: its foot, and its top moved away from the sun.
  slope = sun[:2] / sun[2]
  top = (center[:, 2] + reach[:, 2])[:, None] * slope
  least = center[:, :2] - reach[:, :2] - np.maximum(top, 0)
  most = center[:, :2] + reach[:, :2] - np.minimum(top, 0)
  first = np.clip(np.floor((least - low) / _CELL), 0, (x.size, y.size)).astype(int)
  last = np.clip(np.ceil((most - low) / _CELL) + 1, 0, (x.size, y.size)).astype(int)
  for index in np.flatnonzero(world.casts_shadow & (first < last).all(1)):
    (x0, y0), (x1, y1) = first[index], last[index]
    covered = _covered(
      world.parts[index], rotation[index], center[index], sun, x[x0:x1], y[y0:y1, None]
    )
    share[y0:y1, x0:x1][covered] = 0.0
  for _ in range(2):  # a soft rim of about half a metre
    padded = np.pad(share, 1, mode="edge")
    share = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    share = (share[:, :-2] + 2 * share[:, 1:-1] + share[:, 2:]) / 4
  return ShadowMap(share, low)
