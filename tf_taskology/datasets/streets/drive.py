"""How things move: paths of constant curvature, speed profiles, and poses at a time.

World frame: z up, metres. Poses are [4, 4] float64, from the body's frame to the world.
"""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.streets import parts

TOP_SPEED = 15.0  # metres per second


@dataclasses.dataclass(frozen=True)
class Path:
  """A line on the ground.

  Attributes:
    start: (x, y, yaw) where its length is 0, metres and radians; before, it is straight.
    pieces: (length in metres, curvature in radians per metre), one after the other; the last
      piece goes on for ever.
  """

  start: tuple[float, float, float]
  pieces: tuple[tuple[float, float], ...] = ((1.0, 0.0),)

  def at(self, length: float) -> tuple[float, float, float]:
    """(x, y, yaw) at a length along the path, metres; below 0 too."""
    x, y, yaw = self.start
    left = length
    for i, (piece, curvature) in enumerate(self.pieces):
      if left < 0:
        return x + left * math.cos(yaw), y + left * math.sin(yaw), yaw
      step = left if i == len(self.pieces) - 1 else min(left, piece)
      if abs(curvature) < 1e-9:
        x, y = x + step * math.cos(yaw), y + step * math.sin(yaw)
      else:
        turned = yaw + step * curvature
        x += (math.sin(turned) - math.sin(yaw)) / curvature
        y -= (math.cos(turned) - math.cos(yaw)) / curvature
        yaw = turned
      left -= step
      if left <= 0:
        break
    return x, y, yaw


@dataclasses.dataclass(frozen=True)
class Motion:
  """A body that follows a path.

  Attributes:
    path: where it goes.
    first: length along the path at time 0, metres.
    speed: at time 0, metres per second.
    acceleration: until the speed is 0 or `top`, metres per second squared.
    top: the highest speed it accelerates to.
    height: of the body's origin above the road, metres.
  """

  path: Path
  first: float = 0.0
  speed: float = 0.0
  acceleration: float = 0.0
  top: float = TOP_SPEED
  height: float = 0.0

  def travelled(self, time: float) -> float:
    """Metres since time 0, at `time` >= 0 in seconds."""
    if self.acceleration == 0.0:
      return self.speed * time
    limit = 0.0 if self.acceleration < 0 else max(self.top, self.speed)
    until = min(time, (limit - self.speed) / self.acceleration)
    changing = self.speed * until + 0.5 * self.acceleration * until * until
    return changing + limit * (time - until)

  def speed_at(self, time: float) -> float:
    """Metres per second at `time` >= 0."""
    high = max(self.top, self.speed)
    return min(max(self.speed + self.acceleration * time, 0.0), high)

  def pose(self, time: float) -> np.ndarray:
    """[4, 4] at `time` >= 0 in seconds."""
    x, y, yaw = self.path.at(self.first + self.travelled(time))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = parts.yaw(yaw), (x, y, self.height)
    return pose


@dataclasses.dataclass(frozen=True)
class Swing:
  """A limb that swings about a joint of a moving body.

  Attributes:
    base: the body's motion.
    joint: [3] in the body's frame, metres.
    amplitude: radians.
    rate: swings a second.
    phase: radians at time 0.
  """

  base: Motion
  joint: np.ndarray
  amplitude: float
  rate: float
  phase: float

  def pose(self, time: float) -> np.ndarray:
    """[4, 4] at `time` >= 0 in seconds."""
    angle = self.amplitude * math.sin(2 * math.pi * self.rate * time + self.phase)
    local = np.eye(4)
    local[:3, :3], local[:3, 3] = parts.pitch(angle), self.joint
    return self.base.pose(time) @ local


@dataclasses.dataclass(frozen=True)
class Camera:
  """A camera on a body.

  Attributes:
    mount: what carries it.
    height: above the body's origin, metres.
    yaw, pitch, roll: of the camera on its mount, radians; a positive pitch looks up.
    bounce: amplitude of the pitch that driving over bumps gives, radians at TOP_SPEED.
    phase: of the bounce, radians.
    focal: length as a multiple of the image width.
    center: (x, y) of the principal point as a fraction of width and height.
  """

  mount: Motion
  height: float
  yaw: float
  pitch: float
  roll: float
  bounce: float
  phase: float
  focal: float
  center: tuple[float, float]

  def intrinsics(self, height: int, width: int) -> np.ndarray:
    """[3, 3] float64 matrix in pixels, with integer coordinates at pixel centres."""
    f = self.focal * width
    x, y = self.center[0] * width - 0.5, self.center[1] * height - 0.5
    return np.array([[f, 0.0, x], [0.0, f, y], [0.0, 0.0, 1.0]])

  def pose(self, time: float) -> np.ndarray:
    """[4, 4] camera to world; camera frame x right, y down, z forward."""
    base = self.mount.pose(time)
    strength = self.bounce * self.mount.speed_at(time) / TOP_SPEED
    pitch = self.pitch + strength * math.sin(2 * math.pi * 1.7 * time + self.phase)
    cr, sr = math.cos(self.roll), math.sin(self.roll)
    # Columns: the camera's axes in the mount's frame (x forward, y left, z up).
    axes = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    roll = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
    pose = np.eye(4)
    pose[:3, :3] = base[:3, :3] @ parts.yaw(self.yaw) @ parts.pitch(-pitch) @ axes @ roll
    pose[:3, 3] = base[:3, 3] + (0.0, 0.0, self.height)
    return pose
