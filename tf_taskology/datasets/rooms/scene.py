"""Samples furnished rooms: what stands where, and the tables the ray caster and shaders read.

World frame: x and y along the walls, z up, metres; the room spans [0, size] on each axis.
"""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rooms import accessories
from tf_taskology.datasets.rooms import furniture as f

# Primitives 0..5 are the room itself: the walls x=0, x=max, y=0, y=max, the floor, the ceiling.
ROOM_LABELS = (f.LABELS["wall"],) * 4 + (f.LABELS["floor"], f.LABELS["ceiling"])
ROOM_FAMILIES = (f.FAMILY_IDS["wall"],) * 4 + (f.FAMILY_IDS["floor"], f.FAMILY_IDS["ceiling"])
ROOM_PRIMITIVES = 6

_AGAINST_WALL = (f.cabinet, f.shelf, f.sofa, f.bed, f.cabinet, f.shelf)
_GAP = 0.04  # metres kept free between footprints, so that surfaces never coincide


@dataclasses.dataclass
class Groups:
  """The G placed pieces; the primitives of one share its frame.

  Attributes:
    origin: [G, 3] float64, position of the piece's frame in the world, metres.
    cos, sin: [G] float64, of its yaw about z.
    bound_low, bound_high: [G, 3] float64, a box around it in its frame, metres.
    bound_center, bound_radius: [G, 3], [G] float64, a sphere around that box, world frame, metres.
    first: [G] int, index of its first primitive.
    boxes, rounds: [G] int, how many boxes it has, and how many spheres and frustums after them.
  """

  origin: np.ndarray
  cos: np.ndarray
  sin: np.ndarray
  bound_low: np.ndarray
  bound_high: np.ndarray
  bound_center: np.ndarray
  bound_radius: np.ndarray
  first: np.ndarray
  boxes: np.ndarray
  rounds: np.ndarray

  def select(self, which: np.ndarray) -> "Groups":
    """The groups for which `which` [G] is true."""
    return Groups(*(getattr(self, field.name)[which] for field in dataclasses.fields(self)))


@dataclasses.dataclass
class Scene:
  """A furnished room. N counts primitives, the room's six faces first.

  Attributes:
    size: [3] float64, metres.
    groups: the placed pieces.
    shadow_groups: those at which light stops.
    kind: [N] int, BOX, SPHERE or FRUSTUM (the room's faces count as BOX).
    frame: [N, 5] float64, origin x, y, z and cos, sin of the yaw of the primitive's group.
    center, half: [N, 3] float64 in the group's frame, as in `furniture.Part`.
    reach: [N, 3] float64, half extents of a box around the primitive.
    label: [N] uint8 class.
    family: [N] int.
    material: [N] int, which primitives look alike; 0..materials-1.
    materials: number of materials.
    glows: [G, 3] float64, world positions of the lamps' and windows' lights.
    glow_is_window: [G] bool.
  """

  size: np.ndarray
  groups: Groups
  shadow_groups: Groups
  kind: np.ndarray
  frame: np.ndarray
  center: np.ndarray
  half: np.ndarray
  reach: np.ndarray
  label: np.ndarray
  family: np.ndarray
  material: np.ndarray
  materials: int
  glows: np.ndarray
  glow_is_window: np.ndarray


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


def _wall_pose(draw: f.Draw, size, wall: int, width: float, depth: float):
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


def _furnish_walls(draw: f.Draw, floor: _Floor, size, placed: list[Placed]) -> None:
  wanted = 3 + draw.index(3)
  for _ in range(wanted):
    piece = _AGAINST_WALL[draw.index(len(_AGAINST_WALL))](draw)
    for _ in range(6):
      x, y, yaw = _wall_pose(draw, size, draw.index(4), piece.width, piece.depth)
      if floor.take(x, y, yaw, piece.width, piece.depth):
        accessories.dress(draw, piece)
        placed.append(Placed(piece, (x, y, 0.0), yaw))
        break


def _seat(draw: f.Draw, floor: _Floor, table: f.Piece, origin, yaw: float, placed) -> None:
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


def _furnish_middle(draw: f.Draw, floor: _Floor, size, placed: list[Placed]) -> None:
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


