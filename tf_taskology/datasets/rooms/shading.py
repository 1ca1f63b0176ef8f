"""Materials, lights and camera effects of the two domains.

`simulated`: flat random colours under a head light. `sensor`: textures fixed to the surfaces,
several coloured point lights fixed in the room, then what a cheap camera does to the picture.
"""

import dataclasses
import functools

import numpy as np

from tf_taskology.datasets.rendering import pixels
from tf_taskology.datasets.rooms import furniture, raycast, scene, textures


@dataclasses.dataclass(frozen=True)
class Strength:
  """How far the sensor domain is from the simulated one; 0 switches an effect off.

  Attributes:
    texture: contrast of patterns between a material's two colours, at most 1.
    noise_texture: relative amplitude of the second, finer texture on every surface.
    saturation: of colours, 0 grey, 1 full.
    light_colour: spread of the lights' colours.
    contrast: share of light that comes from lamps and windows and can be shadowed, 0..1.
    colour_cast: largest relative deviation of a channel's gain.
    exposure: spread of the mean brightness, in stops to either side.
    gamma: largest deviation of the tone curve's exponent from 1.
    vignette: largest loss of light in the corners, 0..1.
    blur: largest standard deviation of the blur, pixels for each 64 pixels of width.
    noise: largest standard deviation of the sensor noise, of a full scale of 1.
  """

  texture: float = 0.85
  noise_texture: float = 0.45
  saturation: float = 0.85
  light_colour: float = 0.35
  contrast: float = 0.7
  colour_cast: float = 0.25
  exposure: float = 0.6
  gamma: float = 0.3
  vignette: float = 0.45
  blur: float = 0.6
  noise: float = 0.035


@dataclasses.dataclass(frozen=True)
class Materials:
  """Looks of the M materials of a scene; colours are linear RGB in [0, 1].

  Attributes:
    colour_a, colour_b: [M, 3] float32, where the pattern is 0 and where it is 1.
    pattern, fine: [M] int, textures of `textures.bank`.
    scale, fine_scale: [M] float32, tiles per metre.
    turn: [2, M] float32, cosine and sine of the pattern's rotation.
    offset: [2, M] float32, in tiles.
    amplitude: [M] float32 of the fine texture.
    glow: [M] float32, share of light the surface gives off by itself.
  """

  colour_a: np.ndarray
  colour_b: np.ndarray
  pattern: np.ndarray
  fine: np.ndarray
  scale: np.ndarray
  fine_scale: np.ndarray
  turn: np.ndarray
  offset: np.ndarray
  amplitude: np.ndarray
  glow: np.ndarray


# family -> (patterns, metres of one tile, hue range, saturation range, value range). Patterns
# whose direction matters (wood, planks, bricks) are not rotated on furniture and walls.
_LOOKS = {
  "wall": (("cloud", "stripes", "bricks", "mottle", "blobs", "plaid", "bands", "dots"),
           (0.8, 2.5), (0.0, 1.0), (0.05, 0.45), (0.45, 0.95)),
  "floor": (("planks", "parquet", "tiles", "checker", "mottle", "marble"),
            (0.8, 2.4), (0.02, 0.15), (0.15, 0.6), (0.2, 0.75)),
  "ceiling": (("cloud", "mottle", "planks"), (1.0, 2.5), (0.0, 1.0), (0.0, 0.12), (0.7, 0.98)),
  "rug": (("plaid", "bands", "blobs", "rings", "checker", "dots"),
          (0.6, 1.6), (0.0, 1.0), (0.3, 0.9), (0.2, 0.8)),
  "wood": (("grain", "grain", "planks", "rings"), (0.4, 1.2), (0.03, 0.12), (0.35, 0.8), (0.15, 0.7)),
  "paint": (("cloud", "mottle", "marble", "bands"), (0.4, 1.2), (0.0, 1.0), (0.05, 0.8), (0.3, 0.95)),
  "fabric": (("plaid", "stripes", "mottle", "dots", "blobs", "speckle", "checker"),
             (0.3, 1.0), (0.0, 1.0), (0.15, 0.9), (0.2, 0.85)),
  "metal": (("speckle", "mottle"), (0.3, 0.6), (0.5, 0.7), (0.0, 0.15), (0.15, 0.6)),
  "leaf": (("speckle", "blobs", "mottle"), (0.2, 0.5), (0.2, 0.4), (0.5, 0.95), (0.15, 0.5)),
  "art": (("art_a", "art_b", "art_c", "spines_a", "spines_b"), (0.4, 1.0), (0.0, 1.0), (0.4, 1.0),
          (0.2, 0.95)),
  "glow": (("cloud",), (0.5, 1.0), (0.08, 0.16), (0.1, 0.35), (0.9, 1.0)),
  "sky": (("cloud", "art_a", "art_c"), (1.2, 3.0), (0.5, 0.62), (0.1, 0.4), (0.7, 1.0)),
}  # fmt: skip
_FINE = ("mottle", "speckle", "cloud", "grain")


