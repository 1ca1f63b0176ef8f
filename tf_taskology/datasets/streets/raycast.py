"""Exact intersection of a camera's rays with the parts of a scene.

The unit of the search is a part: its box, projected into the picture, says which pixels may see it,
and all of those are computed at once. Along a ray K^-1 [u, v, 1] of depth z the inverse depth
s = 1 / z at which it crosses a plane is an affine function of (u, v), so that convex solids cost
one addition and one comparison a plane and pixel, and the nearest surface is the one of largest s.
"""

import dataclasses

import numpy as np

from tf_taskology.datasets.streets import parts as p, scene

NEAR = 0.2  # metres; nothing is nearer to a camera
SKY = -1  # in place of a part, where there is none

_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_EDGES = np.array(
  [(i, j) for i in range(8) for j in range(i + 1, 8) if np.sum(_SIGNS[i] != _SIGNS[j]) == 1]
)


@dataclasses.dataclass(frozen=True)
class View:
  """The parts as one camera sees them.

  Attributes:
    scene: the scene.
    matrix: [N, 3, 3] float64, [u, v, 1] to the ray's direction in the part's frame (z of 1).
    origin: [N, 3] float64, the camera in the part's frame, metres.
    window: [N, 4] int, (first row, last row + 1, first column, last column + 1) of the pixels that
      may see the part; empty if none does.
    order: [n] int, parts that may be seen, nearest first.
    nearest: [N] float64, lower bound of the depth, metres.
  """

  scene: scene.Scene
  matrix: np.ndarray
  origin: np.ndarray
  window: np.ndarray
  order: np.ndarray
  nearest: np.ndarray


def _windows(corners: np.ndarray, intrinsics: np.ndarray, height: int, width: int) -> np.ndarray:
  """[N, 4] pixel windows of boxes with camera-frame corners [N, 8, 3]."""
  a, b = corners[:, _EDGES[:, 0]], corners[:, _EDGES[:, 1]]
  za, zb = a[..., 2:], b[..., 2:]
  with np.errstate(divide="ignore", invalid="ignore"):
    share = np.clip((NEAR - za) / (zb - za), 0.0, 1.0)
  cut = a + np.nan_to_num(share) * (b - a)
  # Each edge gives its ends, or where it leaves the space before the camera.
  ends = np.concatenate([np.where(za < NEAR, cut, a), np.where(zb < NEAR, cut, b)], 1)
  ahead = (np.maximum(za, zb) >= NEAR)[..., 0]
  ahead = np.concatenate([ahead, ahead], 1)
  z = np.maximum(ends[..., 2], NEAR)
  u = intrinsics[0, 0] * ends[..., 0] / z + intrinsics[0, 2]
  v = intrinsics[1, 1] * ends[..., 1] / z + intrinsics[1, 2]

  def span(values, limit):
    low = np.where(ahead, values, np.inf).min(1)
    high = np.where(ahead, values, -np.inf).max(1)
    # A pixel more on each side: samples for colour lie around the centres.
    return np.clip(np.floor(low) - 1, 0, limit), np.clip(np.ceil(high) + 2, 0, limit)

  (top, bottom), (left, right) = span(v, height), span(u, width)
  return np.stack([top, bottom, left, right], 1).astype(int)


def look(world: scene.Scene, frame: int, pose: np.ndarray, intrinsics, height: int, width: int):
  """The View of a camera.

  Args:
    world: the scene.
    frame: which of its frames.
    pose: [4, 4] float64 camera to world.
    intrinsics: [3, 3] float64, pixels.
    height, width: of the picture, pixels.
  """
  rotation, center = world.placed(frame)
  camera, position = pose[:3, :3], pose[:3, 3]
  inverse = np.linalg.inv(intrinsics)
  local = np.einsum("nji,jk->nik", rotation, camera)
  origin = np.einsum("nji,nj->ni", rotation, position - center)
  corners = _SIGNS * world.size[:, None] - origin[:, None]
  corners = np.einsum("nji,nkj->nki", local, corners)
  window = _windows(corners, intrinsics, height, width)
  nearest = np.maximum(corners[..., 2].min(1), NEAR)
  seen = (window[:, 0] < window[:, 1]) & (window[:, 2] < window[:, 3])
  order = np.flatnonzero(seen)
  order = order[np.argsort(nearest[order], kind="stable")]
  return View(world, local @ inverse, origin, window, order, nearest)