def _decorate(draw: f.Draw, size, placed: list[Placed]) -> None:
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


def _group(frames, center, reach, sizes, boxes) -> Groups:
  """Tables of the pieces, from those of their primitives (without the room's faces)."""
  starts = np.cumsum(sizes) - sizes
  low = np.minimum.reduceat(center - reach, starts) - 1e-3
  high = np.maximum.reduceat(center + reach, starts) + 1e-3
  x, y, z = ((low + high) / 2).T
  c, s = frames[:, 3], frames[:, 4]
  return Groups(
    origin=frames[:, :3],
    cos=c,
    sin=s,
    bound_low=low,
    bound_high=high,
    bound_center=frames[:, :3] + np.stack([c * x - s * y, s * x + c * y, z], 1),
    bound_radius=np.sqrt(((high - low) ** 2).sum(1)) / 2,
    first=ROOM_PRIMITIVES + starts,
    boxes=boxes,
    rounds=sizes - boxes,
  )


def assemble(size: np.ndarray, placed: list[Placed]) -> Scene:
  """Tables of a room of `size` [3], metres, with at least one piece."""
  parts, materials = [], {}
  material = list(range(ROOM_PRIMITIVES))
  for number, item in enumerate(placed):
    for part in sorted(item.piece.parts, key=lambda part: part.kind != f.BOX):
      key = (number, part.family, part.slot)
      material.append(materials.setdefault(key, ROOM_PRIMITIVES + len(materials)))
      parts.append(part)
  sizes = np.array([len(item.piece.parts) for item in placed])
  boxes = np.array([sum(part.kind == f.BOX for part in item.piece.parts) for item in placed])
  frames = np.array([(*p.origin, math.cos(p.yaw), math.sin(p.yaw)) for p in placed])
  kind = np.array([f.BOX] * ROOM_PRIMITIVES + [p.kind for p in parts])
  center = np.array([tuple(size / 2)] * ROOM_PRIMITIVES + [p.center for p in parts])
  half = np.array([tuple(size / 2)] * ROOM_PRIMITIVES + [p.half for p in parts])
  reach = half.copy()
  reach[kind == f.FRUSTUM, :2] = half[kind == f.FRUSTUM, :2].max(1, keepdims=True)
  only = slice(ROOM_PRIMITIVES, None)
  groups = _group(frames, center[only], reach[only], sizes, boxes)
  lights = [item for item in placed if item.piece.glow is not None]
  own_frame = np.array([(0.0, 0.0, 0.0, 1.0, 0.0)] * ROOM_PRIMITIVES)
  return Scene(
    size=size,
    groups=groups,
    shadow_groups=groups.select([item.piece.casts_shadow for item in placed]),
    kind=kind,
    frame=np.concatenate([own_frame, np.repeat(frames, sizes, 0)]),
    center=center,
    half=half,
    reach=reach,
    label=np.array(list(ROOM_LABELS) + [p.label for p in parts], np.uint8),
    family=np.array(list(ROOM_FAMILIES) + [p.family for p in parts]),
    material=np.array(material),
    materials=ROOM_PRIMITIVES + len(materials),
    glows=np.array([_glow(item) for item in lights]).reshape(-1, 3),
    glow_is_window=np.array([item.piece.is_window for item in lights], bool),
  )


def _glow(item: Placed) -> tuple[float, float, float]:
  c, s = math.cos(item.yaw), math.sin(item.yaw)
  x, y, z = item.piece.glow
  return (item.origin[0] + c * x - s * y, item.origin[1] + s * x + c * y, item.origin[2] + z)


def sample_scene(generator: np.random.Generator) -> Scene:
  """Draws a furnished room.

  Args:
    generator: source of all randomness; the same state gives the same scene.

  Returns:
    A scene of 3-7 m by 3-7 m and 2.4-3.2 m height.
  """
  draw = f.Draw(generator)
  size = np.array([draw(3.0, 7.0), draw(3.0, 7.0), draw(2.4, 3.2)])
  floor = _Floor((size[0], size[1]))
  placed: list[Placed] = []
  _furnish_walls(draw, floor, size, placed)
  _furnish_middle(draw, floor, size, placed)
  _decorate(draw, size, placed)
  return assemble(size, placed)