@dataclasses.dataclass(frozen=True)
class _Tables:
  patterns: np.ndarray  # [families, 8] texture numbers, short lists repeated
  tile: np.ndarray  # [families, 2]
  hue: np.ndarray
  saturation: np.ndarray
  value: np.ndarray


@functools.cache
def _tables() -> _Tables:
  index = textures.bank().index
  looks = [_LOOKS[name] for name in furniture.FAMILIES]
  # 840 is divisible by every list's length, so that repeating keeps the odds equal.
  patterns = np.array([[index[look[0][i % len(look[0])]] for i in range(840)] for look in looks])
  return _Tables(patterns, *(np.array([look[i] for look in looks]) for i in range(1, 5)))


def _within(ranges: np.ndarray, draws: np.ndarray) -> np.ndarray:
  return ranges[:, 0] + (ranges[:, 1] - ranges[:, 0]) * draws


def sample_materials(
  room: scene.Scene, generator: np.random.Generator, strength: Strength
) -> Materials:
  """Draws the sensor domain's materials for a scene."""
  tables, index = _tables(), textures.bank().index
  m = room.materials
  family = np.zeros(m, int)
  family[room.material] = room.family
  draws = generator.random((16, m))
  # The four walls share their look, but for one accent wall in a third of the rooms.
  shared = np.array([0, 0, 0, 0])
  if generator.random() < 0.35:
    shared[generator.integers(4)] = 4  # any other column: its draws are independent
  draws[:, :4] = draws[:, shared]
  hue = _within(tables.hue[family], draws[0])
  saturation = _within(tables.saturation[family], draws[1]) * strength.saturation
  value = _within(tables.value[family], draws[2])
  colour_a = pixels.hsv_to_rgb(hue, saturation, value) ** 2.2
  near = draws[3] < 0.6  # a second colour close to the first, or any
  hue_b = np.where(
    near, (hue + 0.12 * (draws[4] - 0.5)) % 1.0, _within(tables.hue[family], draws[4])
  )
  value_b = np.clip(value * (0.35 + 1.1 * draws[5]), 0.08, 1.0)
  colour_b = pixels.hsv_to_rgb(hue_b, saturation * (0.5 + 0.5 * draws[6]), value_b) ** 2.2
  colour_b = colour_a + strength.texture * (colour_b - colour_a)
  names = np.array(furniture.FAMILIES)[family]
  turned = np.isin(names, ("floor", "rug", "fabric", "art"))
  angle = np.where(turned, (draws[7] * 4).astype(int) * np.pi / 2, 0.0)
  fine = np.array([index[name] for name in _FINE])[(draws[8] * len(_FINE)).astype(int)]
  as_float = np.float32
  return Materials(
    colour_a=colour_a.astype(as_float),
    colour_b=colour_b.astype(as_float),
    pattern=tables.patterns[family, (draws[9] * 840).astype(int)],
    fine=fine,
    scale=(1.0 / _within(tables.tile[family], draws[10])).astype(as_float),
    fine_scale=(1.0 / (0.6 + 1.6 * draws[11])).astype(as_float),
    turn=np.stack([np.cos(angle), np.sin(angle)]).astype(as_float),
    offset=draws[12:14].astype(as_float),
    amplitude=(strength.noise_texture * (0.4 + 0.6 * draws[14])).astype(as_float),
    glow=np.where(names == "glow", 0.9, np.where(names == "sky", 0.85, 0.0)).astype(as_float),
  )


