"""Colours of what samples of a picture see."""

import dataclasses

import numpy as np

from tf_taskology.datasets.streets import (
  materials,
  raycast,
  scene,
  shadows,
  styles,
  surfaces,
  textures,
)

# Where a surface is seen at less than this cosine, several samples share a pixel.
GRAZING = 0.5

_CHUNK = 1 << 14  # samples at a time: what they need stays in the processor's cache


@dataclasses.dataclass(frozen=True)
class Stage:
  """Everything that colours of one frame depend on.

  Attributes:
    scene, faces, looks, style: of the example.
    placed: the faces at this frame.
    shadow: the shadows on the ground.
    pose: [4, 4] float64 camera to world.
    intrinsics: [3, 3] float64, pixels.
  """

  scene: scene.Scene
  faces: surfaces.Faces
  looks: materials.Materials
  style: styles.Style
  placed: surfaces.Placed
  shadow: shadows.ShadowMap
  pose: np.ndarray
  intrinsics: np.ndarray

  def rays(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """[3, n] float32 world directions, of depth 1, of pixel positions [n] float32."""
    matrix = (self.pose[:3, :3] @ np.linalg.inv(self.intrinsics)).astype(np.float32)
    return np.stack([m[0] * u + (m[1] * v + m[2]) for m in matrix])


def _dot(a, b) -> np.ndarray:
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def grazing(stage: Stage, u, v, part, face) -> np.ndarray:
  """[n] bool: whether pixels see a flat face at a small angle; arguments [n]."""
  index = stage.scene.first_face[np.maximum(part, 0)] + face
  rays = stage.rays(u, v)
  along = _dot(rays, stage.placed.normal.take(index, 1))
  limit = _dot(rays, rays) * np.float32(GRAZING * GRAZING)
  return (part >= 0) & ~stage.faces.curved[index] & (along * along < limit)


def _sky(stage: Stage, rays: np.ndarray) -> np.ndarray:
  style = stage.style
  x, y, z = rays / np.sqrt(_dot(rays, rays))
  height = np.maximum(z, 0.0)
  low, high = style.sky_low[:, None], style.sky_high[:, None]
  colour = low + np.minimum(2.2 * height, 1.0) * (high - low)
  flat = 0.16 / (height + np.float32(0.12))
  number = np.full(z.shape, textures.bank().index["sky"])
  cloud = textures.sample(number, x * flat, y * flat, np.full(z.shape, 0.004, np.float32))[:, 0]
  cloud = np.float32(style.clouds) * cloud * np.minimum(8 * height, 1.0)
  return np.float32(1.15) * (colour + cloud * (np.float32(0.95) - colour))


def _surfaces(stage: Stage, rays, inverse, part, face, density) -> np.ndarray:
  placed, table = stage.placed, stage.faces
  index = stage.scene.first_face[part] + face
  depth = 1.0 / inverse
  points = rays * depth
  rows, normal = placed.rows.take(index, 1), placed.normal.take(index, 1)
  x, y = _dot(rows, points) + rows[3], _dot(rows[4:], points) + rows[7]
  sun, ambient = placed.sun.take(index, 1), placed.ambient.take(index, 1)
  curved = np.flatnonzero(table.curved[index])
  if curved.size:
    bent, x[curved] = surfaces.round_surface(
      stage.scene, table, placed, index[curved], part[curved], points.take(curved, 1)
    )
    normal[:, curved] = bent
    sun[:, curved], ambient[:, curved] = surfaces.light(bent, stage.style)
  flat = np.flatnonzero(placed.on_ground[index])
  if flat.size:
    sun[:, flat] *= stage.shadow.at(*(points[i, flat] + stage.pose[i, 3] for i in (0, 1)))
  length = np.sqrt(_dot(rays, rays))
  cosine = np.abs(_dot(rays, normal)) / length
  across = np.float32(1.0 / stage.intrinsics[0, 0]) * depth
  # One sample of a pixel covers all of it; of four, each covers a quarter of the long side.
  along = across / np.maximum(cosine, np.float32(0.05))
  several = np.maximum(np.float32(0.6) * across, np.float32(0.3) * along)
  footprint = np.where(density > 1, several, np.float32(0.8) * along)
  material = stage.scene.material[index]
  texel = textures.sample(stage.looks.pattern[material], x, y, footprint * table.scale[index])
  dark, bright = np.split(stage.looks.colours.take(material, 1), 2)
  albedo = (dark + texel[:, 0] * (bright - dark)) * texel[:, 1]
  clear = np.exp(length * depth * np.float32(-1.0 / stage.style.haze))
  return albedo * (sun + ambient) * clear + stage.style.sky_low[:, None] * (1.0 - clear)


def colours(stage: Stage, u, v, inverse, part, face, density) -> np.ndarray:
  """Linear RGB of samples.

  Args:
    stage: the frame.
    u, v: [n] float32, pixels.
    inverse, part, face: [n], as `raycast.trace` gives them.
    density: [n] int, samples in the sample's pixel.

  Returns:
    [3, n] float32.
  """
  result = np.empty((3, u.size), np.float32)
  inverse = inverse.astype(np.float32)
  for first in range(0, u.size, _CHUNK):
    rays = stage.rays(u[first : first + _CHUNK], v[first : first + _CHUNK])
    is_sky = part[first : first + _CHUNK] == raycast.SKY
    sky, solid = np.flatnonzero(is_sky), np.flatnonzero(~is_sky)
    if sky.size:
      result[:, first + sky] = _sky(stage, rays.take(sky, 1))
    if solid.size:
      at = first + solid
      result[:, at] = _surfaces(
        stage, rays.take(solid, 1), inverse[at], part[at], face[at], density[at]
      )
  return result
