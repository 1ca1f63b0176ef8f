"""Fills streets with houses, trees, vehicles and people."""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import drive, ground, parts, people, surroundings, vehicles

Draw = draws.Draw

_NARROWEST = 9.0  # metres, of a building


@dataclasses.dataclass(frozen=True)
class Body:
  """Parts that move together.

  Attributes:
    parts: in the body's frame.
    motion: an object with `pose(time)`.
    moves: False for what stands still for ever (parked cars too).
    radius: of a circle around it on the ground, metres.
  """

  parts: list[parts.Part]
  motion: drive.Motion | drive.Swing
  moves: bool
  radius: float


def _still(made: list[parts.Part], street: ground.Street, x, y, yaw, radius, height=0.0) -> Body:
  motion = drive.Motion(drive.Path(street.start(x, y, yaw)), height=height)
  return Body(made, motion, False, radius)


def _buildings(draw: Draw, street: ground.Street, low: float, high: float) -> list[Body]:
  """Rows on both sides of a stretch of the street."""
  result = []
  for side in (-1, 1):
    x = low
    while x + _NARROWEST <= high:
      # Whole bays of 3 m, and none beyond the corner.
      width = min(_NARROWEST + 3.0 * draw.index(3), 3.0 * ((high - x) // 3.0))
      gap = draw(2.5, 7.0) if street.suburb else (draw(3.0, 8.0) if draw.chance(0.2) else 0.0)
      make = surroundings.house if street.suburb else surroundings.block
      y = side * (street.front + draw(0.0, 1.5 if street.suburb else 0.0))
      turn = 0.0 if side > 0 else math.pi
      made = make(draw, width)
      result.append(_still(made, street, x + width / 2, y, turn, width, ground.CURB))
      if gap > 2.4 and draw.chance(0.7):
        y = side * (street.front + draw(2.0, 5.0))
        tree = surroundings.tree(draw)
        result.append(_still(tree, street, x + width + gap / 2, y, 0.0, 1.0, ground.CURB))
      x += width + gap
  return result


def _furniture(draw: Draw, street: ground.Street, low: float, high: float) -> list[Body]:
  """Lamps, trees, signs, bollards and garden fences along a stretch of the street."""
  result = []
  trees, bollards = draw.chance(0.6), draw.chance(0.3)
  for side in (-1, 1):
    at_curb = side * (street.curb + 0.45)
    # Towards the road: lamps reach over it from both sides.
    inward = math.pi if side > 0 else 0.0

    def put(made, x, y, yaw=0.0, radius=0.3):
      if low <= x <= high:
        result.append(_still(made, street, x, y, yaw, radius, ground.CURB))

    x = low + draw(0.0, 10.0)
    while x < high:
      put(surroundings.lamp_post(draw), x, at_curb, inward)
      if trees:
        for share in (0.33, 0.66):
          if draw.chance(0.75):
            put(surroundings.tree(draw), x + share * 24.0, at_curb + side * 0.3, draw(0, 6.0))
      if bollards:
        for i in range(1, 6):
          put(surroundings.bollard(draw), x + 1.7 * i, side * (street.curb + 0.25))
      if draw.chance(0.6):
        yaw = (math.pi if side > 0 else 0.0) + draw(-0.2, 0.2)
        put(surroundings.sign(draw), x + draw(2.0, 20.0), at_curb, yaw)
      x += 24.0
    if street.suburb:
      y = side * (street.curb + street.sidewalk + 0.4)
      x = low
      while x < high:
        length = draw(6.0, 12.0)
        if draw.chance(0.75) and x + length <= high:
          put(surroundings.barrier(draw, length), x + length / 2, y, 0.0, 0.4)
        if draw.chance(0.5):
          put(surroundings.bush(draw), x + draw(0, length), y + side * draw(0.8, 1.8), 0.0, 0.8)
        x += length + draw(1.5, 3.0)
  return result


def _parked(draw: Draw, street: ground.Street, low: float, high: float) -> list[Body]:
  if street.curb < ground.EDGE + 1:
    return []
  result = []
  for side in (-1, 1):
    x, density = low + draw(0.0, 6.0), draw(0.25, 0.8)
    while x < high:
      if draw.chance(density):
        made, half = (vehicles.van if draw.chance(0.2) else vehicles.car)(draw)
        yaw = (math.pi if side > 0 else 0.0) + (math.pi if draw.chance(0.15) else 0.0)
        y = side * (street.curb - 1.1 + draw(-0.1, 0.1))
        result.append(_still(made, street, x, y, yaw + draw(-0.03, 0.03), half))
      x += draw(5.8, 7.5)
  return result


def furnish(draw: Draw, street: ground.Street, gap: float, view: tuple[float, float]):
  """What stands still in one street.

  Args:
    street: the street.
    gap: half the width of the crossing that stays free, metres; 0 for none.
    view: (lowest, highest) position along the street to fill, metres.

  Returns:
    list of Body.
  """
  result = []
  stretches = [view] if gap == 0 else [(view[0], -gap), (gap, view[1])]
  for low, high in stretches:
    if high - low < 8:
      continue
    result += _furniture(draw, street, low + 1.0, high - 1.0)
    result += _parked(draw, street, low + 7.0, high - 7.0)
  return result


def rows(draw: Draw, street: ground.Street, gap: float, view: tuple[float, float]) -> list[Body]:
  """The buildings of one street; arguments as in `furnish`."""
  stretches = [view] if gap == 0 else [(view[0], -gap), (gap, view[1])]
  return [body for low, high in stretches for body in _buildings(draw, street, low, high)]


def walker(draw: Draw, motion: drive.Motion) -> list[Body]:
  """A person who goes along a path, as five bodies; one who does not move is one body."""
  trunk, limbs = people.person(draw)
  if motion.speed == 0:
    made = list(trunk)
    for limb in limbs:
      made += parts.turned(limb.parts, parts.pitch(draw(-0.2, 0.2)), limb.joint)
    return [Body(made, motion, False, 0.4)]
  phase, rate = draw(0, 2 * math.pi), 0.45 + 0.35 * motion.speed
  bodies = [Body(trunk, motion, True, 0.4)]
  for limb in limbs:
    swing = drive.Swing(motion, limb.joint, limb.swing * min(1.0, motion.speed), rate, phase)
    bodies.append(Body(limb.parts, swing, True, 0.4))
  return bodies


def vehicle(draw: Draw, motion: drive.Motion, vans: float = 0.25) -> Body:
  """A car or, with probability `vans`, a van that follows a path."""
  made, half = (vehicles.van if draw.chance(vans) else vehicles.car)(draw)
  return Body(made, motion, motion.speed > 0, half)


def _pavement(draw: Draw, street: ground.Street) -> float:
  side = 1 if draw.chance(0.5) else -1
  return side * (street.curb + draw(0.7, street.sidewalk - 0.3))


def crowd(draw: Draw, street: ground.Street, count: int, view: tuple[float, float]):
  """People on the sidewalks and on the roadway of a street; list of lists of Body."""
  result = []
  for _ in range(count):
    # Most are near the camera's end, where they are large enough to see.
    x = view[0] + (view[1] - view[0]) * draw.random() ** 1.5
    if draw.chance(0.22):
      side = 1 if draw.chance(0.5) else -1
      y, yaw = side * draw(-1.0, street.curb), -side * math.pi / 2
      motion = drive.Motion(
        drive.Path(street.start(x, y, yaw + draw(-0.3, 0.3))), 0, draw(0.9, 1.9)
      )
    else:
      yaw = draw.index(2) * math.pi + draw(-0.1, 0.1)
      speed = 0.0 if draw.chance(0.15) else draw(0.8, 1.9)
      if speed == 0.0:
        yaw = draw(0, 6.28)
      start = street.start(x, _pavement(draw, street), yaw)
      motion = drive.Motion(drive.Path(start), 0, speed, height=ground.CURB)
    result.append(walker(draw, motion))
  return result


def traffic(draw: Draw, street: ground.Street, view: tuple[float, float], share: float):
  """Vehicles and cyclists that drive in a street's lanes; list of lists of Body.

  Args:
    street: the street.
    view: (lowest, highest) position along it, metres.
    share: of the places that a vehicle takes.
  """
  result = []
  for direction in (1, -1):
    yaw = 0.0 if direction > 0 else math.pi
    flow = draw(3.0, 13.0)
    x = view[0] + draw(0.0, 12.0)
    while x < view[1]:
      if draw.chance(share):
        start = street.start(x, -direction * ground.LANE, yaw)
        motion = drive.Motion(drive.Path(start), 0, flow, draw(-1.0, 1.0))
        result.append([vehicle(draw, motion)])
      elif draw.chance(0.25):
        start = street.start(x, -direction * (ground.EDGE - 0.6), yaw)
        motion = drive.Motion(drive.Path(start), 0, draw(3.0, 6.5))
        result.append([Body(vehicles.cyclist(draw), motion, True, 0.9)])
      x += draw(12.0, 24.0)
  return result


def keep_clear(bodies: list[Body], camera: np.ndarray, margin: float) -> list[Body]:
  """The still bodies to which the camera does not come too near.

  Args:
    bodies: still.
    camera: [T, 2] positions on the ground, metres.
    margin: metres of free space around the camera.
  """
  result = []
  for body in bodies:
    x, y, _ = body.motion.path.start
    distance = np.sqrt(((camera - (x, y)) ** 2).sum(1)).min()
    # Houses have their origin at the front, which the camera never crosses.
    if body.radius > 5.0 or distance > 0.6 * body.radius + margin:
      result.append(body)
  return result


def keep_apart(groups, camera: np.ndarray, times, fixed) -> list[list[Body]]:
  """Drops groups that would run into each other, into fixed bodies or into the camera.

  Args:
    groups: lists of bodies that belong together; the first one stands for all.
    camera: [T, 2] positions on the ground, metres.
    times: T times, seconds.
    fixed: groups that stay in any case.

  Returns:
    The groups that are left, in the same order.
  """
  tracks = [np.tile(g[0].motion.pose(0.0)[:2, 3], (len(times), 1)) for g in fixed]
  radii, kept = [g[0].radius for g in fixed], []
  for bodies in groups:
    body = bodies[0]
    track = np.array([body.motion.pose(t)[:2, 3] for t in times])
    # A car is longer than wide: its circle overlaps lanes that the car does not.
    if np.sqrt(((track - camera) ** 2).sum(1)).min() < 0.6 * body.radius + 1.3:
      continue
    if tracks:
      nearest = np.sqrt(((np.array(tracks) - track) ** 2).sum(-1)).min(1)
      # What passes a parked car in the next lane must be let by.
      share = np.where(np.arange(len(tracks)) < len(fixed), 0.5, 0.6)
      if (nearest < share * (np.array(radii) + body.radius) + 0.1).any():
        continue
    kept.append(bodies)
    tracks.append(track)
    radii.append(body.radius)
  return kept