def albedo(materials: Materials, material, u, v, footprint) -> np.ndarray:
  """Colour of surface points.

  Args:
    materials: of the scene.
    material: [n] int.
    u, v: [n] float32 texture coordinates, metres.
    footprint: [n] float32, width a sample covers on the surface, metres.

  Returns:
    [3, n] float32 linear RGB.
  """
  c, s = materials.turn[:, material]
  offset = materials.offset[:, material]
  scale = materials.scale[material]
  x, y = (c * u - s * v) * scale + offset[0], (s * u + c * v) * scale + offset[1]
  mix = textures.sample(materials.pattern[material], x, y, footprint * scale)
  fine_scale = materials.fine_scale[material]
  fine = textures.sample(
    materials.fine[material], u * fine_scale + offset[1], v * fine_scale + offset[0],
    footprint * fine_scale,
  )  # fmt: skip
  gain = 1.0 + materials.amplitude[material] * (2.0 * fine - 1.0)
  a, b = materials.colour_a.T[:, material], materials.colour_b.T[:, material]
  return (a + (b - a) * mix) * gain


@dataclasses.dataclass(frozen=True)
class Lights:
  """Point lights; brightness falls with the square of the distance beyond about a metre.

  Attributes:
    position: [L, 3] float64, world frame, metres.
    colour: [L, 3] float32.
    ambient: [3] float32, light from everywhere.
  """

  position: np.ndarray
  colour: np.ndarray
  ambient: np.ndarray


def sample_lights(room: scene.Scene, generator: np.random.Generator, strength: Strength) -> Lights:
  """Draws two or three lights among the scene's lamps and windows."""
  order = generator.permutation(len(room.glows))[: generator.integers(2, 4)]
  position, window = room.glows[order], room.glow_is_window[order]
  count = len(order)
  draws = generator.random((count, 3))
  warm = np.where(window, -1.0, 1.0) * strength.light_colour * draws[:, 0]
  tint = np.stack(
    [1.0 + warm, 1.0 + 0.5 * strength.light_colour * (draws[:, 1] - 0.5), 1.0 - warm], 1
  )
  power = np.where(window, 2.0, 1.3) * (0.5 + draws[:, 2])
  ambient = 1.0 - strength.contrast
  cool = 1.0 + 0.3 * strength.light_colour * (generator.random(3) - 0.5)
  return Lights(
    position,
    (tint * power[:, None] * strength.contrast).astype(np.float32),
    (ambient * cool).astype(np.float32),
  )


def irradiance(lights: Lights, points, normals, visible) -> np.ndarray:
  """Light that arrives at surface points (Lambert's law: independent of the view).

  Args:
    lights: L lights.
    points, normals: [3, n] float32, world frame.
    visible: [L, n] float32 in [0, 1], share of each light that reaches the point.

  Returns:
    [3, n] float32.
  """
  # Upward faces receive more of the ambient light than downward ones.
  total = lights.ambient[:, None] * (0.8 + 0.2 * normals[2])
  for number, position in enumerate(lights.position):
    to = position.astype(np.float32)[:, None] - points
    square = to[0] * to[0] + to[1] * to[1] + to[2] * to[2]
    facing = to[0] * normals[0] + to[1] * normals[1] + to[2] * normals[2]
    facing = np.maximum(facing, 0.0) / np.sqrt(square)
    weight = visible[number] * facing / (0.35 + 0.3 * square)
    total = total + lights.colour[number][:, None] * weight
  return total


def visibility(room: scene.Scene, lights: Lights, points, normals) -> np.ndarray:
  """[L, n] bool: which lights reach which points; False on sides that face away.

  Args:
    room: the scene.
    lights: L lights.
    points, normals: [3, n], world frame.
  """
  to = lights.position.astype(points.dtype)[:, :, None] - points
  front = (to * normals).sum(1) > 0
  light, point = np.nonzero(front)
  bundles = np.searchsorted(light, np.arange(len(front) + 1))
  front[light, point] = raycast.lit(room, lights.position, bundles, points.take(point, 1))
  return front


def head_light(colours: np.ndarray, cosine: np.ndarray) -> np.ndarray:
  """The simulated domain's shading: [3, n] colours under a light at the camera."""
  return colours * (0.3 + 0.7 * cosine)


def sample_flat_colours(room: scene.Scene, generator: np.random.Generator) -> np.ndarray:
  """[M, 3] float32 random display colours, one for each material of the simulated domain."""
  draws = generator.random((3, room.materials))
  return pixels.hsv_to_rgb(draws[0], 0.9 * draws[1], 0.25 + 0.75 * draws[2]).astype(np.float32)
