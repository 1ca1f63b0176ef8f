"""Pieces of furniture for the rooms world, built from boxes, spheres and frustums.

A piece lives in its own frame: origin on the floor (or at its fixing point on wall or ceiling) in
the middle of its footprint, x along its width, y from its front to its back, z up, metres.
"""

import dataclasses

from tf_taskology.datasets.rendering import draws

CLASSES = (
  "wall",
  "floor",
  "ceiling",
  "window",
  "picture",
  "cabinet",
  "shelf",
  "table",
  "chair",
  "sofa",
  "bed",
  "lamp",
  "plant",
  "prop",
)
VOID = 255
LABELS = {name: index for index, name in enumerate(CLASSES)}

BOX, SPHERE, FRUSTUM = 0, 1, 2

# What a part is made of; the sensor domain picks colours and textures by it.
FAMILIES = (
  "wall",
  "floor",
  "ceiling",
  "rug",
  "wood",
  "paint",
  "fabric",
  "metal",
  "leaf",
  "art",
  "glow",
  "sky",
)
FAMILY_IDS = {name: index for index, name in enumerate(FAMILIES)}


@dataclasses.dataclass(frozen=True)
class Part:
  """One primitive of a piece.

  Attributes:
    kind: BOX, SPHERE or FRUSTUM (a vertical cylinder, cone or lamp shade).
    center: (x, y, z) in the piece's frame, metres.
    half: BOX: half extents; SPHERE: (r, r, r); FRUSTUM: (radius at the bottom, radius at the top,
      half height). Metres.
    label: index into CLASSES.
    family: index into FAMILIES.
    slot: parts of one piece with the same family and slot share one material.
  """

  kind: int
  center: tuple[float, float, float]
  half: tuple[float, float, float]
  label: int
  family: int
  slot: int = 0


@dataclasses.dataclass
class Piece:
  """A piece of furniture in its own frame.

  Attributes:
    parts: its primitives.
    width: extent along x, metres.
    depth: extent along y, metres.
    tops: (x, y, z, half x, half y) of surfaces on which small things may stand.
    casts_shadow: False for lamps, whose light comes from within, and flat things on walls.
    glow: (x, y, z) of a light that belongs to the piece, or None.
    is_window: whether that light is daylight.
  """

  parts: list[Part]
  width: float
  depth: float
  tops: list[tuple[float, float, float, float, float]] = dataclasses.field(default_factory=list)
  casts_shadow: bool = True
  glow: tuple[float, float, float] | None = None
  is_window: bool = False


def box(low, high, label: str, family: str, slot: int = 0) -> Part:
  """A box between two corners of the piece's frame, metres."""
  center = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
  half = tuple((b - a) / 2 for a, b in zip(low, high, strict=True))
  return Part(BOX, center, half, LABELS[label], FAMILY_IDS[family], slot)


def sphere(center, radius, label: str, family: str, slot: int = 0) -> Part:
  """A ball around `center`, metres."""
  return Part(SPHERE, tuple(center), (radius,) * 3, LABELS[label], FAMILY_IDS[family], slot)


def frustum(x, y, bottom, top, r_bottom, r_top, label: str, family: str, slot: int = 0) -> Part:
  """A vertical cylinder, cone or shade around (x, y), from z = bottom to z = top, metres."""
  center, half = (x, y, (bottom + top) / 2), (r_bottom, r_top, (top - bottom) / 2)
  return Part(FRUSTUM, center, half, LABELS[label], FAMILY_IDS[family], slot)


def _legs(width, depth, top, size, label, family, slot) -> list[Part]:
  x, y = width / 2 - size, depth / 2 - size
  return [
    box((sx * x - size / 2, sy * y - size / 2, 0), (sx * x + size / 2, sy * y + size / 2, top),
         label, family, slot)
    for sx in (-1, 1)
    for sy in (-1, 1)
  ]  # fmt: skip


