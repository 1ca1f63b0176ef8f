"""A scene with closed-form depth, normals and colours: planes, with or without a sphere."""

import numpy as np

# Normals n and offsets d of planes n . X = d in world coordinates (metres), facing the cameras near
# the origin.
_PLANES = (
  (np.array([0.1, 0.0, -1.0]), -3.0),
  (np.array([0.0, -1.0, -0.05]), -1.0),
  (np.array([-1.0, 0.05, -0.2]), -1.5),
)
_CENTRE = np.array([-0.3, 0.1, 2.0])
_RADIUS = 0.5


def intrinsics(height, width):
  """[3, 3] float64, with the principal point off the centre."""
  return np.array([[0.8 * width, 0, 0.47 * width], [0, 0.85 * width, 0.52 * height], [0, 0, 1]])


def pose(translation=(0.0, 0.0, 0.0), yaw=0.0, pitch=0.0):
  """Camera to world, [4, 4] float64; angles in radians."""
  cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
  result = np.eye(4)
  result[:3, :3] = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array(
    [[1, 0, 0], [0, cp, -sp], [0, sp, cp]]
  )
  result[:3, 3] = translation
  return result


def render(height, width, camera_to_world, sphere=True):
  """What a camera sees, all float64.

  Returns:
    depth [height, width, 1] metres, normals [height, width, 3] in the camera frame, image [height,
    width, 3] in 0..255 (a smooth function of the point in the world), surface [height, width]
    number of the surface.
  """
  x, y = np.meshgrid(np.arange(width), np.arange(height))
  pixels = np.stack([x, y, np.ones_like(x)], axis=-1).astype(float)
  rays = pixels @ np.linalg.inv(intrinsics(height, width)).T
  rotation, origin = camera_to_world[:3, :3], camera_to_world[:3, 3]
  directions = rays @ rotation.T
  depths, normals = [], []
  for normal, offset in _PLANES:
    length = np.linalg.norm(normal)
    normal, offset = normal / length, offset / length
    z = (offset - origin @ normal) / (directions @ normal)
    depths.append(np.where(z > 0, z, np.inf))
    normals.append(np.broadcast_to(normal, rays.shape))
  if sphere:
    to_centre = origin - _CENTRE
    a = (directions**2).sum(-1)
    b = directions @ to_centre
    root = b**2 - a * (to_centre @ to_centre - _RADIUS**2)
    z = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    depths.append(z)
    points = origin + np.where(root > 0, z, 0)[..., None] * directions
    normals.append((points - _CENTRE) / _RADIUS)
  surface = np.argmin(depths, axis=0)
  depth = np.min(depths, axis=0)
  normal = np.take_along_axis(np.stack(normals), surface[None, ..., None], axis=0)[0]
  points = origin + depth[..., None] * directions
  phases = points @ np.array([[2.0, 1.0, -1.5], [1.0, -2.5, 1.0], [1.5, 1.0, 2.0]])
  image = 127.5 + 80 * np.sin(phases)
  return depth[..., None], normal @ rotation, image, surface


def two_views(height, width, stride=1, sphere=False, dtype=np.float32):
  """A batch of one sample with two frames.

  Returns:
    inputs {"image", "intrinsics", "pose"}, images of height * stride x width * stride pixels.
    truth {"depth", "normals"} at height x width, as consistency losses take them.
  """
  poses = [pose(), pose((0.12, -0.05, 0.08), yaw=0.03, pitch=-0.02)]
  depth, normals, image, _ = zip(
    *(render(height * stride, width * stride, p, sphere) for p in poses), strict=True
  )
  matrix = intrinsics(height * stride, width * stride)
  inputs = {"image": image, "intrinsics": [matrix, matrix], "pose": poses}
  truth = {"depth": depth, "normals": normals}
  inputs = {name: np.stack(value)[None].astype(dtype) for name, value in inputs.items()}
  truth = {
    name: np.stack(value)[None, :, ::stride, ::stride].astype(dtype)
    for name, value in truth.items()
  }
  return inputs, truth
