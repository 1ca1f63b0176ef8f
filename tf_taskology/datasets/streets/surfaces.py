"""Where the faces of a scene's parts are, how they are lit, and which texels they show."""

import dataclasses

import numpy as np

from tf_taskology.datasets.streets import (
  classes,
  materials as m,
  parts as p,
  raycast,
  scene,
  styles,
)

_GROUND = [classes.IDS[name] for name in ("road", "sidewalk", "terrain")]


@dataclasses.dataclass(frozen=True)
class Faces:
  """The F faces of a scene in their parts' frames; constant over time.

  Attributes:
    part: [F] int.
    curved: [F] bool: the only face of an ellipsoid, the side of a tube.
    normal: [F, 3] float64, of flat faces.
    axes: [F, 2, 3] float64: the texture coordinates of a point x are axes @ x + shift; in tiles.
    shift: [F, 2] float64.
    around: [F] float64, tiles around a curved face.
    scale: [F] float32, tiles for each metre.
  """

  part: np.ndarray
  curved: np.ndarray
  normal: np.ndarray
  axes: np.ndarray
  shift: np.ndarray
  around: np.ndarray
  scale: np.ndarray


def _normals(world: scene.Scene) -> np.ndarray:
  fixed = {
    p.ELLIPSOID: np.zeros((1, 3)),
    p.TUBE: np.array([(0, 0, 0), (0, 0, 1), (0, 0, -1)], np.float64),
    p.DISC: np.array([(0, 0, 1), (0, 0, -1)], np.float64),
  }
  return np.concatenate(
    [q.shape[:, :3] if q.kind == p.CONVEX else fixed[q.kind] for q in world.parts]
  )


def faces(world: scene.Scene, looks: m.Materials) -> Faces:
  """Tables of a scene's faces under given materials."""
  normal = _normals(world)
  part = np.repeat(np.arange(len(world.parts)), np.diff(world.first_face))
  kind, size = world.kind[part], world.size[part]
  curved = (normal == 0).all(1)
  level = (np.abs(normal[:, 2]) > 0.9) | (kind == p.DISC) | curved
  across = np.stack([-normal[:, 1], normal[:, 0], np.zeros(len(normal))], 1)
  across[level] = (1.0, 0.0, 0.0)
  across /= np.sqrt((across * across).sum(1, keepdims=True))
  up = np.cross(normal, across)
  # Seen from the back too, a disc's texture stays where it is.
  up[kind == p.DISC] = (0.0, 1.0, 0.0)
  axes = np.stack([across, up], 1)
  half = np.einsum("fij,fj->fi", np.abs(axes), size)
  tile = looks.tile[world.material]
  spans = tile == 0
  per_metre = np.where(
    spans[:, None], 0.5 / np.maximum(half, 1e-6), 1 / np.maximum(tile, 1e-6)[:, None]
  )
  # Round parts show whole tiles around, so that no seam is seen.
  girth = 2 * np.pi * size[:, :2].mean(1)
  around = np.maximum(1.0, np.round(girth / np.maximum(tile, 1e-6)))
  axes[curved], half[curved] = 0.0, 0.0
  axes[curved, 1, 2] = 1.0
  scale = np.where(curved, np.maximum(per_metre[:, 0], around / girth), per_metre.max(1))
  return Faces(
    part=part,
    curved=curved,
    normal=normal,
    axes=axes * per_metre[:, :, None],
    shift=half * per_metre + looks.offset[world.material],
    around=around,
    scale=scale.astype(np.float32),
  )


@dataclasses.dataclass(frozen=True)
class Placed:
  """Faces as one camera sees them at one frame; points are relative to the camera, world axes.

  Attributes:
    rows: [8, F] float32: texture coordinates of a point x are rows[:3] . x + rows[3] and
      rows[4:7] . x + rows[7], in tiles; for curved faces the second one only.
    normal: [3, F] float32, of flat faces, world frame.
    sun, ambient: [3, F] float32, light that flat faces receive.
    on_ground: [F] bool, faces that shadows are drawn on.
    local: [12, N] float32: rows of the world to part rotation, and the camera's position there.
  """

  rows: np.ndarray
  normal: np.ndarray
  sun: np.ndarray
  ambient: np.ndarray
  on_ground: np.ndarray
  local: np.ndarray


def light(normal: np.ndarray, style: styles.Style) -> tuple[np.ndarray, np.ndarray]:
  """([3, n], [3, n]) light from the sun and from everywhere on faces with normals [3, n].

  Lambert's law: independent of the view, so that frames agree.
  """
  x, y, z = style.sun_direction.astype(normal.dtype)
  facing = np.maximum(normal[0] * x + normal[1] * y + normal[2] * z, 0.0)
  open_sky = 0.7 + 0.3 * normal[2]
  return facing * style.sun[:, None], open_sky * style.ambient[:, None]


def place(world: scene.Scene, table: Faces, view: raycast.View, frame: int, style) -> Placed:
  """Faces of a frame as seen by a camera."""
  rotation, _ = world.placed(frame)
  turn = rotation[table.part]
  normal = np.einsum("fij,fj->fi", turn, table.normal)
  axes = np.einsum("fij,fkj->fki", turn, table.axes)
  shift = np.einsum("fkj,fj->fk", table.axes, view.origin[table.part]) + table.shift
  # Whole tiles make no difference, but cost digits.
  shift -= np.floor(shift)
  rows = np.concatenate([axes, shift[..., None]], 2).reshape(-1, 8)
  sun, ambient = light(normal.T, style)
  local = np.concatenate([rotation.transpose(0, 2, 1).reshape(-1, 9), view.origin], 1)
  ground = np.isin(world.label[table.part], _GROUND) & (normal[:, 2] > 0.99)
  columns = lambda a: np.ascontiguousarray(a.T, np.float32)
  return Placed(columns(rows), columns(normal), columns(sun.T), columns(ambient.T), ground,
                columns(local))  # fmt: skip


def round_surface(world: scene.Scene, table: Faces, placed: Placed, face, part, points):
  """Normals and texture coordinates around curved faces.

  Args:
    face, part: [n] int.
    points: [3, n] float32, relative to the camera, world axes.

  Returns:
    normal: [3, n] float32, world frame.
    around: [n] float32, tiles.
  """
  r = placed.local.take(part, 1)
  x, y, z = points
  local = [r[i] * x + r[i + 1] * y + r[i + 2] * z + r[9 + i // 3] for i in (0, 3, 6)]
  width = (world.size[part, :2].mean(1) ** -2).astype(np.float32)
  tall = (world.size[part, 2] ** -2).astype(np.float32)
  # A tube's sides are nearly parallel to its axis; ellipsoids are about as wide as deep.
  tall[world.kind[part] == p.TUBE] = 0.0
  a, b, c = local[0] * width, local[1] * width, local[2] * tall
  inverse = 1.0 / np.sqrt(a * a + b * b + c * c + np.float32(1e-12))
  normal = np.stack([r[i] * a + r[3 + i] * b + r[6 + i] * c for i in range(3)]) * inverse
  turns = (table.around[face] / (2 * np.pi)).astype(np.float32)
  return normal, np.arctan2(local[1], local[0]) * turns