def cabinet(draw: draws.Draw) -> Piece:
  """A chest, sideboard or wardrobe with door panels and a top board."""
  w, d, h = draw(0.6, 1.6), draw(0.38, 0.62), draw(0.6, 2.0)
  if h > 1.3:
    w = min(w, 1.2)
  family = "wood" if draw.chance(0.65) else "paint"
  parts = [
    box((-w / 2, -d / 2, 0.06), (w / 2, d / 2, h - 0.03), "cabinet", family, 0),
    box((-w / 2 - 0.02, -d / 2 - 0.03, h - 0.03), (w / 2 + 0.02, d / 2, h), "cabinet", family, 1),
    box((-w / 2 + 0.04, -d / 2 + 0.06, 0), (w / 2 - 0.04, d / 2, 0.06), "cabinet", family, 1),
  ]
  columns, rows = max(1, round(w / 0.5)), max(1, round(h / 0.8))
  for i in range(columns):
    for j in range(rows):
      x0, x1 = -w / 2 + w * i / columns + 0.02, -w / 2 + w * (i + 1) / columns - 0.02
      z0 = 0.06 + (h - 0.09) * j / rows + 0.02
      z1 = 0.06 + (h - 0.09) * (j + 1) / rows - 0.02
      panel = box((x0, -d / 2 - 0.02, z0), (x1, -d / 2, z1), "cabinet", family, 1 + (i + j) % 2)
      parts.append(panel)
  tops = [(0.0, 0.0, h, w / 2 - 0.1, d / 2 - 0.1)] if h < 1.3 else []
  return Piece(parts, w + 0.04, d + 0.05, tops)


def shelf(draw: draws.Draw) -> Piece:
  """An open book case with a back, boards and rows of books."""
  w, d, h = draw(0.7, 1.4), draw(0.26, 0.38), draw(1.0, 2.1)
  family, t = ("wood" if draw.chance(0.7) else "paint"), 0.03
  parts = [
    box((-w / 2, -d / 2, 0), (-w / 2 + t, d / 2, h), "shelf", family, 0),
    box((w / 2 - t, -d / 2, 0), (w / 2, d / 2, h), "shelf", family, 0),
    box((-w / 2 + t, d / 2 - 0.02, 0), (w / 2 - t, d / 2, h), "shelf", family, 1),
  ]
  boards = max(3, round(h / 0.4) + 1)
  for i in range(boards):
    z = 0.05 + (h - t - 0.05) * i / (boards - 1)
    parts.append(box((-w / 2 + t, -d / 2, z), (w / 2 - t, d / 2 - 0.02, z + t), "shelf", family, 0))
    if i < boards - 1 and draw.chance(0.8):
      x0 = -w / 2 + t + draw(0.0, 0.25) * w
      x1 = x0 + draw(0.25, 0.55) * w
      top = z + t + draw(0.18, 0.27)
      slot = draw.index(4)
      parts.append(
        box((x0, -d / 2 + draw(0.03, 0.1), z + t), (x1, d / 2 - 0.02, top), "prop", "art", slot)
      )
  return Piece(parts, w, d, [(0.0, 0.0, h, w / 2 - 0.1, d / 2 - 0.08)] if h < 1.4 else [])


def table(draw: draws.Draw) -> Piece:
  """A dining, coffee or round table."""
  family = "wood" if draw.chance(0.75) else "paint"
  low = draw.chance(0.35)
  h = draw(0.36, 0.5) if low else draw(0.68, 0.78)
  if draw.chance(0.3):
    r = draw(0.35, 0.6)
    parts = [
      frustum(0, 0, h - 0.045, h, r, r, "table", family, 0),
      frustum(0, 0, 0.03, h - 0.045, 0.06, 0.06, "table", "metal", 1),
      frustum(0, 0, 0, 0.03, r * 0.6, r * 0.55, "table", "metal", 1),
    ]
    return Piece(parts, 2 * r, 2 * r, [(0.0, 0.0, h, r * 0.6, r * 0.6)])
  w, d = draw(0.8, 1.6), draw(0.55, 0.9)
  parts = [box((-w / 2, -d / 2, h - 0.05), (w / 2, d / 2, h), "table", family, 0)]
  parts += _legs(w, d, h - 0.05, draw(0.05, 0.08), "table", family, 1)
  if draw.chance(0.4):
    parts.append(
      box((-w / 2 + 0.1, -d / 2 + 0.08, 0.14), (w / 2 - 0.1, d / 2 - 0.08, 0.17), "table",
           family, 0)
    )  # fmt: skip
  return Piece(parts, w, d, [(0.0, 0.0, h, w / 2 - 0.12, d / 2 - 0.12)])


