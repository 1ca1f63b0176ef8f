"""Samples the two views of a room: intrinsics and camera-to-world poses."""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.rooms import raycast, scene, surfaces

CLEARANCE = 0.6  # metres around the camera centre; keeps depth along the axis above 0.4 m
MINIMUM_DEPTH = 0.4  # metres along the optical axis
_PROBE = (9, 12)  # rows, columns of the coarse look that decides whether a view is worth rendering


@dataclasses.dataclass(frozen=True)
class Views:
  """Two views of one room.

  Attributes:
    focal: focal length as a multiple of the image width.
    center: (x, y) of the principal point as a fraction of width and height; 0.5 is the middle.
    pose: [2, 4, 4] float64 camera-to-world; camera frame x right, y down, z forward; metres.
  """

  focal: float
  center: tuple[float, float]
  pose: np.ndarray

  def intrinsics(self, height: int, width: int) -> np.ndarray:
    """[3, 3] float64 matrix in pixels, with integer coordinates at pixel centres."""
    f = self.focal * width
    x, y = self.center[0] * width - 0.5, self.center[1] * height - 0.5
    return np.array([[f, 0.0, x], [0.0, f, y], [0.0, 0.0, 1.0]])


def rays(intrinsics: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
  """Camera-frame directions [3, n], K^-1 [u, v, 1], of pixel positions u, v [n]."""
  x = (u - intrinsics[0, 2]) / intrinsics[0, 0]
  y = (v - intrinsics[1, 2]) / intrinsics[1, 1]
  return np.stack([x, y, np.ones_like(x)])


def to_world(rotation: np.ndarray, directions: np.ndarray) -> np.ndarray:
  """Rotates directions [3, n] by a [3, 3] matrix, entry by entry.

  Matrix products through BLAS may round differently with the number of threads; this does not.
  """
  r = rotation.astype(directions.dtype)
  return np.stack([r[i, 0] * directions[0] + r[i, 1] * directions[1] + r[i, 2] * directions[2]
                   for i in range(3)])  # fmt: skip


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
  """Camera-to-world rotation; yaw about world z, pitch up is positive, roll about the axis."""
  cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
  forward = np.array([cp * cy, cp * sy, sp])
  right = np.array([sy, -cy, 0.0])
  down = np.cross(forward, right)
  cr, sr = math.cos(roll), math.sin(roll)
  return np.stack([cr * right + sr * down, cr * down - sr * right, forward], axis=1)


def _target(draw: draws.Draw, room: scene.Scene) -> np.ndarray:
  centers = room.groups.bound_center
  middle = np.array([room.size[0] / 2, room.size[1] / 2, 1.0])
  point = 0.65 * centers[draw.index(len(centers))] + 0.35 * middle
  point[2] = draw(0.5, 1.1)
  return point


def _first_view(draw: draws.Draw, generator, room: scene.Scene):
  """(position, (yaw, pitch, roll)) or None when no place is free."""
  target = _target(draw, room)
  low, high = np.array([CLEARANCE, CLEARANCE, 1.0]), room.size - CLEARANCE
  high[2] = 1.8
  places = low + (high - low) * generator.random((24, 3))
  far = np.hypot(places[:, 0] - target[0], places[:, 1] - target[1]) > 1.4
  free = np.flatnonzero(far & (surfaces.clearance(room, places) > CLEARANCE))
  if not free.size:
    return None
  position = places[free[0]]
  to = target - position
  pitch = math.atan2(to[2], math.hypot(to[0], to[1]))
  pitch = min(max(pitch, -0.5), 0.2) + draw(-0.08, 0.12)
  return position, (math.atan2(to[1], to[0]) + draw(-0.15, 0.15), pitch, draw(-0.07, 0.07))


def _second_view(draw: draws.Draw, position, angles, rotation):
  """A view 0.15-0.40 m to the side, partly ahead, turned by a few degrees."""
  side = 1.0 if draw.chance(0.5) else -1.0
  direction = np.array([side, draw(-0.35, 0.35), draw(-0.2, 0.5)])
  step = rotation @ (direction / np.sqrt((direction * direction).sum()) * draw(0.15, 0.40))
  # Turning back towards what the first camera saw keeps the overlap large.
  yaw = angles[0] + side * draw(-0.01, 0.09)
  turned = (yaw, angles[1] + draw(-0.035, 0.035), angles[2] + draw(-0.035, 0.035))
  return position + step, turned


def _worth_it(room: scene.Scene, focal: float, position, rotation) -> bool:
  """Whether a coarse look shows enough furniture, at enough distance."""
  rows, columns = _PROBE
  v, u = np.meshgrid(np.linspace(-0.375, 0.375, rows), np.linspace(-0.5, 0.5, columns),
                     indexing="ij")  # fmt: skip
  directions = np.stack([u.ravel() / focal, v.ravel() / focal, np.ones(u.size)])
  depth, primitive = raycast.trace(
    room, position[None], [0, u.size], to_world(rotation, directions)
  )
  labels = room.label[primitive]
  furnished = np.mean(primitive >= scene.ROOM_PRIMITIVES)
  return bool(
    depth.min() > MINIMUM_DEPTH
    and np.median(depth) > 1.3
    and 0.12 < furnished < 0.85
    and np.unique(labels).size >= 5
  )


def sample_views(room: scene.Scene, generator: np.random.Generator, tries: int = 12):
  """Draws two nearby views of a room.

  Args:
    room: the scene.
    generator: source of all randomness.
    tries: positions to try before giving up.

  Returns:
    Views, or None when the room offers none (then another room should be drawn).
  """
  draw = draws.Draw(generator)
  for _ in range(tries):
    first = _first_view(draw, generator, room)
    if first is None:
      continue
    position, angles = first
    focal = 0.5 / math.tan(math.radians(draw(55.0, 75.0)) / 2)
    rotation = _rotation(*angles)
    if not _worth_it(room, focal, position, rotation):
      continue
    other, other_angles = _second_view(draw, position, angles, rotation)
    if surfaces.clearance(room, other[None])[0] < CLEARANCE:
      continue
    pose = np.tile(np.eye(4), (2, 1, 1))
    pose[0, :3, :3], pose[0, :3, 3] = rotation, position
    pose[1, :3, :3], pose[1, :3, 3] = _rotation(*other_angles), other
    return Views(focal, (draw(0.48, 0.52), draw(0.48, 0.52)), pose)
  return None
