"""Losses of Depth from Videos in the Wild and of DML in numpy, written from their formulas.

Straight loops over nothing but array expressions, float64, no care for speed: what
`geometry/` must equal.
"""

import numpy as np


def matrix(angles):
  """Rotation matrix [..., 3, 3] of angles [..., 3]: entries of the published code, angles negated."""
  sx, sy, sz = np.moveaxis(np.sin(-angles), -1, 0)
  cx, cy, cz = np.moveaxis(np.cos(-angles), -1, 0)
  rows = [
    [cy * cz, cy * sz, -sy],
    [sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy],
    [cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy],
  ]
  return np.stack([np.stack(row, -1) for row in rows], -2)


def transform(depth, angles, translation, intrinsics):
  """(x, y, z, mask) [B, H, W] of depth [B, H, W] moved by angles [B, 3], translation [B, H, W, 3]."""
  _, height, width = depth.shape
  x, y = np.meshgrid(np.arange(width), np.arange(height))
  pixels = np.stack([x, y, np.ones_like(x)], -1).astype(float)
  points = np.einsum("bij,hwj,bhw->bhwi", np.linalg.inv(intrinsics), pixels, depth)
  points = np.einsum("bij,bjk,bhwk->bhwi", intrinsics, matrix(angles), points)
  points += np.einsum("bij,bhwj->bhwi", intrinsics, translation)
  z = points[..., 2]
  x, y = points[..., 0] / z, points[..., 1] / z
  mask = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1) & (z > 0)
  return np.clip(x, 0, width - 1), np.clip(y, 0, height - 1), z, mask


def resample(image, x, y):
  """Bilinear samples [B, H, W, C] of [B, h, w, C]."""
  left, top = np.floor(x).astype(int), np.floor(y).astype(int)
  right, bottom = np.ceil(x).astype(int), np.ceil(y).astype(int)
  b = np.arange(len(image))[:, None, None]
  across, down = (x - left)[..., None], (y - top)[..., None]
  upper = image[b, top, left] * (1 - across) + image[b, top, right] * across
  lower = image[b, bottom, left] * (1 - across) + image[b, bottom, right] * across
  return upper * (1 - down) + lower * down


def pool(values):
  """3 x 3 means without padding: [B, H, W, C] -> [B, H - 2, W - 2, C]."""
  height, width = values.shape[1:3]
  return (
    sum(values[:, i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3)) / 9
  )


def weighted_ssim(x, y, weight, c2=9e-6, epsilon=0.01):
  """(1 - SSIM) / 2 [B, H - 2, W - 2, C] with c1 = infinity, and the mean weight of windows."""
  weight = weight[..., None]
  mean_weight = pool(weight)

  def moment(values):
    return pool(values * (weight + epsilon)) / (mean_weight + epsilon)

  mean_x, mean_y = moment(x), moment(y)
  variance_x, variance_y = moment(x**2) - mean_x**2, moment(y**2) - mean_y**2
  covariance = moment(x * y) - mean_x * mean_y
  ssim = (2 * covariance + c2) / (variance_x + variance_y + c2)
  return np.clip((1 - ssim) / 2, 0, 1), mean_weight


def rgbd(moved, rgb1, depth2, rgb2):
  """{"rgb", "depth", "ssim", "closer", "proximity"} of frame 1 moved into frame 2."""
  x, y, z, mask = moved
  seen_rgb, seen_depth = resample(rgb2, x, y), resample(depth2[..., None], x, y)[..., 0]
  closer = (mask & (z < seen_depth)).astype(float)
  square = (seen_depth - z) ** 2
  moment = (square * closer).sum((1, 2), keepdims=True) / (
    closer.sum((1, 2), keepdims=True) + 1.0
  ) + 1e-4
  proximity = moment / (square + moment) * mask
  distance, mean_weight = weighted_ssim(seen_rgb, rgb1, proximity)
  return {
    "rgb": (np.abs(seen_rgb - rgb1) * closer[..., None]).mean(),
    "depth": (np.abs(seen_depth - z) * closer).mean(),
    "ssim": (distance * mean_weight).mean(),
    "closer": closer,
    "proximity": proximity,
  }


def cycles(moved, mask, angles1, translation1, angles2, translation2, resampled_denominator):
  """(rotation error, translation error), with a matrix at every pixel as published."""
  landed = resample(translation2, moved[0], moved[1])
  shape = (*translation1.shape[:3], 3, 3)
  r1 = np.broadcast_to(matrix(angles1)[:, None, None], shape)
  r2 = np.broadcast_to(matrix(angles2)[:, None, None], shape)
  eye = np.eye(3)

  def size(m):
    return ((m - eye) ** 2).mean((-2, -1))

  rotation = size(r1 @ r2) / (1e-24 + size(r1) + size(r2))
  closed = (r1 @ landed[..., None])[..., 0] + translation1

  def norm(v):
    return (v**2).sum(-1)

  scale = landed if resampled_denominator else translation2
  translation = mask * norm(closed) / (1e-24 + norm(translation1) + norm(scale))
  return rotation.mean(), translation.mean()


def depth_smoothness(depth, image):
  """Of disparity divided by its mean: depth [B, H, W], image [B, H, W, C]."""
  disparity = 1 / depth
  disparity = disparity / disparity.mean((1, 2), keepdims=True)
  total = 0
  for axis in (1, 2):
    edges = np.exp(-np.abs(np.diff(image, axis=axis)).mean(-1))
    total += (np.abs(np.diff(disparity, axis=axis)) * edges).mean()
  return total


def normalize(field, total):
  return field / np.sqrt(3 * (total**2).mean((1, 2, 3), keepdims=True) + 1e-12)


def l1_smoothness(field, wrap_around):
  dx, dy = field - np.roll(field, 1, 1), field - np.roll(field, 1, 2)
  if not wrap_around:
    dx, dy = dx[:, 1:, 1:], dy[:, 1:, 1:]
  return np.sqrt(1e-24 + dx**2 + dy**2).mean()


def sqrt_sparsity(field):
  size = np.abs(field)
  mean = size.mean((1, 2), keepdims=True)
  return (2 * mean * np.sqrt(size / (mean + 1e-24) + 1)).mean()
