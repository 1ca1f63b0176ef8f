"""From range images of a spinning LiDAR to points, as the Waymo Open Dataset defines them.

Source: https://github.com/waymo-research/waymo-open-dataset, range_image_utils.py and the comments of its protocol
buffers: rows go from the highest beam down, columns from behind the car clockwise once around it.
"""

import numpy as np


def inclinations(low: float, high: float, rows: int) -> np.ndarray:
  """Angles of evenly spaced beams, [rows] radians from the highest down: the middles of `rows` parts of low..high."""
  return (low + (np.arange(rows) + 0.5) / rows * (high - low))[::-1]


def to_points(ranges: np.ndarray, beam_angles: np.ndarray, extrinsic: np.ndarray) -> np.ndarray:
  """Points of a range image in the vehicle's frame.

  Args:
    ranges: [rows, columns] metres.
    beam_angles: [rows] radians above the sensor's horizontal plane, of each row.
    extrinsic: [4, 4] sensor to vehicle.

  Returns:
    [rows, columns, 3] float64 metres; they mean nothing where the range is not above 0.
  """
  columns = ranges.shape[1]
  # Azimuths are told from the vehicle's axes, not the sensor's.
  turned = np.arctan2(extrinsic[1, 0], extrinsic[0, 0])
  azimuth = (2 * (columns - np.arange(columns) - 0.5) / columns - 1) * np.pi - turned
  cosine, sine = np.cos(beam_angles)[:, np.newaxis], np.sin(beam_angles)[:, np.newaxis]
  rays = np.stack(
    [
      np.cos(azimuth) * cosine,
      np.sin(azimuth) * cosine,
      np.broadcast_to(sine, ranges.shape),
    ],
    axis=-1,
  )
  return (rays * ranges[..., np.newaxis]) @ extrinsic[:3, :3].T + extrinsic[:3, 3]


def to_frame(points: np.ndarray, pixel_poses: np.ndarray, vehicle_pose: np.ndarray) -> np.ndarray:
  """Points in the vehicle's frame at one moment, although the car drove on while the sensor turned.

  Args:
    points: [n, 3], each in the vehicle's frame at its own moment.
    pixel_poses: [n, 6] of the vehicle at these moments: roll, pitch, yaw (radians, about x, y, z; yaw turns last), x,
      y, z in the world.
    vehicle_pose: [4, 4] vehicle to world at the one moment.

  Returns:
    [n, 3] float64.
  """
  roll, pitch, yaw = pixel_poses[:, :3].astype(np.float64).T
  (cr, cp, cy), (sr, sp, sy) = (
    tuple(function(angle) for angle in (roll, pitch, yaw)) for function in (np.cos, np.sin)
  )
  rotation = np.array(
    [
      [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
      [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
      [-sp, cp * sr, cp * cr],
    ]
  )
  world = np.einsum("ijn,nj->ni", rotation, points) + pixel_poses[:, 3:].astype(np.float64)
  return (world - vehicle_pose[:3, 3]) @ vehicle_pose[:3, :3]
