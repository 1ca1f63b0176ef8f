"""Cars, vans, trucks and bicycles with their riders; see `parts` for frames and units."""

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import parts as p

Draw = draws.Draw


def _wheels(xs, y: float, radius: float, label: str) -> list[p.Part]:
  result = []
  for x in xs:
    for side in (-1, 1):
      outer, inner = side * y, side * (y - 0.22)
      center = (x, outer + side * 0.005, radius)
      result.append(p.tube((x, inner, radius), (x, outer, radius), (radius, radius), label, "tyre"))
      result.append(p.disc(center, (0, side, 0), 0.62 * radius, label, "rim"))
  return result


def _lamps(front: float, back: float, y: float, z: float, label: str) -> list[p.Part]:
  result = []
  for side in (-1, 1):
    a, b = sorted((side * y, side * (y - 0.3)))
    result.append(p.box((front - 0.2, a, z), (front + 0.01, b, z + 0.13), label, "headlight"))
    result.append(p.box((back - 0.01, a, z), (back + 0.2, b, z + 0.16), label, "taillight"))
  for x in (front, back):
    result.append(p.box((x - 0.02, -0.26, 0.42), (x + 0.02, 0.26, 0.53), label, "plate"))
  return result


def car(draw: Draw) -> tuple[list[p.Part], float]:
  """Parts of a sedan, hatchback, estate or SUV, and half its length in metres."""
  tall = draw.chance(0.3)
  half, y = draw(1.9, 2.3), draw(0.84, 0.92)
  deck = draw(0.92, 1.05) if tall else draw(0.8, 0.9)
  top = deck + (draw(0.6, 0.72) if tall else draw(0.5, 0.58))
  radius = 0.36 if tall else 0.32
  # Where the cabin's rear window ends: sedans have a boot, the others do not.
  boot = draw(0.35, 0.6) if draw.chance(0.45) and not tall else 0.05
  hood = draw(0.85, 1.15)
  cabin = (-half + boot, half - hood, -y + 0.04, y - 0.04)
  roof = (-half + boot + draw(0.25, 0.6), half - hood - draw(0.55, 0.8), -y + 0.2, y - 0.2)
  waist = (-half, half, -y, y)
  shoulder = (-half + 0.06, half - 0.1, -y + 0.03, y - 0.03)
  pillar = (roof[0] + roof[1]) / 2
  parts = [
    p.tapered((-half + 0.02, half - 0.02, -y, y), waist, (0.24, 0.55), "car", "paint"),
    p.tapered(waist, shoulder, (0.55, deck), "car", "paint"),
    p.tapered(cabin, roof, (deck, top), "car", "glass", "paint"),
    p.box((roof[0], roof[2], top - 0.03), (roof[1], roof[3], top + 0.03), "car", "paint"),
    p.tapered((pillar - 0.06, pillar + 0.06, -y + 0.03, y - 0.03),
              (pillar - 0.04, pillar + 0.04, -y + 0.19, y - 0.19), (deck, top), "car", "paint"),
    p.box((-half + 0.1, -y + 0.1, 0.14), (half - 0.1, y - 0.1, 0.3), "car", "dark"),
    p.box((half - 0.3, -0.5, 0.36), (half + 0.005, 0.5, 0.6), "car", "dark"),
    *_wheels((-half + 0.75, half - 0.8), y, radius, "car"),
    *_lamps(half, -half, y - 0.06, 0.62, "car"),
  ]  # fmt: skip
  return parts, half


