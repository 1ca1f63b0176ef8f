"""Lamps, plants, rugs, pictures, windows and small things; see `furniture` for frames and units."""

from tf_taskology.datasets.rendering import draws
from tf_taskology.datasets.rooms import furniture as f


def floor_lamp(draw: draws.Draw) -> f.Piece:
  """A standing lamp with a shade or a globe."""
  h = draw(1.3, 1.7)
  parts = [
    f.frustum(0, 0, 0, 0.03, 0.15, 0.14, "lamp", "metal", 0),
    f.frustum(0, 0, 0.03, h - 0.2, 0.02, 0.02, "lamp", "metal", 0),
  ]
  if draw.chance(0.6):
    parts.append(f.frustum(0, 0, h - 0.28, h, draw(0.18, 0.25), draw(0.1, 0.18), "lamp", "glow", 1))
  else:
    parts.append(f.sphere((0, 0, h - 0.16), draw(0.14, 0.2), "lamp", "glow", 1))
  return f.Piece(parts, 0.5, 0.5, casts_shadow=False, glow=(0.0, 0.0, h - 0.15))


def pendant_lamp(draw: draws.Draw) -> f.Piece:
  """A lamp that hangs from the ceiling (origin at the ceiling, so z is negative)."""
  drop = draw(0.35, 0.8)
  parts = [f.frustum(0, 0, -drop + 0.1, 0, 0.012, 0.012, "lamp", "metal", 0)]
  if draw.chance(0.5):
    parts.append(f.sphere((0, 0, -drop), draw(0.12, 0.2), "lamp", "glow", 1))
  else:
    top = -drop + 0.12
    shade = f.frustum(0, 0, top - 0.24, top, draw(0.2, 0.3), 0.06, "lamp", "glow", 1)
    parts.append(shade)
  return f.Piece(parts, 0.5, 0.5, casts_shadow=False, glow=(0.0, 0.0, -drop - 0.25))


def plant(draw: draws.Draw) -> f.Piece:
  """A pot with a conical or round bush."""
  r, h = draw(0.13, 0.22), draw(0.22, 0.4)
  parts = [f.frustum(0, 0, 0, h, r * 0.75, r, "plant", "paint", 0)]
  size = draw(0.25, 0.42)
  if draw.chance(0.5):
    top = h + draw(0.6, 1.1)
    parts.append(f.frustum(0, 0, h, h + 0.12, 0.03, 0.03, "plant", "wood", 1))
    parts.append(f.frustum(0, 0, h + 0.12, top, size, 0.02, "plant", "leaf", 2))
  else:
    stem = h + draw(0.1, 0.5)
    parts.append(f.frustum(0, 0, h, stem + size * 0.5, 0.03, 0.03, "plant", "wood", 1))
    parts.append(f.sphere((0, 0, stem + size * 0.7), size, "plant", "leaf", 2))
    for _ in range(2):
      x, y = draw(-0.7, 0.7) * size, draw(-0.7, 0.7) * size
      parts.append(f.sphere((x, y, stem + size * draw(0.5, 1.3)), size * 0.6, "plant", "leaf", 2))
  return f.Piece(parts, 2 * size, 2 * size)


def rug(draw: draws.Draw) -> f.Piece:
  """A flat carpet, labelled floor."""
  if draw.chance(0.3):
    r = draw(0.7, 1.2)
    return f.Piece([f.frustum(0, 0, 0, 0.012, r, r, "floor", "rug", 0)], 2 * r, 2 * r,
                   casts_shadow=False)  # fmt: skip
  w, d = draw(1.2, 2.6), draw(0.9, 1.8)
  part = f.box((-w / 2, -d / 2, 0), (w / 2, d / 2, 0.012), "floor", "rug", 0)
  return f.Piece([part], w, d, casts_shadow=False)


