"""Draws the examples' worlds: streets, the camera's drive, and who else is about."""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import drive, ground, layout

STEP_SECS = 0.1  # between frames

# The car of the street domain carries one camera; so that geometry can be learned from it.
_FOCAL, _CENTER, _HEIGHT = 0.6, (0.497, 0.512), 1.5


@dataclasses.dataclass(frozen=True)
class World:
  """What there is to render.

  Attributes:
    ground: parts in the world's frame.
    bodies: everything else.
    camera: the camera.
  """

  ground: list
  bodies: list[layout.Body]
  camera: drive.Camera


def _turning_path(draw: draws.Draw, plan: ground.Plan):
  """A path around the corner, to the right or the left, and (start, length) of its arc."""
  lane, yaw = ground.LANE, 0.0
  if draw.chance(0.5):
    radius, sign, end = plan.cross.curb - lane + draw(2.0, 4.0), -1, -lane
  else:
    radius, sign, end = draw(8.0, 11.0), 1, lane
  before = plan.crossing + end - radius
  arc = radius * math.pi / 2
  path = drive.Path((0.0, -lane, yaw), ((before, 0.0), (arc, sign / radius), (50.0, 0.0)))
  return path, before, arc


def _driver(draw: draws.Draw, plan: ground.Plan) -> drive.Motion:
  """The motion of the car that carries the camera."""
  kind = draw.random()
  if kind < 0.3 and plan.crossing != ground.NO_CROSSING:
    path, before, arc = _turning_path(draw, plan)
    first = before + draw(-2.0, 0.9 * arc)
    return drive.Motion(path, first, draw(2.0, 6.5), draw(-1.0, 1.0), top=7.0)
  # A gentle weave within the lane: arcs that bend back.
  bend = draw(-0.0015, 0.0015)
  pieces = ((25.0, bend), (50.0, -bend), (25.0, bend), (50.0, 0.0))
  path = drive.Path((0.0, -ground.LANE + draw(-0.3, 0.3), 0.0), pieces)
  first = draw(0.0, 20.0)
  if kind < 0.4:
    return drive.Motion(path, first)  # standing
  if kind < 0.55:
    return drive.Motion(path, first, draw(0.5, 6.0), draw(-4.0, -1.0))  # coming to a stop
  if kind < 0.7:
    return drive.Motion(path, first, draw(0.0, 5.0), draw(1.0, 2.5))  # moving off
  return drive.Motion(path, first, draw(4.0, drive.TOP_SPEED), draw(-0.8, 0.8))


def _passer_by(draw: draws.Draw, plan: ground.Plan) -> drive.Camera:
  """A hand-held camera somewhere in the street, for single images."""
  x = draw(0.0, 12.0)
  side = 1 if draw.chance(0.5) else -1
  on_walk = draw.chance(0.7)
  y = side * (plan.main.curb + draw(0.3, plan.main.sidewalk) if on_walk else draw(0.0, 4.0))
  # Mostly along the street or across it, seldom at the wall next to the photographer.
  yaw = draw(-0.5, 0.5) - (side * draw(0.0, 0.9) if on_walk else 0.0)
  mount = drive.Motion(drive.Path((x, y, yaw)))
  return drive.Camera(
    mount, draw(1.2, 2.6), 0.0, draw(-0.16, 0.08), draw(-0.04, 0.04), 0.0, 0.0, draw(0.55, 1.0),
    (draw(0.48, 0.52), draw(0.48, 0.52)),
  )  # fmt: skip


def _company(draw: draws.Draw, plan: ground.Plan, camera: drive.Camera, close: float):
  """Everything that moves, and people who stand, as groups of bodies.

  Args:
    close: nearest distance ahead of the camera at which people are put, metres.
  """
  x, _, _ = camera.mount.path.at(camera.mount.first)
  crossing = plan.crossing != ground.NO_CROSSING
  ahead = (x - plan.main.origin[0] + close, x - plan.main.origin[0] + 60.0)
  result = []
  mount = camera.mount
  if mount.speed > 0 and draw.chance(0.4):
    gap = draw(9.0, 30.0)
    speed = max(1.0, mount.speed + draw(-1.0, 1.0))
    leader = dataclasses.replace(mount, first=mount.first + gap, speed=speed)
    result.append([layout.vehicle(draw, leader)])
  result += layout.crowd(draw, plan.main, 5 + draw.index(7), (ahead[0], ahead[0] + 38.0))
  result += layout.traffic(draw, plan.main, (ahead[0] - 2.0, ahead[1] + 20.0), draw(0.2, 0.8))
  if crossing:
    around = (-40.0, 40.0)
    result += layout.crowd(draw, plan.cross, 4 + draw.index(5), (-30.0, 30.0))
    result += layout.traffic(draw, plan.cross, around, draw(0.1, 0.5))
  return result


def sample_world(generator: np.random.Generator, single: bool, frames: int) -> World:
  """Draws a world for one example.

  Args:
    generator: source of all randomness; the same state gives the same world.
    single: a passer-by's single picture rather than a drive.
    frames: how many, STEP_SECS apart.
  """
  draw = draws.Draw(generator)
  crossing = draw(14.0, 60.0) if draw.chance(0.65) else ground.NO_CROSSING
  plan = ground.sample_plan(draw, crossing)
  if single:
    camera = _passer_by(draw, plan)
  else:
    camera = drive.Camera(
      _driver(draw, plan), _HEIGHT, 0.0, 0.0, 0.0, draw(0.0, 0.004), draw(0.0, 6.28), _FOCAL,
      _CENTER,
    )  # fmt: skip
  times = [STEP_SECS * i for i in range(frames)]
  track = np.array([camera.pose(t)[:2, 3] for t in times])
  view = (track[0, 0] - 25.0, track[-1, 0] + 120.0)
  flat = ground.ground(plan, draw)
  shift = plan.main.origin[0]
  if crossing != ground.NO_CROSSING:
    main, cross = plan.main, plan.cross
    local = (view[0] - shift, view[1] - shift)
    still = layout.rows(draw, main, cross.front, local)
    # The cross street's houses begin behind those at the corner.
    still += layout.rows(draw, cross, main.front + 16.0, (-75.0, 75.0))
    still += layout.furnish(draw, main, cross.curb + cross.sidewalk, local)
    still += layout.furnish(draw, cross, main.curb + main.sidewalk, (-60.0, 60.0))
  else:
    local = (view[0] - shift, view[1] - shift)
    still = layout.rows(draw, plan.main, 0.0, local)
    still += layout.furnish(draw, plan.main, 0.0, local)
  still = layout.keep_clear(still, track, 2.2 if single else 1.0)
  moving = _company(draw, plan, camera, 5.0 if single else 7.0)
  fixed = [[body] for body in still if body.radius < 4.0]
  moving = layout.keep_apart(moving, track, times, fixed)
  return World(flat, still + [body for group in moving for body in group], camera)
