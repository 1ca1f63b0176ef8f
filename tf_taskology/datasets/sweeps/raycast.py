"""Exact distances along rays to a sloping ground, upright boxes and upright poles, in numpy.

World frame: z up, metres. Solids are tables, one row each:
  boxes [n, 7]: as in `geometry.boxes`.
  poles [n, 4]: x, y, radius, top; they reach down to wherever the ground is.
"""

import dataclasses
import math

import numpy as np

_FAR = np.inf


@dataclasses.dataclass(frozen=True)
class Hits:
  """What the rays hit first.

  Attributes:
    distance: [beams, azimuths] float64 metres, inf where nothing is.
    solid: [beams, azimuths] int: number of the box, of the pole after the last box, -1 the ground
      (and where nothing is).
    incidence: [beams, azimuths] cosine of the angle between ray and normal.
  """

  distance: np.ndarray
  solid: np.ndarray
  incidence: np.ndarray


def cast(
  origin: np.ndarray,
  yaw: float,
  directions: np.ndarray,
  slope: np.ndarray,
  boxes: np.ndarray,
  poles: np.ndarray,
) -> Hits:
  """First hits of a whole turn.

  Args:
    origin: [3] the sensor.
    yaw: heading of the sensor, radians.
    directions: [beams, azimuths, 3] of `Sensor.directions`, in the sensor's frame.
    slope: [2] (a, b) of the ground z = a x + b y.
    boxes: see above. The sensor must be outside.
    poles: see above.
  """
  cosine, sine = math.cos(yaw), math.sin(yaw)
  x, y, z = np.moveaxis(directions, -1, 0)
  world = np.stack([x * cosine - y * sine, x * sine + y * cosine, z], axis=-1)
  distance, incidence = _ground(origin, world, slope)
  hits = Hits(distance, np.full(distance.shape, -1), incidence)
  for i, box in enumerate(boxes):
    columns = _window(origin, yaw, world.shape[1], box[:2], 0.5 * math.hypot(box[3], box[4]))
    _keep(hits, columns, i, *_box(origin, world[:, columns], box))
  for i, pole in enumerate(poles):
    columns = _window(origin, yaw, world.shape[1], pole[:2], pole[2])
    _keep(hits, columns, len(boxes) + i, *_pole(origin, world[:, columns], pole))
  return hits


def _keep(hits, columns, number, distance, incidence):
  """Puts in what is nearer than before."""
  beams, places = np.nonzero(distance < hits.distance[:, columns])
  where = beams, columns[places]
  hits.distance[where] = distance[beams, places]
  hits.incidence[where] = incidence[beams, places]
  hits.solid[where] = number


def _window(origin, yaw, azimuths, centre, radius):
  """Columns whose rays can come as near to a place as `radius`."""
  away = centre - origin[:2]
  length = math.hypot(*away)
  if length <= radius * 1.001:
    return np.arange(azimuths)
  step = 2 * math.pi / azimuths
  middle = (math.atan2(away[1], away[0]) - yaw + math.pi) / step - 0.5
  half = math.asin(radius / length) / step
  return np.arange(math.floor(middle - half), math.ceil(middle + half) + 1) % azimuths


def _ground(origin, world, slope):
  normal = np.array([-slope[0], -slope[1], 1.0])
  above = float(normal @ origin)
  falling = -(world @ normal)
  with np.errstate(divide="ignore", invalid="ignore"):
    distance = np.where(falling > 1e-12, above / falling, _FAR)
  return distance, np.abs(falling) / np.linalg.norm(normal)


def _box(origin, world, box):
  """Slab test in the box's own frame."""
  cosine, sine = math.cos(box[6]), math.sin(box[6])
  turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
  start, ray = turn @ (origin - box[:3]), world @ turn.T
  half = 0.5 * box[3:6]
  with np.errstate(divide="ignore", invalid="ignore"):
    one, other = (-half - start) / ray, (half - start) / ray
  # A ray along a slab and outside of it is 0 / 0 on its very face only: that is no hit.
  one, other = (np.where(np.isnan(t), _FAR, t) for t in (one, other))
  entries = np.minimum(one, other)
  enter, leave = entries.max(-1), np.maximum(one, other).min(-1)
  hit = (enter <= leave) & (enter > 0)
  face = entries.argmax(-1)
  incidence = np.abs(np.take_along_axis(ray, face[..., None], -1)[..., 0])
  return np.where(hit, enter, _FAR), incidence


def _pole(origin, world, pole):
  """The mantle of an upright cylinder, and its lid."""
  x, y = origin[0] - pole[0], origin[1] - pole[1]
  a = world[..., 0] ** 2 + world[..., 1] ** 2
  b = x * world[..., 0] + y * world[..., 1]
  c = x * x + y * y - pole[2] ** 2
  root = b * b - a * c
  with np.errstate(divide="ignore", invalid="ignore"):
    mantle = np.where(root >= 0, (-b - np.sqrt(np.maximum(root, 0.0))) / a, _FAR)
    height = origin[2] + mantle * world[..., 2]
    lid = (pole[3] - origin[2]) / world[..., 2]
    reached = (x + lid * world[..., 0]) ** 2 + (y + lid * world[..., 1]) ** 2 <= pole[2] ** 2
  mantle = np.where((mantle > 0) & (height <= pole[3]), mantle, _FAR)
  lid = np.where((lid > 0) & reached & (world[..., 2] < 0), lid, _FAR)
  with np.errstate(invalid="ignore"):
    side = np.abs(b + mantle * a) / pole[2]
  return np.minimum(mantle, lid), np.where(lid < mantle, np.abs(world[..., 2]), side)
