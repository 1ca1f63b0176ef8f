"""What stands and drives where: draws scenes around a moving car.

World frame: z up, metres; the own car is at the origin at time 0. The main road runs along x, often
with a crossing; traffic keeps right.
"""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import drive

_LANE = 3.5
_AHEAD = (-60.0, 70.0)  # along the road, where things stand
_CLEAR = 0.4  # metres between vehicles
# Length, width and height in metres: of sedans, vans and lorries, with how often they are drawn.
_KINDS = (
  (0.75, (3.8, 5.1), (1.7, 2.0), (1.35, 1.75)),
  (0.17, (4.8, 6.2), (1.9, 2.2), (1.9, 2.6)),
  (0.08, (6.5, 9.5), (2.2, 2.5), (2.6, 3.4)),
)


@dataclasses.dataclass(frozen=True)
class Vehicle:
  """A vehicle.

  Attributes:
    size: (length, width, height), metres.
    motion: where it is when.
    cabin: (first, last) part of the length under the roof, 0 the rear and 1 the front end. Before
      and behind it the body is lower: that tells front from rear.
    hood: height of the lower body as a share of the whole.
    reflectivity: 0..1; dark ones return little.
  """

  size: tuple[float, float, float]
  motion: drive.Motion
  cabin: tuple[float, float]
  hood: float
  reflectivity: float

  def place(self, time: float, slope: np.ndarray) -> np.ndarray:
    """Its box [7] at a time: upright, the underside on the ground below its centre."""
    pose = self.motion.pose(time)
    x, y = pose[:2, 3]
    z = slope @ (x, y) + 0.5 * self.size[2]
    return np.array([x, y, z, *self.size, math.atan2(pose[1, 0], pose[0, 0])])


@dataclasses.dataclass(frozen=True)
class Scene:
  """A scene.

  Attributes:
    own: motion of the own car.
    vehicles: the others.
    slope: [2] of the ground, z = slope @ (x, y).
    boxes: [n, 8] buildings, walls and clutter: a box and its reflectivity.
    poles: [n, 5] x, y, radius, top and reflectivity.
  """

  own: drive.Motion
  vehicles: list[Vehicle]
  slope: np.ndarray
  boxes: np.ndarray
  poles: np.ndarray


def sample_scene(generator: np.random.Generator, times: list[float]) -> Scene:
  """Draws a scene in which nothing overlaps at any of the times (seconds)."""
  draw = draws.Draw(generator)
  slope = np.array([draw(-0.03, 0.03), draw(-0.02, 0.02)])
  bend = draw(-0.012, 0.012) if draw.chance(0.5) else 0.0
  own = drive.Motion(
    drive.Path((0.0, 0.0, draw(-0.04, 0.04)), ((200.0, bend),)),
    speed=0.0 if draw.chance(0.15) else draw(2.0, 14.0),
  )
  crossing = draw(12.0, 40.0) * (1 if draw.chance(0.7) else -1) if draw.chance(0.6) else None
  room = _Room(times)
  room.add(Vehicle((4.8, 2.0, 1.6), own, (0.2, 0.7), 0.6, 0.5))
  vehicles = []
  for sample in _candidates(draw, crossing):
    vehicle = _vehicle(draw, sample)
    if room.add(vehicle):
      vehicles.append(vehicle)
  boxes = [b for b in _static_boxes(draw, slope, crossing) if room.is_free(b)]
  poles = [p for p in _poles(draw, slope, crossing) if room.is_free((*p[:2], 0, 0.4, 0.4, 0, 0))]
  return Scene(
    own, vehicles, slope, np.reshape(boxes, [-1, 8]).astype(float), np.reshape(poles, [-1, 5])
  )


class _Room:
  """Keeps vehicles apart: each is three discs along its length, at every time."""

  def __init__(self, times):
    self._times = times
    self._discs = np.zeros([len(times), 0, 3])

  def add(self, vehicle: Vehicle) -> bool:
    """Adds a vehicle where there is room for it, and says whether there was."""
    flat = np.zeros(2)
    discs = np.stack([_discs(vehicle.place(t, flat)) for t in self._times])
    if np.any(_gap(discs, self._discs) < _CLEAR):
      return False
    self._discs = np.concatenate([self._discs, discs], axis=1)
    return True

  def is_free(self, box) -> bool:
    """Whether no vehicle touches a box that stands there all the time."""
    box = np.asarray(box)
    cosine, sine = math.cos(box[6]), math.sin(box[6])
    away = self._discs[..., :2] - box[:2]
    along = np.abs(away @ (cosine, sine)) - 0.5 * box[3]
    across = np.abs(away @ (-sine, cosine)) - 0.5 * box[4]
    distance = np.hypot(np.maximum(along, 0), np.maximum(across, 0))
    return bool(np.all(distance > self._discs[..., 2]))


def _discs(box):
  """[3, 3]: x, y and radius of discs that cover a box seen from above, nearly."""
  reach = 0.5 * (box[3] - box[4]) * np.array([-1.0, 0.0, 1.0])
  radius = np.full(3, 0.56 * box[4])
  return np.stack(
    [box[0] + reach * math.cos(box[6]), box[1] + reach * math.sin(box[6]), radius], axis=1
  )


def _gap(discs, others):
  """Room between discs [times, n, 3] and others [times, m, 3]: [times, n, m]."""
  away = discs[:, :, None, :2] - others[:, None, :, :2]
  return np.linalg.norm(away, axis=-1) - discs[:, :, None, 2] - others[:, None, :, 2]


