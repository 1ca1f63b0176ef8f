"""The part of a check that looks at intrinsics and poses, and whether depth agrees with them."""

import numpy as np

from tf_taskology.datasets import rgbd_check_images, rgbd_files, rgbd_geometry

_FIELD_OF_VIEW = (20.0, 140.0)  # degrees
_MAX_PAIRS = 6
_GRID = 60  # rows of depth that are reprojected, about


def check(recording, color_size, depth_size, findings) -> list[tuple[str, str]]:
  """Adds to `findings`; returns (name, value) for the summary."""
  summary = []
  camera = recording.intrinsics
  if camera is None:
    findings.error(
      f"no intrinsics: looked for {recording.intrinsics_file!r} (fx fy cx cy, or a 3x3 or 4x4 matrix); or give them with "
      "rgbd_folder.RgbdFolder.intrinsics = (fx, fy, cx, cy)"
    )
  elif color_size:
    summary.append(_check_intrinsics(camera, color_size, "colour", findings))
    if recording.depth_intrinsics is not None and depth_size:
      _check_intrinsics(recording.depth_intrinsics, depth_size, "depth", findings)
  summary += _check_poses(recording, color_size, depth_size, findings)
  return summary


def _check_intrinsics(camera, size, kind, findings):
  height, width = size
  fx, fy, cx, cy = camera[0, 0], camera[1, 1], camera[0, 2], camera[1, 2]
  value = f"fx {fx:.1f}, fy {fy:.1f}, cx {cx:.1f}, cy {cy:.1f}"
  if not _is_camera(camera):
    findings.error(f"{kind} intrinsics are no camera's: {value}")
    return (f"{kind} camera", value)
  if not np.allclose(camera[2], (0, 0, 1)) or abs(camera[1, 0]) > 1e-6:
    findings.error(
      f"{kind} intrinsics must be upper triangular with the last row 0 0 1: {camera.tolist()}"
    )
  if abs(camera[0, 1]) > 1e-3 * fx:
    findings.warning(
      f"{kind} intrinsics have a skew of {camera[0, 1]:.3g}, which depth look-up ignores"
    )
  other = f"they look like those of images of about {2 * cx:.0f}x{2 * cy:.0f}"
  if not (0 <= cx < width and 0 <= cy < height):
    findings.error(
      f"the principal point ({cx:.1f}, {cy:.1f}) is outside of {kind} images {width}x{height}; {other}"
    )
  elif abs(cx / width - 0.5) > 0.15 or abs(cy / height - 0.5) > 0.15:
    findings.warning(
      f"the principal point ({cx:.1f}, {cy:.1f}) is far from the middle of {kind} images {width}x{height}; {other}"
    )
  angle = np.degrees(2 * np.arctan(width / 2 / fx))
  if not _FIELD_OF_VIEW[0] <= angle <= _FIELD_OF_VIEW[1]:
    findings.error(
      f"fx {fx:.1f} means a field of view of {angle:.1f} degrees across {width} pixels of {kind}; {other}"
    )
  if abs(fx / fy - 1) > 0.1:
    findings.warning(
      f"fx {fx:.1f} and fy {fy:.1f} of {kind} differ by more than a tenth: pixels are rarely that oblong"
    )
  return (f"{kind} camera", f"{value}; {angle:.0f} degrees across")


def _is_camera(camera):
  return bool(np.all(np.isfinite(camera)) and camera[0, 0] > 0 and camera[1, 1] > 0)


