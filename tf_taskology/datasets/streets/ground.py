"""The plan of a crossing and its ground: roadway, sidewalks, lawns, markings, the horizon."""

import dataclasses

import numpy as np

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import parts as p

LANE = 1.75  # metres from the middle of the road to the middle of a lane
EDGE = 3.5  # metres from the middle of the road to the edge of its lanes
CURB = 0.12  # metres, height of the sidewalks
REACH = 190.0  # metres to where the world ends in trees
NO_CROSSING = 1000.0


@dataclasses.dataclass(frozen=True)
class Street:
  """One street in a frame of its own: x along it, y to the left, origin at the crossing.

  Attributes:
    rotation: [3, 3] street to world.
    origin: [3] in the world, metres.
    curb: metres from the middle to the curb; cars park between EDGE and there.
    sidewalk: width, metres.
    setback: metres from the sidewalk to the buildings.
    suburb: houses with gardens rather than town houses.
  """

  rotation: np.ndarray
  origin: np.ndarray
  curb: float
  sidewalk: float
  setback: float
  suburb: bool

  @property
  def front(self) -> float:
    """Metres from the middle of the road to the buildings."""
    return self.curb + self.sidewalk + self.setback

  def start(self, x: float, y: float, yaw: float) -> tuple[float, float, float]:
    """(x, y, yaw) in the world of a place in the street's frame."""
    point = self.rotation @ np.array([x, y, 0.0]) + self.origin
    turn = np.arctan2(self.rotation[1, 0], self.rotation[0, 0])
    return float(point[0]), float(point[1]), float(yaw + turn)


@dataclasses.dataclass(frozen=True)
class Plan:
  """A street along x, crossed by another at x = `crossing` (NO_CROSSING: none in sight)."""

  main: Street
  cross: Street
  crossing: float


def sample_plan(draw: draws.Draw, crossing: float) -> Plan:
  """Draws the streets; the road's middle is y = 0 and it is driven on the right."""
  suburb = draw.chance(0.45)

  def street(yaw: float, parking: float) -> Street:
    setback = draw(3.0, 6.5) if suburb else draw(0.0, 0.6)
    return Street(
      p.yaw(yaw), np.array([crossing, 0.0, 0.0]), EDGE + parking, draw(2.0, 3.4), setback, suburb
    )

  return Plan(
    street(0.0, 2.2 if draw.chance(0.8) else 0.3),
    street(np.pi / 2, 2.2 if draw.chance(0.6) else 0.3),
    crossing,
  )


def _quarters(plan: Plan, draw: draws.Draw) -> list[p.Part]:
  """The raised blocks between the streets."""
  result = []
  walk, lawn = ("paving", "slabs")[draw.index(2)], plan.main.suburb or draw.chance(0.3)
  main, cross = plan.main, plan.cross
  for side in (-1, 1):
    near, far = side * main.curb, side * REACH
    if plan.crossing == NO_CROSSING:
      spans = [(-REACH, REACH, 0, 0)]
    else:
      spans = [
        (-REACH, plan.crossing - cross.curb, 0, -1),
        (plan.crossing + cross.curb, REACH, 1, 0),
      ]
    for low, high, inset_low, inset_high in spans:
      y0, y1 = sorted((near, far))
      result.append(p.box((low, y0, -0.5), (high, y1, CURB), "sidewalk", "curb", walk))
      y0, y1 = sorted((near + side * main.sidewalk, far))
      low, high = low + inset_low * cross.sidewalk, high + inset_high * cross.sidewalk
      ground = ("terrain", "grass") if lawn else ("sidewalk", walk)
      result.append(p.box((low, y0, 0), (high, y1, CURB + 0.03), ground[0], "curb", ground[1]))
  return result


def _markings(street: Street, gap: float, draw: draws.Draw) -> list[p.Part]:
  """Lines in the street's frame; `gap` is where they end before the crossing, metres."""
  result = []
  style = draw.index(3)
  for x0, x1 in ((-REACH, -gap), (gap, REACH)):

    def stripe(y, half, look, x0=x0, x1=x1):
      return p.box((x0, y - half, 0), (x1, y + half, 0.008), "road", "paint_line", look)

    if style < 2:
      result.append(stripe(0.0, 0.08, ("dashes", "paint_line")[style]))
    if street.curb > EDGE + 1 or draw.chance(0.5):
      result += [stripe(side * EDGE, 0.06, "paint_line") for side in (-1, 1)]
  if gap > 1:
    for x in (-gap, gap):
      if draw.chance(0.7):
        a, b = sorted((x, x + np.sign(x) * 3.0))
        result.append(p.box((a, -street.curb + 0.2, 0), (b, street.curb - 0.2, 0.01), "road",
                            "paint_line", "zebra"))  # fmt: skip
  return result


def ground(plan: Plan, draw: draws.Draw) -> list[p.Part]:
  """Everything flat, and the trees at the end of the world, in the world's frame."""
  r = REACH
  result = [p.box((-r, -r, -1), (r, r, 0), "road", "asphalt")]
  result += _quarters(plan, draw)
  crossing = plan.crossing != NO_CROSSING
  lines = _markings(plan.main, plan.cross.curb + 0.5 if crossing else 0.0, draw)
  shift = (plan.crossing if crossing else 0.0, 0.0, 0.0)
  result += p.turned(lines, plan.main.rotation, shift)
  if crossing:
    lines = _markings(plan.cross, plan.main.curb + 0.5, draw)
    result += p.turned(lines, plan.cross.rotation, plan.cross.origin)
  for low, high in (((r - 1, -r), (r, r)), ((-r, -r), (1 - r, r)), ((-r, r - 1), (r, r)),
                    ((-r, -r), (r, 1 - r))):  # fmt: skip
    result.append(p.box((*low, 0), (*high, draw(7.0, 13.0)), "vegetation", "far_leaf"))
  return result
