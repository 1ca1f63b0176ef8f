"""Exact intersection of rays with the primitives of a scene.

Rays come in bundles: each bundle starts at one point, a camera or a light. Pairs of ray and piece
of furniture are thinned out by a sphere around the piece, then by its bounding box; the pairs of
ray and primitive that are left are computed in flat arrays, whatever bundle or piece they are of.
Directions need not have unit length: distances are multiples of the direction.
"""

import numpy as np

from tf_taskology.datasets.rooms import furniture, scene

_NEAR = 1e-6


def _mask(groups: scene.Groups, origin: np.ndarray, directions: np.ndarray, until: np.ndarray):
  """[G, n] bool: whether ray n of a bundle may meet the sphere around group G before `until`."""
  to_center = groups.bound_center - origin
  radius = groups.bound_radius
  distance = np.sqrt((to_center * to_center).sum(1))
  outside = distance > radius
  safe = np.where(outside, distance, 1.0)
  cosine = np.sqrt(np.maximum(0.0, 1.0 - (radius / safe) ** 2))
  # A hair below the exact cosine: rounding must not drop a ray that grazes. This also makes the
  # result independent of how the matrix product rounds.
  limit = np.where(outside, cosine - 1e-4, -2.0).astype(np.float32)[:, None]
  near = (distance - radius - 1e-3).astype(np.float32)[:, None]
  directions = directions.astype(np.float32, copy=False)
  length = np.sqrt((directions * directions).sum(0))
  axis = (to_center / safe[:, None]).astype(np.float32)
  return (axis @ directions > limit * length) & (near < length * until.astype(np.float32))


def _slabs(low: np.ndarray, high: np.ndarray, inverse: np.ndarray):
  """Entry and exit distances [n] of boxes; a ray misses where entry > exit.

  Args:
    low, high: [3, n], faces of the boxes relative to the origins of the rays, metres.
    inverse: [3, n], one over the directions.
  """
  first, last = low * inverse, high * inverse
  near, far = np.minimum(first, last), np.maximum(first, last)
  entry = np.maximum(np.maximum(near[0], near[1]), near[2])
  leave = np.minimum(np.minimum(far[0], far[1]), far[2])
  return entry, leave


