"""Normals and texture coordinates of points on a scene's surfaces, and distances to them."""

import numpy as np

from tf_taskology.datasets.rooms import furniture, scene


def surface(room: scene.Scene, primitive: np.ndarray, points: np.ndarray):
  """Normals and texture coordinates of surface points.

  Args:
    room: the scene.
    primitive: [n] int, the primitive each point lies on.
    points: [3, n], world frame, metres.

  Returns:
    normal: [3, n] unit, world frame, out of the primitive (into the room for its faces).
    face: [n] int8, the face of the primitive: axis 0..2 of a box, 3 side and 4 cap of a frustum,
      5 a sphere.
    axis_u, axis_v: [3, n] unit tangents, world frame.
    u, v: [n] metres, fixed to the object: coordinates along those tangents.
  """
  dtype = points.dtype

  def look_up(table):
    return np.ascontiguousarray(table.T, dtype).take(primitive, 1)

  frame, center, half = look_up(room.frame), look_up(room.center), look_up(room.half)
  kind = room.kind[primitive]
  c, s = frame[3], frame[4]
  shift = points - frame[:3]
  local = np.stack([c * shift[0] + s * shift[1], c * shift[1] - s * shift[0], shift[2]]) - center
  face = np.argmax(np.abs(local) / look_up(room.reach), axis=0)
  face = np.where(primitive < scene.ROOM_PRIMITIVES, primitive // 2, face).astype(np.int8)
  columns = np.arange(primitive.size)
  normal = np.zeros_like(local)
  outward = np.where(primitive < scene.ROOM_PRIMITIVES, -1, 1)
  normal[face, columns] = outward * np.sign(local[face, columns])
  _round_normals(kind, local, half, normal, face)
  dominant = np.where(face < 3, face, np.argmax(np.abs(normal), axis=0))
  across, upright = dominant == 0, dominant != 2
  u, v = np.where(across, local[1], local[0]), np.where(upright, local[2], local[1])
  axis_u = np.stack([np.where(across, -s, c), np.where(across, c, s), np.zeros_like(c)])
  axis_v = np.stack([np.where(upright, 0, -s), np.where(upright, 0, c), upright.astype(dtype)])
  world = np.stack([c * normal[0] - s * normal[1], s * normal[0] + c * normal[1], normal[2]])
  return world, face, axis_u, axis_v, u, v


def _round_normals(kind, local, half, normal, face) -> None:
  """Overwrites `normal` and `face` where the primitive is a sphere or a frustum."""
  ball = np.flatnonzero(kind == furniture.SPHERE)
  if ball.size:
    p = local[:, ball]
    normal[:, ball] = p / np.sqrt((p * p).sum(0))
    face[ball] = 5
  tube = np.flatnonzero(kind == furniture.FRUSTUM)
  if tube.size:
    p, (bottom, top, h) = local[:, tube], half[:, tube]
    slope = (top - bottom) / (2 * h)
    radius = np.maximum(np.hypot(p[0], p[1]), 1e-9)
    cap = h - np.abs(p[2]) < 1e-5
    scale = 1.0 / np.sqrt(1.0 + slope * slope)
    side = np.stack([p[0] / radius * scale, p[1] / radius * scale, -slope * scale])
    top_or_bottom = np.stack([0 * scale, 0 * scale, np.sign(p[2])])
    normal[:, tube] = np.where(cap, top_or_bottom, side)
    face[tube] = np.where(cap, 4, 3)


def clearance(room: scene.Scene, points: np.ndarray) -> np.ndarray:
  """Lower bound of the distance from points to any surface.

  Args:
    room: the scene.
    points: [p, 3] float64, world frame, metres, inside the room.

  Returns:
    [p] float64, metres; 0 inside an object. Round things count as their boxes.
  """
  walls = np.minimum(points, room.size - points).min(1)
  only = slice(scene.ROOM_PRIMITIVES, None)
  shift = points[:, None] - room.frame[only, :3]
  c, s = room.frame[only, 3], room.frame[only, 4]
  local = np.stack(
    [c * shift[..., 0] + s * shift[..., 1], c * shift[..., 1] - s * shift[..., 0], shift[..., 2]],
    -1,
  )
  outside = np.maximum(np.abs(local - room.center[only]) - room.reach[only], 0.0)
  return np.minimum(walls, np.sqrt((outside * outside).sum(-1)).min(1))
