"""Houses, trees, poles, signs, fences and hedges; see `parts` for frames and units.

Buildings have their front at y = 0 and stand towards positive y, with x along the front.
"""

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.streets import parts as p

Draw = draws.Draw
FLOOR = 3.0  # metres


def _gable(width: float, depth: float, z: float, rise: float) -> p.Part:
  eaves = (-width / 2 - 0.3, width / 2 + 0.3, -0.4, depth + 0.4)
  ridge = (-width / 2 - 0.3, width / 2 + 0.3, depth / 2, depth / 2)
  return p.tapered(eaves, ridge, (z, z + rise), "building", "roof", "roof", ends="gable")


def block(draw: Draw, width: float) -> list[p.Part]:
  """A town house: shops or flats below, 2 to 5 floors above, a flat or sloping roof."""
  depth, floors = draw(9.0, 13.0), 2 + draw.index(4)
  top = (floors + 1) * FLOOR
  facade = ("windows_plaster", "windows_brick", "windows_wide")[draw.index(3)]
  ground = "shop" if draw.chance(0.5) else facade
  half = width / 2
  parts = [
    p.box((-half, 0, 0), (half, depth, FLOOR), "building", ground),
    p.box((-half, 0, FLOOR), (half, depth, top), "building", facade, "roof"),
  ]
  if ground == "shop" and draw.chance(0.6):
    parts.append(p.tapered((-half + 0.3, half - 0.3, -1.1, 0), (-half + 0.3, half - 0.3, -0.05, 0),
                           (FLOOR - 0.45, FLOOR), "building", "awning"))  # fmt: skip
  if ground == "shop":
    parts.append(p.box((-half + 0.2, -0.12, FLOOR), (half - 0.2, 0, FLOOR + 0.55), "building",
                       "sign_board"))  # fmt: skip
  else:
    x = draw(-half + 1.0, half - 1.0)
    parts.append(p.box((x - 0.55, -0.06, 0), (x + 0.55, 0, 2.3), "building", "door"))
  if draw.chance(0.5):
    parts.append(_gable(width, depth, top, draw(2.0, 4.0)))
  else:
    parts.append(p.box((-half - 0.15, -0.25, top), (half + 0.15, depth, top + 0.35), "building",
                       "concrete"))  # fmt: skip
  return parts


def house(draw: Draw, width: float) -> list[p.Part]:
  """A family house of one or two floors with a pitched roof."""
  depth, top = draw(8.0, 11.0), FLOOR * (1 + draw.index(2)) + 0.3
  half = width / 2
  facade = ("windows_plaster", "windows_brick")[draw.index(2)]
  x = draw(-half + 1.2, half - 1.2)
  parts = [
    p.box((-half, 0, 0), (half, depth, top), "building", facade),
    p.box((x - 0.55, -0.08, 0), (x + 0.55, 0, 2.2), "building", "door"),
    p.tapered((x - 0.9, x + 0.9, -0.9, 0), (x - 0.9, x + 0.9, -0.3, 0), (2.3, 2.7), "building",
              "roof"),
    _gable(width, depth, top, draw(2.5, 4.2)),
  ]  # fmt: skip
  if draw.chance(0.6):
    c = draw(-half + 1, half - 1)
    parts.append(p.box((c - 0.3, depth * 0.6, top), (c + 0.3, depth * 0.6 + 0.6, top + 4.4),
                       "building", "brick"))  # fmt: skip
  return parts


