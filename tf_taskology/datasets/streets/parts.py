"""Building blocks of the things in a street.

Frames of bodies: x forward (or along the width), y to the left, z up, origin on the ground, metres.
"""

import dataclasses

import numpy as np

from tf_taskology.datasets.streets import classes

CONVEX, ELLIPSOID, TUBE, DISC = range(4)
NUM_FACES = {ELLIPSOID: 1, TUBE: 3, DISC: 2}  # a convex part has one for each of its planes


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
  """One primitive of a body.

  Attributes:
    kind: CONVEX (a convex solid), ELLIPSOID, TUBE (a frustum along its own z) or DISC (a flat
      ring or disc across its own z).
    center: [3] in the body's frame, metres.
    rotation: [3, 3], part to body.
    size: half extents of a box around the part in its own frame; ELLIPSOID: the radii; TUBE:
      (largest radius, largest radius, half length); DISC: (radius, radius, 0).
    shape: CONVEX: [K, 4] planes, inside is n.x <= d with n = shape[:, :3] and d = shape[:, 3];
      TUBE: (radius at the bottom, radius at the top); DISC: (inner radius,); else empty.
    label: Cityscapes train id.
    looks: family of each face; see `materials`.
    slot: faces of one body with the same family and slot share a material.
  """

  kind: int
  center: np.ndarray
  rotation: np.ndarray
  size: np.ndarray
  shape: np.ndarray
  label: int
  looks: tuple[str, ...]
  slot: int = 0


def _part(kind, center, size, shape, label, looks, slot, rotation=None) -> Part:
  rotation = np.eye(3) if rotation is None else rotation
  array = lambda a: np.asarray(a, np.float64)
  return Part(
    kind, array(center), rotation, array(size), array(shape), classes.IDS[label], looks, slot
  )


def tapered(bottom, top, z, label: str, side: str, roof: str = "", slot: int = 0, ends: str = ""):
  """A solid between two rectangles: a box, a car's cabin, a roof.

  Args:
    bottom, top: (x0, x1, y0, y1) at the lower and the upper end, metres.
    z: (lower, upper), metres.
    label: class name.
    side: look of the side faces.
    roof: look of the top and bottom, as `side` by default.
    slot: see Part.
    ends: look of the faces at the ends of x, as `side` by default.
  """
  low = np.minimum(bottom, top)[[0, 2]]
  high = np.maximum(bottom, top)[[1, 3]]
  center = np.array([*(low + high) / 2, sum(z) / 2])
  dz = z[1] - z[0]
  planes = []
  for edge, axis, sign in ((1, 0, 1), (0, 0, -1), (3, 1, 1), (2, 1, -1)):
    normal = np.zeros(3)
    normal[axis], normal[2] = sign * dz, -sign * (top[edge] - bottom[edge])
    normal /= np.sqrt((normal * normal).sum())
    point = np.array([0.0, 0.0, z[0]])
    point[axis] = bottom[edge]
    planes.append((*normal, normal @ (point - center)))
  planes += [(0, 0, 1, dz / 2), (0, 0, -1, dz / 2)]
  size = np.array([*(high - low) / 2, dz / 2])
  looks = (ends or side,) * 2 + (side,) * 2 + (roof or side,) * 2
  return _part(CONVEX, center, size, planes, label, looks, slot)


def box(low, high, label: str, side: str, roof: str = "", slot: int = 0, ends: str = "") -> Part:
  """A box between two corners (x, y, z) of the body's frame, metres; looks as in `tapered`."""
  rectangle = (low[0], high[0], low[1], high[1])
  return tapered(rectangle, rectangle, (low[2], high[2]), label, side, roof, slot, ends)


def ellipsoid(center, radii, label: str, look: str, slot: int = 0) -> Part:
  """An ellipsoid with half axes `radii` along the body's axes, metres."""
  return _part(ELLIPSOID, center, radii, (), label, (look,), slot)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """As np.cross, which takes ten times as long for two single vectors."""
  (a0, a1, a2), (b0, b1, b2) = a, b
  return np.array([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0])


def _along(direction) -> np.ndarray:
  """Rotation whose third column is along `direction`; the second is up where that is level."""
  z = np.asarray(direction, np.float64)
  z = z / np.sqrt((z * z).sum())
  helper = np.array([1.0, 0.0, 0.0]) if abs(z[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
  y = _cross(helper, z)
  y /= np.sqrt((y * y).sum())
  return np.stack([_cross(y, z), y, z], 1)


def tube(start, end, radii, label: str, look: str, slot: int = 0, caps: str = "") -> Part:
  """A round bar from `start` to `end` with a radius at each end, metres."""
  start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
  length = np.sqrt(((end - start) ** 2).sum())
  size = (max(radii), max(radii), length / 2)
  looks = (look, caps or look, caps or look)
  return _part(
    TUBE, (start + end) / 2, size, radii, label, looks, slot, _along(end - start)
  )  # fmt: skip


def disc(center, normal, radius, label: str, front: str, back: str = "", slot: int = 0, inner=0.0):
  """A flat disc, or a ring where `inner` (metres) is above 0, that faces along `normal`."""
  looks = (front, back or front)
  return _part(
    DISC, center, (radius, radius, 0.0), (inner,), label, looks, slot, _along(normal)
  )  # fmt: skip


def turned(parts: list[Part], rotation: np.ndarray, origin) -> list[Part]:
  """Parts moved within their body: turned about its origin by [3, 3], then shifted by [3]."""
  return [
    dataclasses.replace(
      part, center=rotation @ part.center + np.asarray(origin), rotation=rotation @ part.rotation
    )
    for part in parts
  ]


def yaw(angle: float) -> np.ndarray:
  """[3, 3] rotation about z, radians."""
  c, s = np.cos(angle), np.sin(angle)
  return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def pitch(angle: float) -> np.ndarray:
  """[3, 3] rotation about y, radians; a positive angle swings what hangs down backwards."""
  c, s = np.cos(angle), np.sin(angle)
  return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