class _Pairs:
  """Pairs of a ray and a group whose bounding box it crosses in time, in the group's frame.

  Attributes:
    ray, group: [p] int.
    origin, direction, inverse: [3, p]; inverse is one over the direction.
  """

  def __init__(self, groups: scene.Groups, origins, bundles, directions, until):
    dtype, rays = directions.dtype, directions.shape[1]
    mask = np.empty((len(groups.first), rays), bool)
    for origin, start, end in zip(origins, bundles[:-1], bundles[1:], strict=True):
      of_bundle = np.s_[..., start:end]
      mask[of_bundle] = _mask(groups, origin, directions[of_bundle], until[of_bundle])
    group = np.repeat(np.arange(len(mask)), np.count_nonzero(mask, axis=1))
    ray = np.flatnonzero(mask) - group * rays
    # [3, bundles * G]: every bundle's origin in the frame of every group.
    c, s = groups.cos, groups.sin
    shift = (origins[:, None] - groups.origin).transpose(2, 0, 1)
    local = np.stack([c * shift[0] + s * shift[1], c * shift[1] - s * shift[0], shift[2]])
    low = (groups.bound_low.T[:, None] - local).reshape(3, -1).astype(dtype)
    high = (groups.bound_high.T[:, None] - local).reshape(3, -1).astype(dtype)
    bundle = np.repeat(np.arange(len(origins)), np.diff(bundles))
    place = bundle[ray] * len(groups.first) + group
    x, y, z = directions.take(ray, 1)
    c, s = c.astype(dtype)[group], s.astype(dtype)[group]
    direction = np.stack([c * x + s * y, c * y - s * x, z])
    inverse = 1.0 / direction
    entry, leave = _slabs(low.take(place, 1), high.take(place, 1), inverse)
    kept = np.flatnonzero((entry <= leave) & (leave > 0) & (entry < until[ray]))
    self._groups, self.ray, self.group = groups, ray[kept], group[kept]
    self.direction, self.inverse = direction.take(kept, 1), inverse.take(kept, 1)
    self.origin = local.reshape(3, -1).astype(dtype).take(place[kept], 1)

  def _expand(self, first: np.ndarray, count: np.ndarray):
    """Every pair with each primitive of its group.

    Args:
      first, count: [G] int, the range of primitives of each group.

    Returns:
      pair: [q] int, index of the pair.
      primitive: [q] int.
    """
    repeats = count[self.group]
    pair = np.repeat(np.arange(len(repeats)), repeats)
    # Position of each entry within its own run of repeats.
    within = np.arange(len(pair)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return pair, first[self.group][pair] + within

  def boxes(self, room: scene.Scene):
    """(ray, primitive, entry, exit), each [q], of all pairs with boxes."""
    groups, dtype = self._groups, self.origin.dtype
    pair, primitive = self._expand(groups.first, groups.boxes)
    origin, inverse = self.origin.take(pair, 1), self.inverse.take(pair, 1)
    center, half = (t.T.astype(dtype).take(primitive, 1) for t in (room.center, room.half))
    center -= origin
    entry, leave = _slabs(center - half, center + half, inverse)
    return self.ray[pair], primitive, entry, leave

  def rounds(self, room: scene.Scene):
    """(ray, primitive, distance), each [q], of all pairs with spheres and frustums."""
    groups, dtype = self._groups, self.origin.dtype
    pair, primitive = self._expand(groups.first + groups.boxes, groups.rounds)
    center, half = (t.T.astype(dtype).take(primitive, 1) for t in (room.center, room.half))
    origin, direction = self.origin.take(pair, 1) - center, self.direction.take(pair, 1)
    distance = np.full(pair.shape, np.inf, dtype)
    is_sphere = room.kind[primitive] == furniture.SPHERE
    for wanted, solve in ((is_sphere, _sphere), (~is_sphere, _frustum)):
      some = np.flatnonzero(wanted)
      distance[some] = solve(half.take(some, 1), origin.take(some, 1), direction.take(some, 1))
    return self.ray[pair], primitive, distance


def _sphere(half: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
  """Distance [n] to spheres of radius half[0] around 0, inf where missed; arguments [3, n]."""
  a = (direction * direction).sum(0)
  b = (origin * direction).sum(0)
  root = b * b - a * ((origin * origin).sum(0) - half[0] * half[0])
  t = (-b - np.sqrt(np.maximum(root, 0.0))) / a
  return np.where((root > 0) & (t > _NEAR), t, np.inf)


def _frustum(half: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
  """Distance [n] to closed vertical frustums around 0, inf where missed; arguments [3, n].

  Their radii are half[0] at the bottom and half[1] at the top. The side is
  x^2 + y^2 = (m + k z)^2 with z in [-h, h]; the caps are discs.
  """
  bottom, top, h = half
  mean, slope = (bottom + top) / 2, (top - bottom) / (2 * h)
  (ox, oy, oz), (x, y, z) = origin, direction
  at = mean + slope * oz
  a = x * x + y * y - slope * slope * z * z
  b = ox * x + oy * y - slope * at * z
  root = b * b - a * (ox * ox + oy * oy - at * at)
  square = np.sqrt(np.maximum(root, 0.0))
  best = np.full(x.shape, np.inf, x.dtype)
  for sign in (-1.0, 1.0):
    t = (sign * square - b) / a
    height = oz + t * z
    good = (root > 0) & (t > _NEAR) & (np.abs(height) <= h) & (mean + slope * height >= 0)
    best = np.where(good & (t < best), t, best)
  for height, radius in ((-h, bottom), (h, top)):
    t = (height - oz) / z
    px, py = ox + t * x, oy + t * y
    good = (t > _NEAR) & (px * px + py * py <= radius * radius)
    best = np.where(good & (t < best), t, best)
  return best


def _walls(room: scene.Scene, origins: np.ndarray, bundles, directions: np.ndarray):
  """Distance [n] to the room's own faces, seen from within, and which face (0..5)."""
  dtype, counts = directions.dtype, np.diff(bundles)
  ahead = directions > 0
  to_high = np.repeat((room.size - origins).T.astype(dtype), counts, 1)
  to_low = np.repeat(-origins.T.astype(dtype), counts, 1)
  t = np.where(ahead, to_high, to_low) / directions
  t[directions == 0] = np.inf  # parallel to both faces of this axis
  axis = np.argmin(t, axis=0)
  columns = np.arange(t.shape[1])
  return t[axis, columns], 2 * axis + ahead[axis, columns]


def trace(room: scene.Scene, origins: np.ndarray, bundles: list[int], directions: np.ndarray):
  """Nearest surface along each ray.

  Args:
    room: the scene.
    origins: [B, 3] float64, one for each bundle, world frame, metres; inside the room and outside
      every primitive.
    bundles: B + 1 ascending positions from 0 to n: rays bundles[i]..bundles[i + 1] are of bundle i.
    directions: [3, n] float32 or float64, world frame, any length.

  Returns:
    distance: [n], in lengths of the direction, dtype of `directions`.
    primitive: [n] int64, index into the scene's tables.
  """
  # A component of 0 gives infinities, which the comparisons below sort out.
  with np.errstate(divide="ignore", invalid="ignore"):
    best, primitive = _walls(room, origins, bundles, directions)
    pairs = _Pairs(room.groups, origins, bundles, directions, best)
    ray, box, entry, leave = pairs.boxes(room)
    hit = np.flatnonzero((entry <= leave) & (entry > _NEAR))
    round_ray, round_primitive, distance = pairs.rounds(room)
    round_hit = np.flatnonzero(distance < np.inf)
  ray = np.concatenate([ray[hit], round_ray[round_hit]])
  index = np.concatenate([box[hit], round_primitive[round_hit]])
  distance = np.concatenate([entry[hit], distance[round_hit]])
  nearer = np.flatnonzero(distance < best[ray])
  ray, index, distance = ray[nearer], index[nearer], distance[nearer]
  np.minimum.at(best, ray, distance)
  winner = distance == best[ray]
  primitive[ray[winner]] = index[winner]
  return best, primitive


def lit(room: scene.Scene, lights: np.ndarray, bundles: list[int], points: np.ndarray):
  """Which points a point light reaches.

  Args:
    room: the scene.
    lights: [B, 3] float64, one for each bundle, world frame, metres.
    bundles: B + 1 ascending positions, as in `trace`: which points belong to which light.
    points: [3, n], world frame, metres.

  Returns:
    [n] bool.
  """
  directions = points - np.repeat(lights.T.astype(points.dtype), np.diff(bundles), 1)
  # Nothing within 4 mm of a point shades it, so that no surface shades itself through rounding.
  margin = 4e-3
  until = 1.0 - margin / np.maximum(np.sqrt((directions * directions).sum(0)), margin)
  result = np.ones(points.shape[1], bool)
  with np.errstate(divide="ignore", invalid="ignore"):
    pairs = _Pairs(room.shadow_groups, lights, bundles, directions, until)
    ray, _, entry, leave = pairs.boxes(room)
    result[ray[(entry <= leave) & (entry < until[ray]) & (leave > _NEAR)]] = False
    ray, _, distance = pairs.rounds(room)
    result[ray[distance < until[ray]]] = False
  return result