def tree(draw: Draw) -> list[p.Part]:
  """A broad-leaved tree, a poplar or a fir."""
  kind, h = draw.index(4), draw(4.5, 9.0)
  if kind == 0:
    parts = [p.tube((0, 0, 0), (0, 0, 0.3 * h), (0.18, 0.15), "vegetation", "bark")]
    for i in range(4):
      z = h * (0.18 + 0.2 * i)
      r = 0.24 * h * (1 - 0.2 * i)
      parts.append(p.tube((0, 0, z), (0, 0, z + 0.3 * h), (r, 0.1 * r), "vegetation", "leaf"))
    return parts
  crown = 0.42 * h if kind > 1 else 0.22 * h
  stem = 0.38 * h if kind > 1 else 0.2 * h
  parts = [
    p.tube((0, 0, 0), (0, 0, stem + 0.3 * h), (0.03 * h, 0.016 * h), "vegetation", "bark"),
    p.ellipsoid((0, 0, 0.5 * (stem + h)), (0.7 * crown, 0.7 * crown, 0.5 * (h - stem)),
                "vegetation", "leaf"),
  ]  # fmt: skip
  for i in range(7):
    turn = p.yaw(0.9 * i + draw(0, 0.8))
    x, y, _ = turn @ (draw(0.3, 0.62) * crown, 0, 0)
    z, r = draw(stem + 0.15 * (h - stem), h - 0.1 * h), draw(0.3, 0.5) * crown
    parts.append(p.ellipsoid((x, y, z), (r, r, 0.8 * r), "vegetation", "leaf", slot=i % 2))
  return parts


def bush(draw: Draw) -> list[p.Part]:
  """A few round shrubs."""
  return [
    p.ellipsoid((draw(-0.6, 0.6), draw(-0.3, 0.3), 0.4), (draw(0.4, 0.8), draw(0.4, 0.7),
                draw(0.4, 0.9)), "vegetation", "leaf", slot=i)
    for i in range(2)
  ]  # fmt: skip


def lamp_post(draw: Draw) -> list[p.Part]:
  """A street lamp whose arm reaches along y."""
  h, reach = draw(5.0, 7.0), draw(0.8, 1.6)
  return [
    p.tube((0, 0, 0), (0, 0, h), (0.09, 0.06), "pole", "metal"),
    p.tube((0, 0, h - 0.05), (0, reach, h + 0.1), (0.05, 0.04), "pole", "metal"),
    p.box((-0.12, reach - 0.1, h), (0.12, reach + 0.5, h + 0.15), "pole", "concrete"),
  ]


def bollard(draw: Draw) -> list[p.Part]:
  """A short post at the curb."""
  return [p.tube((0, 0, 0), (0, 0, draw(0.7, 1.0)), (0.07, 0.07), "pole", "bollard")]


def sign(draw: Draw) -> list[p.Part]:
  """A traffic sign that faces along -x."""
  h, kind = draw(2.1, 2.7), draw.index(4)
  parts = [p.tube((0, 0, 0), (0, 0, h + 0.3), (0.035, 0.035), "pole", "metal")]
  if kind < 2:
    look = ("sign_round", "sign_blue")[kind]
    parts.append(p.disc((-0.05, 0, h), (-1, 0, 0), 0.36, "traffic sign", look, "sign_back"))
  else:
    half, low = (0.36, -0.36) if kind == 2 else (0.5, -0.28)
    face = p.box((-0.07, -half, h + low), (-0.045, half, h + 0.36), "traffic sign", "sign_back",
                 ends="sign_blue" if kind == 2 else "sign_yellow")  # fmt: skip
    back = p.box((-0.045, -half, h + low), (-0.04, half, h + 0.36), "traffic sign", "sign_back")
    parts += [face, back]
  return parts


def barrier(draw: Draw, length: float) -> list[p.Part]:
  """A garden wall, a wooden fence or a hedge along x, centred."""
  kind, half = draw.index(3), length / 2
  if kind == 0:
    h = draw(0.7, 1.8)
    return [p.box((-half, -0.12, 0), (half, 0.12, h), "wall", "brick_wall", "concrete")]
  if kind == 1:
    h = draw(0.9, 1.7)
    return [p.box((-half, -0.04, 0), (half, 0.04, h), "fence", "planks")]
  h = draw(0.8, 1.9)
  return [p.box((-half, -0.35, 0), (half, 0.35, h), "vegetation", "leaf")]