def chair(draw: draws.Draw) -> Piece:
  """A chair with seat, legs and back, or an arm chair."""
  if draw.chance(0.3):
    w, d, h = draw(0.7, 0.9), draw(0.7, 0.85), draw(0.38, 0.45)
    return _upholstered(draw, "chair", w, d, h, draw(0.75, 0.95), cushions=1)
  w, d, h = draw(0.4, 0.5), draw(0.4, 0.5), draw(0.43, 0.5)
  back = h + draw(0.4, 0.6)
  family = "wood" if draw.chance(0.6) else "metal"
  seat = "fabric" if draw.chance(0.6) else family
  parts = [
    box((-w / 2, -d / 2, h - 0.06), (w / 2, d / 2, h), "chair", seat, 0),
    box((-w / 2, d / 2 - 0.045, h + 0.1), (w / 2, d / 2, back), "chair", seat, 0),
    box((-w / 2, d / 2 - 0.04, h), (-w / 2 + 0.04, d / 2, h + 0.1), "chair", family, 1),
    box((w / 2 - 0.04, d / 2 - 0.04, h), (w / 2, d / 2, h + 0.1), "chair", family, 1),
  ]
  parts += _legs(w, d, h - 0.06, 0.045, "chair", family, 1)
  return Piece(parts, w, d)


def _upholstered(draw: draws.Draw, label, w, d, h, back, cushions: int) -> Piece:
  """A base, a back, two arms and cushions: an arm chair or a sofa."""
  arm, thick = draw(0.12, 0.2), draw(0.16, 0.24)
  arm_top = h + draw(0.12, 0.22)
  parts = [
    box((-w / 2 + arm, -d / 2, 0.06), (w / 2 - arm, d / 2, h - 0.1), label, "fabric", 0),
    box((-w / 2 + arm, d / 2 - thick, h - 0.1), (w / 2 - arm, d / 2, back), label, "fabric", 0),
    box((-w / 2, -d / 2, 0.06), (-w / 2 + arm, d / 2, arm_top), label, "fabric", 0),
    box((w / 2 - arm, -d / 2, 0.06), (w / 2, d / 2, arm_top), label, "fabric", 0),
  ]
  inner = w - 2 * arm
  for i in range(cushions):
    x0 = -inner / 2 + inner * i / cushions + 0.012
    x1 = -inner / 2 + inner * (i + 1) / cushions - 0.012
    parts.append(
      box((x0, -d / 2 - 0.02, h - 0.1), (x1, d / 2 - thick, h + 0.03), label, "fabric", 1)
    )
  if draw.chance(0.6):
    x = draw(-0.3, 0.3) * inner
    y = d / 2 - thick
    parts.append(
      box((x - 0.2, y - 0.13, h + 0.03), (x + 0.2, y, h + 0.38), label, "fabric", 2)
    )  # fmt: skip
  return Piece(parts, w, d + 0.02)


def sofa(draw: draws.Draw) -> Piece:
  """A sofa of two or three seats."""
  seats = 2 + draw.index(2)
  w, d = 0.5 + seats * draw(0.55, 0.65), draw(0.8, 0.95)
  return _upholstered(draw, "sofa", w, d, draw(0.4, 0.46), draw(0.72, 0.92), cushions=seats)


def bed(draw: draws.Draw) -> Piece:
  """A bed with head board, mattress, blanket and pillows; its head is at the back."""
  w, d, h = draw(0.9, 1.7), draw(1.95, 2.15), draw(0.4, 0.56)
  family = "wood" if draw.chance(0.6) else "fabric"
  fold = draw(0.3, 0.75)
  parts = [
    box((-w / 2, -d / 2, 0.1), (w / 2, d / 2, h - 0.2), "bed", family, 0),
    box((-w / 2, d / 2 - 0.06, 0), (w / 2, d / 2, draw(0.8, 1.15)), "bed", family, 0),
    box((-w / 2 + 0.03, -d / 2 + 0.03, h - 0.2), (w / 2 - 0.03, d / 2 - 0.06, h), "bed",
         "fabric", 1),
    box((-w / 2, -d / 2 - 0.01, h - 0.16), (w / 2, d / 2 - fold, h + 0.05), "bed", "fabric", 2),
  ]  # fmt: skip
  pillows = 2 if w > 1.25 else 1
  for i in range(pillows):
    x = (i - (pillows - 1) / 2) * w / 2
    parts.append(
      box((x - 0.3, d / 2 - 0.5, h), (x + 0.3, d / 2 - 0.12, h + 0.13), "bed", "fabric", 3)
    )
  return Piece(parts, w, d)
