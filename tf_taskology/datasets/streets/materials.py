"""What the faces of a street's things look like."""

import dataclasses

import numpy as np

from tf_taskology.datasets.rendering import pixels
from tf_taskology.datasets.streets import textures

_ANY = (0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Look:
  """How the materials of one family are drawn.

  Attributes:
    patterns: textures to choose from.
    tile: (lowest, highest) size of a texture's tile, metres; 0: the tile spans the face once.
    hue, saturation, value: ranges of the main colour (mix 1), 0..1.
    second: (value range) of the other colour (mix 0), times the main one's value.
    fixed: RGB of the other colour where it does not follow the main one, display values.
  """

  patterns: tuple[str, ...]
  tile: tuple[float, float]
  hue: tuple[float, float] = _ANY
  saturation: tuple[float, float] = (0.0, 0.1)
  value: tuple[float, float] = (0.3, 0.7)
  second: tuple[float, float] = (0.6, 1.0)
  fixed: tuple[float, float, float] | None = None


_GLASS = (0.1, 0.13, 0.17)
_WARM = (0.02, 0.13)
LOOKS = {
  "asphalt": Look(("asphalt",), (5.0, 8.0), (0.55, 0.7), (0, 0.08), (0.32, 0.45), (0.75, 0.9)),
  "paving": Look(("paving",), (2.4, 4.0), _WARM, (0.02, 0.15), (0.55, 0.7), (0.6, 0.8)),
  "slabs": Look(("slabs",), (2.4, 4.8), (0.05, 0.6), (0, 0.08), (0.55, 0.72), (0.6, 0.85)),
  "curb": Look(("concrete",), (2.0, 4.0), _WARM, (0, 0.06), (0.6, 0.75)),
  "grass": Look(("grass",), (2.0, 4.0), (0.2, 0.32), (0.4, 0.7), (0.35, 0.55), (0.6, 0.9)),
  "paint_line": Look(("plain",), (2.0, 3.0), _ANY, (0, 0.04), (0.82, 0.95), (0.85, 1.0)),
  "dashes": Look(("dashes",), (6.0, 9.0), _ANY, (0, 0.04), (0.85, 0.95), fixed=(0.38, 0.38, 0.4)),
  "zebra": Look(("zebra",), (3.6, 4.4), _ANY, (0, 0.04), (0.85, 0.95), fixed=(0.38, 0.38, 0.4)),
  "far_leaf": Look(("leaf",), (14.0, 20.0), (0.22, 0.35), (0.3, 0.5), (0.3, 0.45), (0.5, 0.8)),
  "windows_plaster": Look(("windows_plaster",), (11.0, 12.8), (0.0, 0.17), (0.05, 0.5),
                          (0.55, 0.95), fixed=_GLASS),
  "windows_brick": Look(("windows_brick",), (11.0, 12.8), (0.0, 0.07), (0.35, 0.65), (0.35, 0.7),
                        fixed=_GLASS),
  "windows_wide": Look(("windows_wide",), (11.0, 12.8), _ANY, (0.0, 0.25), (0.45, 0.85),
                       fixed=_GLASS),
  "shop": Look(("shop",), (6.0, 9.0), _ANY, (0.1, 0.6), (0.25, 0.7), fixed=(0.16, 0.17, 0.2)),
  "awning": Look(("awning", "plain"), (2.0, 3.0), _ANY, (0.4, 0.8), (0.5, 0.9), (1.0, 1.9)),
  "sign_board": Look(("letters",), (2.0, 5.0), _ANY, (0.1, 0.8), (0.5, 0.95), (0.1, 0.5)),
  "door": Look(("door",), (0.0, 0.0), _ANY, (0.3, 0.7), (0.2, 0.55), (0.4, 0.8)),
  "roof": Look(("shingles",), (3.0, 4.5), (0.0, 0.08), (0.25, 0.65), (0.3, 0.6), (0.5, 0.8)),
  "gable": Look(("planks", "plain", "bricks"), (2.0, 3.0), (0.0, 0.12), (0.1, 0.5), (0.4, 0.85)),
  "brick": Look(("bricks",), (1.6, 2.4), (0.0, 0.06), (0.4, 0.65), (0.35, 0.6)),
  "brick_wall": Look(("bricks", "concrete"), (1.8, 2.6), (0.0, 0.1), (0.1, 0.6), (0.4, 0.75)),
  "concrete": Look(("concrete",), (2.0, 4.0), _WARM, (0, 0.1), (0.55, 0.8)),
  "planks": Look(("planks",), (1.4, 2.2), (0.04, 0.12), (0.15, 0.6), (0.35, 0.75), (0.4, 0.7)),
  "bark": Look(("bark",), (0.5, 0.9), (0.05, 0.1), (0.2, 0.45), (0.25, 0.4)),
  "leaf": Look(("leaf",), (1.6, 2.8), (0.18, 0.36), (0.45, 0.75), (0.35, 0.6), (0.35, 0.6)),
  "metal": Look(("plain",), (0.5, 1.0), (0.5, 0.65), (0, 0.1), (0.35, 0.6)),
  "bollard": Look(("stripes", "plain"), (0.8, 1.2), (0.0, 0.15), (0.1, 0.7), (0.4, 0.85), (0.2, 0.5)),
  "sign_round": Look(("target",), (0.0, 0.0), (0.98, 1.0), (0.8, 0.9), (0.7, 0.85),
                     fixed=(0.92, 0.92, 0.9)),
  "sign_blue": Look(("arrow",), (0.0, 0.0), _ANY, (0, 0.03), (0.9, 1.0), fixed=(0.05, 0.25, 0.7)),
  "sign_yellow": Look(("letters",), (0.0, 0.0), _ANY, (0, 0.1), (0.05, 0.15),
                      fixed=(0.95, 0.8, 0.1)),
  "sign_back": Look(("plain",), (0.5, 1.0), _ANY, (0, 0.05), (0.45, 0.6)),
  "paint": Look(("plain",), (1.5, 3.0), _ANY, (0.0, 0.8), (0.12, 0.9), (0.85, 1.0)),
  "van_paint": Look(("plain",), (1.5, 3.0), _ANY, (0.0, 0.5), (0.6, 0.95), (0.85, 1.0)),
  "cargo": Look(("letters", "plain", "awning"), (2.5, 5.0), _ANY, (0.0, 0.6), (0.3, 0.95), (0.3, 1.2)),
  "glass": Look(("plain",), (1.5, 2.5), (0.55, 0.65), (0.1, 0.3), (0.16, 0.3), (0.5, 0.9)),
  "dark": Look(("plain",), (1.0, 1.5), _ANY, (0, 0.05), (0.06, 0.12)),
  "tyre": Look(("plain",), (0.5, 0.8), _ANY, (0, 0.05), (0.1, 0.16)),
  "rim": Look(("rim",), (0.0, 0.0), _ANY, (0, 0.05), (0.6, 0.8), fixed=(0.12, 0.12, 0.12)),
  "headlight": Look(("plain",), (0.5, 0.8), _WARM, (0, 0.08), (0.9, 1.0)),
  "taillight": Look(("plain",), (0.5, 0.8), (0.98, 1.0), (0.85, 0.95), (0.65, 0.85)),
  "plate": Look(("letters",), (0.5, 0.6), _WARM, (0, 0.1), (0.1, 0.2), fixed=(0.92, 0.9, 0.8)),
  "bike": Look(("plain",), (0.5, 0.8), _ANY, (0.2, 0.9), (0.15, 0.7)),
  "cloth": Look(("cloth", "cloth", "stripes", "check"), (0.5, 1.0), _ANY, (0.1, 0.9), (0.15, 0.95), (0.4, 1.0)),
  "trousers": Look(("cloth",), (0.5, 0.9), (0.05, 0.7), (0.05, 0.5), (0.12, 0.5), (0.7, 0.95)),
  "skin": Look(("plain",), (0.3, 0.5), (0.04, 0.08), (0.3, 0.6), (0.4, 0.92), (0.9, 1.0)),
  "hair": Look(("bark",), (0.3, 0.5), (0.03, 0.12), (0.2, 0.7), (0.08, 0.6), (0.5, 0.9)),
  "shoe": Look(("plain",), (0.3, 0.5), _ANY, (0, 0.4), (0.08, 0.7)),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Materials:
  """Looks of the M materials of a scene.

  Attributes:
    pattern: [M] int, texture of `textures.bank`.
    tile: [M] float64, metres; 0 where the tile spans the face once.
    offset: [M, 2] float64, in tiles.
    colours: [6, M] float32, linear RGB where the pattern's mix is 0, and where it is 1.
  """

  pattern: np.ndarray
  tile: np.ndarray
  offset: np.ndarray
  colours: np.ndarray


# Patterns that begin at the lower left corner of their face.
_ANCHORED = ("windows_plaster", "windows_brick", "windows_wide", "shop", "door", "planks")


def sample_materials(families: list[str], generator: np.random.Generator, style) -> Materials:
  """Draws a material for each entry of `families`; `style` is a `styles.Style`."""
  looks = [LOOKS[name] for name in families]
  draws = generator.random((10, len(looks)))
  index = textures.bank().index
  pick = lambda options, draw: options[int(draw * len(options))]
  pattern = np.array([index[pick(k.patterns, d)] for k, d in zip(looks, draws[0], strict=True)])

  def within(field: str, row: int) -> np.ndarray:
    low, high = np.array([getattr(look, field) for look in looks]).T
    return low + (high - low) * draws[row]

  # Squared: most cars and clothes are nearer to grey than to pure colours.
  draws[3] = draws[3] ** 1.5
  hue, saturation, value = within("hue", 2), within("saturation", 3), within("value", 4)
  hue = (hue + style.hue_shift) % 1.0
  saturation = np.clip(saturation * style.saturation, 0.0, 1.0)
  main = pixels.hsv_to_rgb(hue, saturation, value) ** 2.2
  other = main * within("second", 5)[:, None] ** 2.2
  for i, look in enumerate(looks):
    if look.fixed is not None:
      other[i] = np.array(look.fixed) ** 2.2
  free = np.array([name not in _ANCHORED for name in families])
  spans = np.array([look.tile[1] == 0.0 for look in looks])
  return Materials(
    pattern=pattern,
    tile=within("tile", 1),
    offset=np.where(free & ~spans, draws[6:8], 0.0).T,
    colours=np.concatenate([other, main], 1).T.astype(np.float32),
  )
