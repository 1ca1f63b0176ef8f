"""Furnished rooms as tables, which the ray caster and the shaders read.

World frame: x and y along the walls, z up, metres; the room spans [0, size] on each axis.
"""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.rooms import furniture as f, layout

# Primitives 0..5 are the room itself: the walls x=0, x=max, y=0, y=max, the floor, the ceiling.
ROOM_LABELS = (f.LABELS["wall"],) * 4 + (f.LABELS["floor"], f.LABELS["ceiling"])
ROOM_FAMILIES = (f.FAMILY_IDS["wall"],) * 4 + (f.FAMILY_IDS["floor"], f.FAMILY_IDS["ceiling"])
ROOM_PRIMITIVES = 6


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


def assemble(size: np.ndarray, placed: list[layout.Placed]) -> Scene:
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


def _glow(item: layout.Placed) -> tuple[float, float, float]:
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
  draw = draws.Draw(generator)
  size = np.array([draw(3.0, 7.0), draw(3.0, 7.0), draw(2.4, 3.2)])
  return assemble(size, layout.furnish(draw, size))