def picture(draw: draws.Draw) -> f.Piece:
  """A framed picture; origin at its middle on the wall."""
  w, h = draw(0.35, 1.1), draw(0.35, 0.8)
  parts = [
    f.box((-w / 2, -0.025, -h / 2), (w / 2, 0, h / 2), "picture", "wood", 0),
    f.box((-w / 2 + 0.04, -0.03, -h / 2 + 0.04), (w / 2 - 0.04, -0.025, h / 2 - 0.04), "picture",
         "art", 1),
  ]  # fmt: skip
  return f.Piece(parts, w, h, casts_shadow=False)


def window(draw: draws.Draw) -> f.Piece:
  """A window with frame, bars, sill and bright panes; origin at its middle on the wall."""
  w, h = draw(0.8, 1.8), draw(0.9, 1.3)
  t, b = 0.05, 0.06
  parts = [
    f.box((-w / 2 + b, -0.015, -h / 2 + b), (w / 2 - b, 0, h / 2 - b), "window", "sky", 0),
    f.box((-w / 2, -t, -h / 2), (-w / 2 + b, 0, h / 2), "window", "paint", 1),
    f.box((w / 2 - b, -t, -h / 2), (w / 2, 0, h / 2), "window", "paint", 1),
    f.box((-w / 2, -t, h / 2 - b), (w / 2, 0, h / 2), "window", "paint", 1),
    f.box((-w / 2 - 0.05, -0.14, -h / 2 - 0.02), (w / 2 + 0.05, 0, -h / 2 + 0.03), "window",
         "paint", 1),
    f.box((-0.03, -t, -h / 2), (0.03, 0, h / 2), "window", "paint", 1),
  ]  # fmt: skip
  return f.Piece(parts, w, h, casts_shadow=False, glow=(0.0, -0.4, 0.0), is_window=True)


def prop(draw: draws.Draw, x: float, y: float, z: float, scale: float = 1.0) -> list[f.Part]:
  """A ball, vase, book pile, box or cone that stands at (x, y, z) of another piece's frame."""
  kind, slot = draw.index(5), 10 + draw.index(8)
  s = scale * draw(0.7, 1.3)
  if kind == 0:
    r = 0.1 * s
    return [f.sphere((x, y, z + r), r, "prop", "paint", slot)]
  if kind == 1:
    r, h = 0.06 * s, 0.24 * s
    return [
      f.frustum(x, y, z, z + h * 0.6, r * 0.7, r * 1.2, "prop", "paint", slot),
      f.frustum(x, y, z + h * 0.6, z + h, r * 1.2, r * 0.5, "prop", "paint", slot),
    ]
  if kind == 2:
    a, b, t = 0.14 * s, 0.1 * s, 0.05 * s
    return [
      f.box((x - a, y - b, z), (x + a, y + b, z + t), "prop", "art", slot),
      f.box((x - a * 0.8, y - b * 0.9, z + t), (x + a * 0.7, y + b * 0.8, z + 2 * t), "prop",
           "art", slot + 1),
    ]  # fmt: skip
  if kind == 3:
    a, b, h = 0.13 * s, 0.1 * s, 0.2 * s
    return [f.box((x - a, y - b, z), (x + a, y + b, z + h), "prop", "paint", slot)]
  return [f.frustum(x, y, z, z + 0.28 * s, 0.1 * s, 0.02 * s, "prop", "paint", slot)]


def toy(draw: draws.Draw) -> f.Piece:
  """A small thing on the floor."""
  return f.Piece(prop(draw, 0.0, 0.0, 0.0, 1.5), 0.4, 0.4)


def dress(draw: draws.Draw, piece: f.Piece) -> None:
  """Puts small things on the tops of a piece, in place."""
  for x, y, z, half_x, half_y in piece.tops:
    count = draw.index(4)
    for i in range(count):
      # One cell of the width for each, so that things do not run into each other.
      cell = x - half_x + 2 * half_x * (i + 0.5) / count
      piece.parts.extend(prop(draw, cell, y + draw(-0.6, 0.6) * half_y, z))