def van(draw: Draw) -> tuple[list[p.Part], float]:
  """Parts of a delivery van or a small box truck, and half its length in metres."""
  half, y = draw(2.4, 3.1), draw(0.95, 1.05)
  truck = draw.chance(0.4)
  top = draw(2.5, 3.0) if truck else draw(1.95, 2.5)
  nose = half - draw(0.5, 0.9)
  cab = nose - draw(1.0, 1.3)
  cab_top = 2.1 if truck else top
  parts = [
    p.tapered((cab, half, -y, y), (cab, half - 0.1, -y, y), (0.3, 1.15), "truck", "van_paint"),
    p.tapered((cab, half - 0.1, -y, y), (cab, nose - 0.1, -y + 0.1, y - 0.1), (1.15, cab_top),
              "truck", "van_paint"),
    # Glass stands a little proud of the cab's sloping front and sides.
    p.tapered((cab + 0.25, half - 0.07, -y - 0.015, y + 0.015),
              (cab + 0.3, nose - 0.02, -y + 0.08, y - 0.08), (1.17, cab_top - 0.3), "truck",
              "glass"),
    p.box((-half, -y, 0.35), (cab, y, top), "truck", "cargo" if truck else "van_paint", slot=truck),
    p.box((-half + 0.1, -y + 0.15, 0.2), (half - 0.2, y - 0.15, 0.4), "truck", "dark"),
    p.box((-half - 0.01, -0.02, 0.5), (-half + 0.05, 0.02, top - 0.1), "truck", "dark"),
    *_wheels((-half + 0.9, half - 0.8), y, 0.37, "truck"),
    *_lamps(half, -half, y - 0.06, 0.72, "truck"),
  ]  # fmt: skip
  if not truck:
    parts.append(p.box((-half - 0.015, -y + 0.15, 1.3), (-half + 0.05, y - 0.15, top - 0.35),
                       "truck", "glass"))  # fmt: skip
  return parts, half


def cyclist(draw: Draw) -> list[p.Part]:
  """A bicycle and its rider."""
  r = 0.34
  back, front, crank = (-0.52, 0, r), (0.52, 0, r), (-0.08, 0, 0.28)
  seat, bar = (-0.25, 0, 0.9), (0.4, 0, 0.98)

  def bar_of(a, b, radius=0.022, slot=0):
    return p.tube(a, b, (radius, radius), "bicycle", "bike", slot)

  parts = [
    *(p.disc(c, (0, 1, 0), r, "bicycle", "tyre", inner=0.8 * r) for c in (back, front)),
    bar_of(crank, seat), bar_of(crank, bar), bar_of(seat, (0.36, 0, 0.85)), bar_of(back, crank),
    bar_of(back, seat), bar_of(front, bar), bar_of((0.42, -0.27, 1.0), (0.42, 0.27, 1.0)),
    p.box((-0.38, -0.09, 0.9), (-0.12, 0.09, 0.96), "bicycle", "dark"),
  ]  # fmt: skip
  hip, neck = (-0.22, 0.0, 0.98), (0.08, 0.0, 1.5)
  parts += [
    p.tube(hip, neck, (0.16, 0.2), "rider", "cloth", 0),
    p.ellipsoid((0.12, 0, 1.68), (0.11, 0.09, 0.13), "rider", "skin"),
    p.ellipsoid((0.1, 0, 1.73), (0.14, 0.11, 0.11), "rider", "cloth", 3),
  ]
  for side, lift in ((-1, 0.16), (1, -0.1)):
    knee, foot = (0.14, side * 0.11, 0.68 + 0.6 * lift), (-0.02, side * 0.11, 0.26 + lift)
    parts += [
      p.tube((-0.2, side * 0.1, 0.96), knee, (0.1, 0.07), "rider", "trousers"),
      p.tube(knee, foot, (0.07, 0.05), "rider", "trousers"),
      p.box((foot[0] - 0.08, foot[1] - 0.05, foot[2] - 0.05),
            (foot[0] + 0.16, foot[1] + 0.05, foot[2] + 0.03), "rider", "shoe"),
      p.tube((0.06, side * 0.2, 1.46), (0.4, side * 0.24, 1.02), (0.055, 0.045), "rider", "cloth"),
    ]  # fmt: skip
  return parts
