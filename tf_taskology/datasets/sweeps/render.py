"""Renders one example of the sweeps world: point clouds of a drive with exact boxes."""

import dataclasses
import math

import numpy as np

from tf_taskology.datasets.sweeps import layout, raycast, sensor as sensor_lib

SPLITS = ("train", "validation", "test")
MAX_BOXES = 64
VEHICLE = 1  # class; 0 is padding
POINT_SIZE = 4  # x, y, z, intensity
_CLEARANCE = 0.2  # metres below a vehicle's body
_GROUND_REFLECTIVITY = 0.25


@dataclasses.dataclass(frozen=True)
class Job:
  """Everything besides split and index that determines a data set.

  Attributes:
    frames: sweeps of an example.
    interval: seconds between sweeps.
    seed: of the whole data set, at least 0.
    sensor: on the own car.
  """

  frames: int = 3
  interval: float = 0.5
  seed: int = 0
  sensor: sensor_lib.Sensor = dataclasses.field(default_factory=sensor_lib.Sensor)

  def __post_init__(self):
    if not 1 <= self.frames <= 20:
      raise ValueError(f"frames is {self.frames}; expected 1 to 20")
    if not 0 < self.interval <= 5:
      raise ValueError(f"interval is {self.interval}; expected more than 0 and at most 5 seconds")
    if self.seed < 0:
      raise ValueError(f"seed is {self.seed}; expected an integer of at least 0")


def sample_scene(job: Job, split: str, index: int) -> layout.Scene:
  """What an example shows; see `render`."""
  geometry, _ = _generators(job, split, index)
  return layout.sample_scene(geometry, [job.interval * i for i in range(job.frames)])


def render(job: Job, split: str, index: int) -> dict[str, np.ndarray | str]:
  """Renders one example.

  A sweep is taken at one moment: the car does not move while the sensor turns.

  Args:
    job: the data set.
    split: one of SPLITS.
    index: of the example in the split, at least 0.

  Returns:
    The features of the TFDS builder `sweeps.Sweeps`, as numpy arrays.
  """
  scene = sample_scene(job, split, index)
  _, noise = _generators(job, split, index)
  frames = [_sweep(job, scene, job.interval * i, noise) for i in range(job.frames)]
  example = {name: np.stack([frame[name] for frame in frames]) for name in frames[0]}
  return {**example, "sample_id": f"sweeps/{split}/{index:06d}"}


def vehicle_parts(vehicle: layout.Vehicle, box: np.ndarray) -> np.ndarray:
  """The two boxes [2, 7] that a vehicle in `box` is made of: lower body and cabin."""
  length, _, height = box[3:6]
  bottom = box[2] - 0.5 * height
  low, high = bottom + min(_CLEARANCE, 0.2 * height), bottom + vehicle.hood * height
  body, cabin = box.copy(), box.copy()
  body[2], body[5] = 0.5 * (low + high), high - low
  first, last = vehicle.cabin
  shift = (0.5 * (first + last) - 0.5) * length
  cabin[0] += shift * math.cos(box[6])
  cabin[1] += shift * math.sin(box[6])
  cabin[3] = (last - first) * length
  cabin[2], cabin[5] = 0.5 * (high + bottom + height), bottom + height - high
  return np.stack([body, cabin])


def solids(scene: layout.Scene, time: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """What rays meet at a time: vehicles' boxes [v, 7], all boxes [n, 7], of which the first 2 v are
  parts of vehicles, and reflectivities of boxes, poles and, last, the ground."""
  places = np.reshape([v.place(time, scene.slope) for v in scene.vehicles], [-1, 7])
  parts = [vehicle_parts(v, box) for v, box in zip(scene.vehicles, places, strict=True)]
  boxes = np.concatenate([np.reshape(parts, [-1, 7]), scene.boxes[:, :7]])
  reflectivity = np.concatenate(
    [
      np.repeat([v.reflectivity for v in scene.vehicles], 2),
      scene.boxes[:, 7],
      scene.poles[:, 4],
      [_GROUND_REFLECTIVITY],
    ]
  )
  return places, boxes, reflectivity


def _generators(job: Job, split: str, index: int) -> list[np.random.Generator]:
  """Generators of an example's geometry and of its noise."""
  key = [job.seed, SPLITS.index(split), index]
  return [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(key).spawn(2)]


def _sweep(job, scene, time, generator):
  """One frame of an example."""
  own = scene.own.pose(time)
  yaw = math.atan2(own[1, 0], own[0, 0])
  own[2, 3] = scene.slope @ own[:2, 3]
  origin = own[:3, 3] + (0.0, 0.0, sensor_lib.HEIGHT)
  places, boxes, reflectivity = solids(scene, time)
  directions = job.sensor.directions()
  hits = raycast.cast(origin, yaw, directions, scene.slope, boxes, scene.poles[:, :4])
  solid = hits.solid.ravel()
  back, distance, intensity = job.sensor.returns(
    hits.distance.ravel(), hits.incidence.ravel(), reflectivity[solid], generator
  )
  # In the own car's frame: on the ground below the sensor, x forward, y left, z up.
  points = distance[:, None] * directions.reshape(-1, 3) + (0.0, 0.0, sensor_lib.HEIGHT)
  points = np.concatenate([points, intensity[:, None]], axis=1)[back]
  owner = np.where((solid >= 0) & (solid < 2 * len(places)), solid // 2, -1)[back]
  padded = np.zeros([job.sensor.rays, POINT_SIZE], np.float32)
  padded[: len(points)] = points
  return {
    "points": padded,
    "num_points": np.int32(len(points)),
    "pose": own.astype(np.float32),
    **_boxes(job, places, owner, own, yaw),
  }


def _boxes(job, places, owner, own, yaw):
  """Boxes in range in the own car's frame, nearest first, with tracks and points."""
  cosine, sine = math.cos(yaw), math.sin(yaw)
  away = places[:, :3] - own[:3, 3]
  local = places.copy()
  local[:, 0] = away[:, 0] * cosine + away[:, 1] * sine
  local[:, 1] = away[:, 1] * cosine - away[:, 0] * sine
  local[:, 2] = away[:, 2]
  local[:, 6] = (places[:, 6] - yaw + math.pi) % (2 * math.pi) - math.pi
  distance = np.hypot(local[:, 0], local[:, 1])
  order = np.argsort(distance, kind="stable")
  order = order[distance[order] < job.sensor.max_range][:MAX_BOXES]
  counts = np.bincount(owner[owner >= 0], minlength=len(places))
  padded = lambda values, shape, dtype: np.concatenate(
    [values[order], np.zeros([MAX_BOXES - len(order), *shape])]
  ).astype(dtype)
  return {
    "boxes": padded(local, [7], np.float32),
    "classes": padded(np.full(len(places), VEHICLE), [], np.int32),
    "tracks": padded(np.arange(1, len(places) + 1), [], np.int32),
    "box_points": padded(counts, [], np.int32),
  }
