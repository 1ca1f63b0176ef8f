"""Colours of what samples of a picture see."""

import dataclasses

import numpy as np

from tf_taskology.datasets.streets import materials, raycast, scene, shadows, styles, surfaces, textures

# Where a surface is seen at less than this cosine, several samples share a pixel.
GRAZING = 0.6


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
    """[n, 3] float32 world directions, of depth 1, of pixel positions [n]."""
    matrix = (self.pose[:3, :3] @ np.linalg.inv(self.intrinsics)).astype(np.float32)
    u, v = u.astype(np.float32), v.astype(np.float32)
    return np.stack([m[0] * u + (m[1] * v + m[2]) for m in matrix], 1)


def grazing(stage: Stage, u, v, part, face) -> np.ndarray:
  """[n] bool: whether pixels see a flat face at a small angle; arguments [n]."""
  index = stage.scene.first_face[np.maximum(part, 0)] + face
  rays = stage.rays(u, v)
  normal = stage.placed.normal[index]
  along = (rays * normal).sum(1)
  square = (rays * rays).sum(1) * (GRAZING * GRAZING)
  return (part >= 0) & ~stage.faces.curved[index] & (along * along < square)


def _sky(stage: Stage, rays: np.ndarray) -> np.ndarray:
  style = stage.style
  unit = rays / np.sqrt((rays * rays).sum(1, keepdims=True))
  height = np.maximum(unit[:, 2], 0.0)
  share = np.minimum(2.2 * height, 1.0)[:, None]
  colour = style.sky_low + share * (style.sky_high - style.sky_low)
  flat = 0.16 / (height + np.float32(0.12))
  number = np.full(len(rays), textures.bank().index["sky"])
  footprint = np.full(len(rays), 0.004, np.float32)
  cloud = textures.sample(number, unit[:, 0] * flat, unit[:, 1] * flat, footprint)[:, 0]
  cloud = (np.float32(style.clouds) * cloud * np.minimum(8 * height, 1.0))[:, None]
  return 1.15 * (colour + cloud * (np.float32(0.95) - colour))


def _surfaces(stage: Stage, rays, inverse, part, face, density) -> np.ndarray:
  placed, table = stage.placed, stage.faces
  index = stage.scene.first_face[part] + face
  points = rays / inverse[:, None]
  rows, normal = placed.rows[index], placed.normal[index]
  x = (rows[:, :3] * points).sum(1) + rows[:, 3]
  y = (rows[:, 4:7] * points).sum(1) + rows[:, 7]
  sun, ambient = placed.sun[index], placed.ambient[index]
  curved = np.flatnonzero(table.curved[index])
  if curved.size:
    normal[curved], x[curved] = surfaces.round_surface(
      stage.scene, table, placed, index[curved], part[curved], points[curved]
    )
    sun[curved], ambient[curved] = surfaces.light(normal[curved], stage.style)
  flat = np.flatnonzero(placed.on_ground[index])
  if flat.size:
    place = points[flat].astype(np.float64) + stage.pose[:3, 3]
    sun[flat] *= stage.shadow.at(place[:, 0], place[:, 1])[:, None]
  length = np.sqrt((rays * rays).sum(1))
  cosine = np.abs((rays * normal).sum(1)) / length
  across = np.float32(1.0 / stage.intrinsics[0, 0]) / inverse
  # One sample of a pixel covers all of it; of four, each covers a quarter of the long side.
  along = across / np.maximum(cosine, 0.05)
  footprint = np.where(density > 1, np.maximum(0.6 * across, 0.3 * along), 0.8 * along)
  material = stage.scene.material[index]
  texel = textures.sample(stage.looks.pattern[material], x, y, footprint * table.scale[index])
  colours = stage.looks.colours[material]
  albedo = (colours[:, :3] + texel[:, :1] * (colours[:, 3:] - colours[:, :3])) * texel[:, 1:]
  clear = np.exp(-length / inverse * np.float32(1.0 / stage.style.haze))[:, None]
  return albedo * (sun + ambient) * clear + stage.style.sky_low * (1.0 - clear)


def colours(stage: Stage, u, v, inverse, part, face, density) -> np.ndarray:
  """Linear RGB of samples.

  Args:
    stage: the frame.
    u, v: [n] float32, pixels.
    inverse, part, face: [n], as `raycast.trace` gives them.
    density: [n] int, samples in the sample's pixel.

  Returns:
    [n, 3] float32.
  """
  rays = stage.rays(u, v)
  result = np.empty_like(rays)
  sky = part == raycast.SKY
  result[sky] = _sky(stage, rays[sky])
  solid = np.flatnonzero(~sky)
  result[solid] = _surfaces(
    stage, rays[solid], inverse[solid].astype(np.float32), part[solid], face[solid], density[solid]
  )
  return result