def _convex(part: p.Part, matrix, origin, u, v):
  normal, offset = part.shape[:, :3], part.shape[:, 3]
  room = offset - normal @ origin  # above 0 on the inner side of the plane
  outside = [np.uint8(k) for k in range(len(room)) if room[k] < 0]
  if not outside:
    return None
  room = np.where(np.abs(room) < 1e-9, 1e-9, room)
  a, b, c = ((normal @ matrix) / room[:, None]).T
  a, b, c = (t.astype(u.dtype) for t in (a, b, c))
  enter, face = a[outside[0]] * u + (b[outside[0]] * v + c[outside[0]]), outside[0]
  for k in outside[1:]:
    s = a[k] * u + (b[k] * v + c[k])
    face = np.where(s < enter, np.uint8(k), face)
    np.minimum(enter, s, out=enter)
  leave = np.zeros_like(enter)
  for k in range(len(room)):
    if room[k] >= 0:
      np.maximum(leave, a[k] * u + (b[k] * v + c[k]), out=leave)
  # Missed where it would be left before it is entered.
  enter *= enter >= leave
  return enter, face


def _ray(matrix, u, v):
  m = matrix.astype(u.dtype)
  return (m[i, 0] * u + (m[i, 1] * v + m[i, 2]) for i in range(3))


def _ellipsoid(part: p.Part, matrix, origin, u, v):
  scale = 1.0 / part.size
  o = origin * scale
  c = o @ o - 1.0
  if c <= 0:
    return None
  x, y, z = _ray(matrix * scale[:, None], u, v)
  b = x * o[0] + (y * o[1] + z * o[2])
  root = b * b - c * (x * x + (y * y + z * z))
  s = (np.sqrt(np.maximum(root, 0)) - b) / c
  return np.where(root > 0, s, 0), 0


def _tube(part: p.Part, matrix, origin, u, v):
  """The side is x^2 + y^2 = (m + k z)^2, |z| <= h; of the caps only the one that faces counts."""
  bottom, top = part.shape
  h = part.size[2]
  m, k = (bottom + top) / 2, (top - bottom) / (2 * h)
  ox, oy, oz = (t.astype(u.dtype) for t in origin)
  x, y, z = _ray(matrix, u, v)
  at = m + k * oz
  a = x * x + y * y - (k * k) * (z * z)
  b = ox * x + oy * y - (k * at) * z
  c = ox * ox + oy * oy - at * at
  root = b * b - a * c
  with np.errstate(divide="ignore", invalid="ignore"):
    t = (-b - np.sqrt(np.maximum(root, 0))) / a
    height = oz + t * z
    good = (root > 0) & (a > 0) & (t > 0) & (np.abs(height) <= h) & (m + k * height >= 0)
    s = np.where(good, 1 / t, 0)
    face = 0
    if abs(oz) > h:
      cap = np.sign(oz)
      t = (cap * h - oz) / z
      px, py = ox + t * x, oy + t * y
      radius = top if cap > 0 else bottom
      flat = np.where((t > 0) & (px * px + py * py <= radius * radius), 1 / t, 0)
      face = np.where(flat > s, 1 if cap > 0 else 2, 0)
      s = np.maximum(s, flat)
  return s, face


def _disc(part: p.Part, matrix, origin, u, v):
  if abs(origin[2]) < 1e-9:
    return None
  x, y, z = _ray(matrix, u, v)
  s = z * (-1.0 / origin[2]).astype(u.dtype)
  # In units of s, so that nothing is divided by: |o s + d|^2 <= r^2 s^2.
  px, py = x + origin[0].astype(u.dtype) * s, y + origin[1].astype(u.dtype) * s
  square, unit = px * px + py * py, s * s
  inner, outer = part.shape[0], part.size[0]
  good = (s > 0) & (square <= outer * outer * unit) & (square >= inner * inner * unit)
  return np.where(good, s, 0), 0 if origin[2] > 0 else 1