def _candidates(draw, crossing):
  """Places and motions that vehicles may have: (x, y, yaw, speed, curvature)."""
  for y, heading in ((0.0, 0.0), (-_LANE, 0.0), (_LANE, math.pi), (2 * _LANE, math.pi)):
    x = _AHEAD[0] + draw(0, 20)
    pace = draw(3.0, 14.0)
    while x < _AHEAD[1]:
      if draw.chance(0.7):
        yield x, y + draw(-0.3, 0.3), heading + draw(-0.05, 0.05), max(0, pace + draw(-2, 2)), 0.0
      x += draw(9, 35)
  for y, heading in ((-2 * _LANE + 0.6, 0.0), (3 * _LANE - 0.6, math.pi)):
    across = draw.chance(0.3)  # parked side by side
    x = _AHEAD[0] + draw(0, 10)
    while x < _AHEAD[1]:
      if draw.chance(0.6) and (crossing is None or abs(x - crossing) > 11):
        turned = math.pi * draw.chance(0.2) + draw(-0.06, 0.06) + across * math.pi / 2
        yield x, y - across * 1.2 * math.cos(heading), heading + turned, 0.0, 0.0
      x += draw(2.8, 4.5) if across else draw(5.5, 9)
  if crossing is not None:
    for lane, heading in ((-0.5, -math.pi / 2), (0.5, math.pi / 2)):
      y = -40 + draw(0, 20)
      while y < 50:
        if draw.chance(0.6):
          yield crossing + lane * _LANE, y, heading + draw(-0.05, 0.05), draw(1, 11), 0.0
        y += draw(8, 25)
    for _ in range(3):  # turning
      heading = draw(-math.pi, math.pi)
      curvature = draw(0.06, 0.16) * (1 if draw.chance(0.5) else -1)
      yield crossing + draw(-6, 6), draw(-5, 9), heading, draw(2, 7), curvature
  if draw.chance(0.5):  # a car park beyond the buildings' line
    x, y, heading = draw(-30, 30), draw(22, 30) * (1 if draw.chance(0.5) else -1), draw(-0.5, 0.5)
    for i in range(draw.index(8) + 3):
      if draw.chance(0.75):
        turned = heading + math.pi / 2 + math.pi * draw.chance(0.5)
        yield x + 2.9 * i * math.cos(heading), y + 2.9 * i * math.sin(heading), turned, 0.0, 0.0


def _vehicle(draw, sample):
  x, y, yaw, speed, curvature = sample
  chance, kind = draw.random(), 0
  while chance >= _KINDS[kind][0] and kind < len(_KINDS) - 1:
    chance -= _KINDS[kind][0]
    kind += 1
  size = tuple(draw(*interval) for interval in _KINDS[kind][1:])
  cabin = [(draw(0.02, 0.2), draw(0.62, 0.75)), (0.0, draw(0.78, 0.88)), (0.0, draw(0.75, 0.8))]
  hood = [draw(0.52, 0.62), draw(0.5, 0.6), draw(0.25, 0.35)]
  acceleration = draw(-2.5, 2.0) if speed and draw.chance(0.5) else 0.0
  motion = drive.Motion(
    drive.Path((x, y, yaw), ((200.0, curvature),)), speed=speed, acceleration=acceleration
  )
  if kind == 2:  # a lorry's cab is the low part, at the front
    cabin[kind], hood[kind] = (0.0, draw(0.74, 0.8)), draw(0.65, 0.8)
  reflectivity = draw(0.04, 0.15) if draw.chance(0.25) else draw(0.2, 0.9)
  return Vehicle(size, motion, cabin[kind], hood[kind], reflectivity)


def _static_boxes(draw, slope, crossing):
  """Buildings along the road, walls and hedges, and clutter about as large as vehicles."""

  def standing(x, y, length, width, height, yaw, reflectivity):
    # Down into the ground: on a slope no gap is left below.
    base = slope @ (x, y) - 0.5 - 0.05 * max(length, width)
    top = slope @ (x, y) + height
    return x, y, 0.5 * (base + top), length, width, top - base, yaw, reflectivity

  for side in (-1, 1):
    x, line = -75.0, 4 + side * draw(13, 19)
    while x < 85:
      length = draw(7, 22)
      middle = x + length / 2
      if draw.chance(0.75) and (crossing is None or abs(middle - crossing) > 8 + length / 2):
        yield standing(middle, line + side * 5, length, 10.0, draw(3, 12), 0.0, draw(0.2, 0.7))
      x += length + draw(0.5, 8)
    if draw.chance(0.6):
      x, length = draw(-40, 40), draw(6, 25)
      y = line - side * draw(1.0, 2.5)
      yield standing(x, y, length, 0.3, draw(0.5, 2.2), draw(-0.1, 0.1), draw(0.2, 0.6))
  for _ in range(draw.index(9)):
    y = draw(-14, -8) if draw.chance(0.5) else draw(13, 22)
    length, width = draw(0.8, 5.5), draw(0.6, 2.6)
    yield standing(
      draw(-50, 60), y, length, width, draw(0.5, 2.4), draw(-math.pi, math.pi), draw(0.1, 0.8)
    )


def _poles(draw, slope, crossing):
  for y in (-2.5 * _LANE, 3.2 * _LANE):
    x, step = draw(-60, -40), draw(14, 26)
    while x < 70:
      place = (x + draw(-1, 1), y + draw(-0.5, 0.5))
      if crossing is None or abs(place[0] - crossing) > 5:
        yield (*place, draw(0.06, 0.3), slope @ place + draw(2.5, 8), draw(0.3, 0.9))
      x += step
