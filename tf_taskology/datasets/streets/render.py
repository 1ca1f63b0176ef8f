"""Renders one example of the streets world with exact labels."""

import dataclasses

import numpy as np

from tf_taskology.datasets.rendering import draws, jobs, optics, pixels
from tf_taskology.datasets.streets import (
  classes,
  materials,
  raycast,
  sampling,
  scene,
  shading,
  shadows,
  styles,
  surfaces,
)

DOMAINS = ("street", "stills")
SPLITS = ("train", "validation", "test")

# Samples of a pixel's colour where one is not enough: each in a row and a column of its own.
_OFFSETS = np.array([(-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375)])
_MOST_FRAMES = 60  # a faster drive would leave the street
_STYLES = {"street": styles.street, "stills": styles.stills}


@dataclasses.dataclass(frozen=True)
class Job:
  """Everything besides split and index that determines the pixels of a data set.

  Attributes:
    domain: "street" (video from a car) or "stills" (single photographs).
    height, width: of the images, pixels.
    frames: of an example, 0.1 s apart, at most 60; 1 for stills.
    seed: of the whole data set, at least 0.
    noise: standard deviation of the sensor's noise, of a full scale of 1.
  """

  domain: str
  height: int
  width: int
  frames: int = 3
  seed: int = 0
  noise: float = 0.008

  def __post_init__(self):
    jobs.check(self.domain, DOMAINS, self.height, self.width, self.seed)
    most = 1 if self.domain == "stills" else _MOST_FRAMES
    if not 1 <= self.frames <= most:
      expected = "1, for stills stand alone" if most == 1 else f"1 to {most}"
      raise ValueError(f"frames is {self.frames}; expected {expected}")
    if not 0 <= self.noise <= 0.5:
      raise ValueError(f"noise is {self.noise}; expected 0 to 0.5")


def _picture(stage: shading.Stage, view: raycast.View, inverse, part, face) -> np.ndarray:
  """[3, H, W] float32 linear RGB of what `raycast.trace` found."""
  height, width = part.shape
  v, u = (a.ravel().astype(np.float32) for a in np.mgrid[0:height, 0:width])
  key = part * 16 + face
  several = pixels.near_edge(key).ravel()
  several |= shading.grazing(stage, u, v, part.ravel(), face.ravel())
  once = np.flatnonzero(~several)
  fine = raycast.retrace(view, part, several.reshape(height, width), _OFFSETS)
  samples = [
    np.concatenate([exact.ravel()[once], sampled.ravel()])
    for exact, sampled in zip((u, v, inverse, part, face), fine, strict=True)
  ]
  density = np.full(samples[0].shape, len(_OFFSETS), np.int8)
  density[: once.size] = 1
  colour = shading.colours(stage, *samples, density)
  image = np.empty((3, height * width), np.float32)
  image[:, once] = colour[:, : once.size]
  image[:, several] = colour[:, once.size :].reshape(3, -1, len(_OFFSETS)).mean(2)
  return image.reshape(3, height, width)


def _generators(job: Job, split: str, index: int) -> list[np.random.Generator]:
  """Generators of an example's geometry and of its appearance."""
  key = [job.seed, DOMAINS.index(job.domain), SPLITS.index(split), index]
  return [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(key).spawn(2)]


def sample_geometry(job: Job, split: str, index: int):
  """Draws what an example shows.

  Args:
    job: the data set.
    split: one of SPLITS.
    index: of the example in the split, at least 0.

  Returns:
    (scene, camera poses [frames, 4, 4] float64 camera to world, intrinsics [3, 3] float64).
  """
  generator, _ = _generators(job, split, index)
  world = sampling.sample_world(generator, job.domain == "stills", job.frames)
  times = [sampling.STEP_SECS * i for i in range(job.frames)]
  poses = np.stack([world.camera.pose(t) for t in times])
  intrinsics = world.camera.intrinsics(job.height, job.width)
  return scene.assemble(world, times, classes.IDS["sky"]), poses, intrinsics


def render(job: Job, split: str, index: int) -> dict[str, np.ndarray | str]:
  """Renders one example.

  Args:
    job: the data set.
    split: one of SPLITS.
    index: of the example in the split, at least 0.

  Returns:
    The features of the TFDS builder `streets.Streets`, as numpy arrays.
  """
  world, poses, intrinsics = sample_geometry(job, split, index)
  _, generator = _generators(job, split, index)
  style = _STYLES[job.domain](draws.Draw(generator), job.noise)
  looks = materials.sample_materials(world.families, generator, style)
  table = surfaces.faces(world, looks)
  shadow = shadows.cast(world, style.sun_direction, poses[0])
  light, depth, part = [], [], []
  for frame, pose in enumerate(poses):
    view = raycast.look(world, frame, pose, intrinsics, job.height, job.width)
    traced = raycast.trace(view, job.height, job.width)
    placed = surfaces.place(world, table, view, frame, style)
    stage = shading.Stage(world, table, looks, style, placed, shadow, pose, intrinsics)
    light.append(_picture(stage, view, *traced))
    depth.append(np.divide(1.0, traced[0], out=np.zeros_like(traced[0]), where=traced[0] > 0))
    part.append(traced[1])
  rigid_pose = np.tile(np.eye(4, dtype=np.float32), (job.frames, scene.MAX_RIGID + 1, 1, 1))
  rigid_pose[:, : world.rigid_pose.shape[1]] = world.rigid_pose
  part = np.stack(part)[..., None]
  return {
    "image": optics.develop(np.stack(light), style.optics, generator),
    "depth": np.stack(depth)[..., None].astype(np.float32),
    "segmentation": world.label[part],
    "rigid": world.rigid.astype(np.uint8)[part],
    "rigid_pose": rigid_pose,
    "intrinsics": np.tile(intrinsics.astype(np.float32), (job.frames, 1, 1)),
    "pose": poses.astype(np.float32),
    "sample_id": f"streets/{job.domain}/{split}/{index:06d}",
  }