_SOLVERS = {p.CONVEX: _convex, p.ELLIPSOID: _ellipsoid, p.TUBE: _tube, p.DISC: _disc}


def intersect(view: View, index: int, u: np.ndarray, v: np.ndarray):
  """Where rays meet one part.

  Args:
    view: the view.
    index: of the part.
    u, v: pixel positions that broadcast against each other, float32 or float64.

  Returns:
    (s, face): inverse depth, 1 / metres, 0 where missed, and the face hit; None if the camera is
    inside or in the plane of the part.
  """
  part = view.scene.parts[index]
  return _SOLVERS[part.kind](part, view.matrix[index], view.origin[index], u, v)


def trace(view: View, height: int, width: int):
  """What the pixel centres of a picture see.

  Returns:
    inverse: [height, width] float64, 1 / depth along the optical axis, 1 / metres; 0 for the sky.
    part: [height, width] int32; -1 for the sky.
    face: [height, width] uint8, of the part.
  """
  inverse = np.zeros((height, width))
  part = np.full((height, width), SKY, np.int32)
  face = np.zeros((height, width), np.uint8)
  rows, columns = np.arange(height, dtype=float)[:, None], np.arange(width, dtype=float)
  for index in view.order:
    top, bottom, left, right = view.window[index]
    area = np.s_[top:bottom, left:right]
    here = inverse[area]
    if here.min() * view.nearest[index] > 1.0:
      continue  # hidden
    hit = intersect(view, index, columns[left:right], rows[top:bottom])
    if hit is None:
      continue
    nearer = hit[0] > here
    np.copyto(here, hit[0], where=nearer)
    np.copyto(part[area], index, where=nearer)
    np.copyto(face[area], hit[1], where=nearer, casting="unsafe")
  return inverse, part, face


def retrace(view: View, part: np.ndarray, chosen: np.ndarray, offsets: np.ndarray):
  """What samples around some pixels see: of the parts that the pixels' neighbourhoods see.

  Args:
    view: the view.
    part: [H, W] int32, from `trace`.
    chosen: [H, W] bool, n pixels.
    offsets: [S, 2] (x, y) of the samples from the pixel's centre, pixels.

  Returns:
    u, v: [n, S] float32, positions of the samples, pixels.
    inverse, part, face: [n, S] float32, int32, uint8, as in `trace`.
  """
  height, width = part.shape
  row, column = np.nonzero(chosen)
  place = np.zeros((height, width), np.int32)
  place[row, column] = np.arange(row.size)
  u = (column[:, None] + offsets[:, 0]).astype(np.float32)
  v = (row[:, None] + offsets[:, 1]).astype(np.float32)
  inverse = np.zeros(u.shape, np.float32)
  found = np.full(u.shape, SKY, np.int32)
  face = np.zeros(u.shape, np.uint8)
  seen = np.zeros(len(view.scene.parts), bool)
  seen[part[part >= 0]] = True
  padded = np.pad(part, 1, constant_values=SKY)
  for index in np.flatnonzero(seen):
    top, bottom, left, right = view.window[index]
    near = padded[top : bottom + 2, left : right + 2] == index
    near = near[:, :-2] | near[:, 1:-1] | near[:, 2:]
    near = (near[:-2] | near[1:-1] | near[2:]) & chosen[top:bottom, left:right]
    which = place[top:bottom, left:right][near]
    if not which.size:
      continue
    hit = intersect(view, index, u.take(which, 0), v.take(which, 0))
    if hit is None:
      continue
    s, side = hit
    before = inverse.take(which, 0)
    nearer = s > before
    inverse[which] = np.where(nearer, s, before)
    found[which] = np.where(nearer, index, found.take(which, 0))
    face[which] = np.where(nearer, side, face.take(which, 0))
  return u, v, inverse, found, face
