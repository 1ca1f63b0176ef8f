"""Decides what stands and hangs where in a room.

Frame: that of the room, which spans [0, size] on each axis; x and y along the walls, z up, metres.
"""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.rooms import accessories, furniture as f

_AGAINST_WALL = (f.cabinet, f.shelf, f.sofa, f.bed, f.cabinet, f.shelf)
_GAP = 0.04  # metres kept free between footprints, so that surfaces never coincide


@dataclasses.dataclass
class Placed:
  """A piece in the room: its frame's origin (x, y, z), metres, and yaw about z, radians."""

  piece: f.Piece
  origin: tuple[float, float, float]
  yaw: float


class _Floor:
  """Footprints on the floor as rotated rectangles, with an overlap test."""

  def __init__(self, size: tuple[float, float]):
    self._size = size
    self._taken: list[tuple[float, float, float, float, float, float]] = []

  def take(self, x: float, y: float, yaw: float, width: float, depth: float) -> bool:
    """Reserves a footprint; returns False, and reserves nothing, where there is no room."""
    c, s = math.cos(yaw), math.sin(yaw)
    a, b = width / 2 + _GAP / 2, depth / 2 + _GAP / 2
    reach_x, reach_y = abs(c) * a + abs(s) * b, abs(s) * a + abs(c) * b
    if not (reach_x <= x <= self._size[0] - reach_x and reach_y <= y <= self._size[1] - reach_y):
      return False
    new = (x, y, c, s, a, b)
    if any(_overlap(new, old) for old in self._taken):
      return False
    self._taken.append(new)
    return True


def _overlap(p, q) -> bool:
  """Separating axis test of two rectangles (x, y, cos, sin, half width, half depth)."""
  dx, dy = q[0] - p[0], q[1] - p[1]
  c = abs(p[2] * q[2] + p[3] * q[3])
  s = abs(p[2] * q[3] - p[3] * q[2])
  return (
    abs(dx * p[2] + dy * p[3]) < p[4] + q[4] * c + q[5] * s
    and abs(dy * p[2] - dx * p[3]) < p[5] + q[4] * s + q[5] * c
    and abs(dx * q[2] + dy * q[3]) < q[4] + p[4] * c + p[5] * s
    and abs(dy * q[2] - dx * q[3]) < q[5] + p[4] * s + p[5] * c
  )


def _wall_pose(draw: draws.Draw, size, wall: int, width: float, depth: float):
  """(x, y, yaw) of a piece with its back to wall 0..3 (x=0, x=max, y=0, y=max)."""
  away = depth / 2 + _GAP
  along = size[1] if wall < 2 else size[0]
  at = draw(width / 2 + _GAP, max(width / 2 + _GAP, along - width / 2 - _GAP))
  if wall == 0:
    return away, at, math.pi / 2
  if wall == 1:
    return size[0] - away, at, -math.pi / 2
  if wall == 2:
    return at, away, math.pi
  return at, size[1] - away, 0.0


def _furnish_walls(draw: draws.Draw, floor: _Floor, size, placed: list[Placed]) -> None:
  wanted = 3 + draw.index(3)
  for _ in range(wanted):
    piece = _AGAINST_WALL[draw.index(len(_AGAINST_WALL))](draw)
    for _ in range(6):
      x, y, yaw = _wall_pose(draw, size, draw.index(4), piece.width, piece.depth)
      if floor.take(x, y, yaw, piece.width, piece.depth):
        accessories.dress(draw, piece)
        placed.append(Placed(piece, (x, y, 0.0), yaw))
        break


def _seat(draw: draws.Draw, floor: _Floor, table: f.Piece, origin, yaw: float, placed) -> None:
  """Puts chairs around a table, facing it."""
  c, s = math.cos(yaw), math.sin(yaw)
  for side in range(4):
    if draw.chance(0.45):
      continue
    chair = f.chair(draw)
    reach = (table.depth if side % 2 == 0 else table.width) / 2 + chair.depth / 2 + draw(0.05, 0.2)
    angle = side * math.pi / 2
    # The chair's front is -y of its frame, so a chair in front of the table (-y) turns by pi.
    lx, ly = math.sin(angle) * reach, -math.cos(angle) * reach
    x, y = origin[0] + c * lx - s * ly, origin[1] + s * lx + c * ly
    turn = yaw + angle + math.pi + draw(-0.25, 0.25)
    if floor.take(x, y, turn, chair.width, chair.depth):
      placed.append(Placed(chair, (x, y, 0.0), turn))


def _furnish_middle(draw: draws.Draw, floor: _Floor, size, placed: list[Placed]) -> None:
  for _ in range(1 + draw.index(2)):
    table = f.table(draw)
    for _ in range(6):
      x, y, yaw = draw(0.5, size[0] - 0.5), draw(0.5, size[1] - 0.5), draw(-math.pi, math.pi)
      if floor.take(x, y, yaw, table.width, table.depth):
        accessories.dress(draw, table)
        placed.append(Placed(table, (x, y, 0.0), yaw))
        _seat(draw, floor, table, (x, y), yaw, placed)
        break
  makers = [accessories.plant, accessories.floor_lamp] + [accessories.toy] * (1 + draw.index(3))
  makers += [f.chair] * draw.index(2) + [accessories.plant] * draw.index(2)
  for maker in makers:
    piece = maker(draw)
    for _ in range(5):
      x, y, yaw = draw(0.2, size[0] - 0.2), draw(0.2, size[1] - 0.2), draw(-math.pi, math.pi)
      if floor.take(x, y, yaw, piece.width, piece.depth):
        placed.append(Placed(piece, (x, y, 0.0), yaw))
        break
  if draw.chance(0.6):
    piece = accessories.rug(draw)
    x, y = draw(0.35, 0.65) * size[0], draw(0.35, 0.65) * size[1]
    placed.append(Placed(piece, (x, y, 0.0), draw(-0.3, 0.3)))


def _decorate(draw: draws.Draw, size, placed: list[Placed]) -> None:
  """Hangs windows, pictures and lamps; at most one thing on each half of a wall."""
  spots = [(wall, half) for wall in range(4) for half in range(2)]
  makers = [accessories.window] * (1 + draw.index(2)) + [accessories.picture] * (2 + draw.index(3))
  for maker in makers:
    wall, half = spots.pop(draw.index(len(spots)))
    piece = maker(draw)
    along = size[1] if wall < 2 else size[0]
    # Half a wall may be narrower than the piece; then nothing hangs there.
    slack = along / 2 - piece.width - 0.15
    if slack <= 0:
      continue
    at = half * along / 2 + piece.width / 2 + 0.08 + draw(0, slack)
    _, _, yaw = _wall_pose(draw, size, wall, 0.0, 0.0)
    z = min(draw(1.45, 1.75), size[2] - piece.depth / 2 - 0.1)
    x, y = ((0.0, at), (size[0], at), (at, 0.0), (at, size[1]))[wall]
    placed.append(Placed(piece, (x, y, z), yaw))
  for _ in range(1 + draw.index(2)):
    x, y = draw(0.25, 0.75) * size[0], draw(0.25, 0.75) * size[1]
    placed.append(Placed(accessories.pendant_lamp(draw), (x, y, size[2]), 0.0))


def furnish(draw: draws.Draw, size: np.ndarray) -> list[Placed]:
  """Draws the pieces of a room of `size` [3], metres."""
  floor = _Floor((size[0], size[1]))
  placed: list[Placed] = []
  _furnish_walls(draw, floor, size, placed)
  _furnish_middle(draw, floor, size, placed)
  _decorate(draw, size, placed)
  return placed