def _check_poses(recording, color_size, depth_size, findings):
  frames = recording.frames
  posed = [frame for frame in frames if frame.pose is not None]
  if not posed:
    findings.note(
      "no poses: losses between two frames that need camera motion cannot use this folder"
    )
    return []
  if len(posed) < len(frames):
    findings.warning(
      "frames without a pose", [f.color for f in frames if f.pose is None], len(frames)
    )
  unknown = [frame.color for frame in posed if not np.all(np.isfinite(frame.pose))]
  if unknown:
    findings.warning(
      "poses that are NaN, infinite or unreadable; these frames are left out", unknown, len(frames)
    )
  valid = [frame for frame in posed if rgbd_files.is_pose(frame.pose)]
  broken = [
    f.color for f in posed if np.all(np.isfinite(f.pose)) and not rgbd_files.is_pose(f.pose)
  ]
  if broken:
    findings.error(
      "poses that are not rigid (rotation not orthonormal, or last row not 0 0 0 1)",
      broken,
      len(frames),
    )
  if len(valid) < 2:
    return [("poses", f"{len(valid)} valid")]
  steps = np.linalg.norm(np.diff([frame.pose[:3, 3] for frame in valid], axis=0), axis=1)
  jumps = np.flatnonzero(steps > max(0.5, 20 * np.median(steps)))
  if jumps.size:
    findings.warning(
      f"the camera jumps (farthest {steps.max():.2f} m) before",
      [valid[i + 1].color for i in jumps],
      len(frames),
    )
  if not steps.any():
    findings.warning("all poses are the same")
  summary = [
    (
      "poses",
      f"{len(valid)} valid, median step {np.median(steps) * 1000:.1f} mm, path {steps.sum():.2f} m",
    )
  ]
  if recording.intrinsics is not None and color_size and depth_size:
    summary += _check_agreement(recording, valid, color_size, depth_size, findings)
  return summary


def _check_agreement(recording, valid, color_size, depth_size, findings):
  """Carries depth from one frame to a later one: a small error says that poses, units and intrinsics agree."""
  camera = recording.depth_intrinsics
  if camera is None:
    camera = rgbd_geometry.scaled_intrinsics(recording.intrinsics, color_size, depth_size)
  if not _is_camera(camera):
    return []
  with_depth = [frame for frame in valid if frame.depth]
  step = max(1, min(20, len(with_depth) // 4))
  starts = np.unique(np.linspace(0, len(with_depth) - step - 1, _MAX_PAIRS).astype(int))
  given, inverted = [], []
  for start in starts[starts >= 0]:
    first, second = with_depth[start], with_depth[start + step]
    depths = [rgbd_check_images.load(frame.depth)[0] for frame in (first, second)]
    if any(depth is None or depth.shape != depth_size for depth in depths):
      continue
    depths = [np.where(depth < 65535, depth, 0) / recording.depth_scale for depth in depths]
    motion = np.linalg.inv(second.pose) @ first.pose
    given.append(_reprojection_error(*depths, camera, motion))
    motion = second.pose @ np.linalg.inv(first.pose)
    inverted.append(_reprojection_error(*depths, camera, motion))
  if not given:
    return []
  if np.all(np.isnan(given)):
    findings.note(f"frames {step} apart see nothing in common, if poses and intrinsics are right")
    return []
  error = float(np.nanmedian(given))
  other = float(np.nanmedian(inverted)) if not np.all(np.isnan(inverted)) else np.inf
  if error > 0.03 and other < error / 2:
    findings.error(
      f"depth carried by the poses is off by {error:.1%}, by their inverses {other:.1%}: they look like world-to-camera; "
      "camera-to-world is expected"
    )
  elif error > 0.05:
    findings.warning(
      f"depth carried from frame to frame by the poses is off by {error:.1%}: poses, depth units or intrinsics disagree"
    )
  return [("depth against poses", f"{error:.2%} median difference, {step} frames apart")]


def _reprojection_error(depth, target, camera, motion):
  """Median relative difference of depth carried to the target's frame; NaN where nothing overlaps."""
  spacing = max(1, depth.shape[0] // _GRID)
  rows, columns = np.mgrid[: depth.shape[0] : spacing, : depth.shape[1] : spacing]
  z = depth[rows, columns]
  rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(camera).T
  points = (rays * z[..., np.newaxis])[z > 0] @ motion[:3, :3].T + motion[:3, 3]
  points = points[points[:, 2] > 0.05]
  pixels = np.round((points @ camera.T)[:, :2] / points[:, 2:]).astype(int)
  inside = np.all((pixels >= 0) & (pixels < (depth.shape[1], depth.shape[0])), axis=1)
  measured = target[pixels[inside, 1], pixels[inside, 0]]
  carried = points[inside, 2]
  known = measured > 0
  if known.sum() < 20:
    return np.nan
  return float(np.median(np.abs(carried[known] - measured[known]) / measured[known]))
