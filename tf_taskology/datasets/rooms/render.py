"""Renders one example of the rooms world: two views of one room with exact labels."""

import dataclasses

import numpy as np

from tf_taskology.datasets.rendering import jobs, optics, pixels
from tf_taskology.datasets.rooms import cameras, raycast, scene, sensors, shading, surfaces

DOMAINS = ("simulated", "sensor")
SPLITS = ("train", "validation", "test")
FRAMES = 2

# Sub-samples of a pixel's colour: offsets (x, y) from its centre, pixels.
_OFFSETS = np.array([(-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25)], np.float32)
_SUBS = len(_OFFSETS)


@dataclasses.dataclass(frozen=True)
class Job:
  """Everything besides split and index that determines the pixels of a data set.

  Attributes:
    domain: "simulated" or "sensor".
    height, width: of the images, pixels.
    seed: of the whole data set, at least 0.
    strength: of the sensor domain's effects.
  """

  domain: str
  height: int
  width: int
  seed: int = 0
  strength: shading.Strength = dataclasses.field(default_factory=shading.Strength)

  def __post_init__(self):
    jobs.check(self.domain, DOMAINS, self.height, self.width, self.seed)


@dataclasses.dataclass
class _Samples:
  """Surface points along rays, world frame; the sample axes come last."""

  primitive: np.ndarray  # [...] int
  face: np.ndarray  # [...] int, as in surfaces.surface
  distance: np.ndarray  # [...] metres along the optical axis
  point: np.ndarray  # [3, ...]
  normal: np.ndarray  # [3, ...] unit
  axis_u: np.ndarray  # [3, ...] unit
  axis_v: np.ndarray  # [3, ...] unit
  u: np.ndarray  # [...] metres
  v: np.ndarray  # [...] metres

  @property
  def key(self) -> np.ndarray:
    """[...] int that tells smooth surfaces apart."""
    return self.primitive * 8 + self.face


@dataclasses.dataclass
class _Look:
  """What both frames see; n = frames * H * W pixels."""

  center: _Samples  # [n] float64: exact, at the pixel centres
  subs: _Samples  # [4, n] float32: for colour
  cosine: np.ndarray  # [4, n] between the sub-samples' normals and their rays


def _hit(room: scene.Scene, origins: np.ndarray, bundles, directions: np.ndarray) -> _Samples:
  distance, primitive = raycast.trace(room, origins, bundles, directions)
  start = np.repeat(origins.T.astype(directions.dtype), np.diff(bundles), 1)
  point = start + distance * directions
  normal, face, axis_u, axis_v, u, v = surfaces.surface(room, primitive, point)
  return _Samples(primitive, face, distance, point, normal, axis_u, axis_v, u, v)


def _subsample(room, origins, directions, center: _Samples, edge: np.ndarray) -> _Samples:
  """Samples for colour along directions [3, 4, n].

  Away from edges the surface around a pixel's centre is taken as its tangent plane, which is exact
  for planes; pixels at edges (edge, [n] bool) are traced afresh.
  """
  small = {f.name: getattr(center, f.name) for f in dataclasses.fields(center)}
  small = {k: a if a.dtype.kind == "i" else a.astype(np.float32) for k, a in small.items()}
  start = np.repeat(origins.T.astype(np.float32), len(edge) // len(origins), 1)
  to_plane = ((small["point"] - start) * small["normal"]).sum(0)
  along = (directions * small["normal"][:, None]).sum(0)
  distance = to_plane / np.where(np.abs(along) < 1e-6, -1e-6, along)
  distance = np.clip(distance, 0.8 * small["distance"], 1.25 * small["distance"])
  point = start[:, None] + distance * directions
  shift = point - small["point"][:, None]
  subs = {k: np.repeat(a[..., None, :], _SUBS, -2) for k, a in small.items()}
  subs["distance"], subs["point"] = distance, point
  subs["u"] = small["u"] + (shift * small["axis_u"][:, None]).sum(0)
  subs["v"] = small["v"] + (shift * small["axis_v"][:, None]).sum(0)
  pixels = np.flatnonzero(edge)
  # Rays must be sorted by frame, so the four of one pixel go together here: [3, n, 4].
  rays = directions[:, :, pixels].swapaxes(1, 2).reshape(3, -1)
  frame_starts = np.arange(len(origins) + 1) * (len(edge) // len(origins))
  traced = _hit(room, origins, _SUBS * np.searchsorted(pixels, frame_starts), rays)
  for name, values in subs.items():
    exact = getattr(traced, name)
    values[..., pixels] = exact.reshape(*exact.shape[:-1], -1, _SUBS).swapaxes(-1, -2)
  return _Samples(**subs)


def _look(room: scene.Scene, poses: np.ndarray, intrinsics, job: Job) -> _Look:
  v, u = (a.ravel() for a in np.mgrid[0 : job.height, 0 : job.width].astype(np.float64))
  origins, count = poses[:, :3, 3], u.size

  def directions(k, u, v):
    camera = cameras.rays(k, u.ravel(), v.ravel())
    world = [cameras.to_world(pose[:3, :3], camera).reshape(3, -1, count) for pose in poses]
    return np.concatenate(world, -1)

  bundles = [count * i for i in range(len(poses) + 1)]
  center = _hit(room, origins, bundles, directions(intrinsics, u, v)[:, 0])
  edge = pixels.near_edge(center.key.reshape(-1, job.height, job.width)).ravel()
  sub_u, sub_v = u.astype(np.float32) + _OFFSETS[:, :1], v.astype(np.float32) + _OFFSETS[:, 1:]
  rays = directions(intrinsics.astype(np.float32), sub_u, sub_v)
  subs = _subsample(room, origins, rays, center, edge)
  length = np.sqrt((rays * rays).sum(0))
  return _Look(center, subs, np.abs((rays * subs.normal).sum(0)) / length)


def _average(colour: np.ndarray, job: Job) -> np.ndarray:
  """[3, 4 * frames * H * W] colours of sub-samples to images [frames, 3, H, W]."""
  return colour.reshape(3, _SUBS, -1, job.height, job.width).mean(1).swapaxes(0, 1)


def _simulated(room: scene.Scene, look: _Look, generator, job: Job) -> np.ndarray:
  colours = shading.sample_flat_colours(room, generator).T
  flat = colours[:, room.material[look.subs.primitive]]
  return optics.quantise(np.moveaxis(_average(shading.head_light(flat, look.cosine), job), 1, -1))


def _light_shares(room: scene.Scene, lights: shading.Lights, look: _Look, job: Job) -> np.ndarray:
  """[L, 4 * n] bool: which lights reach the sub-samples of a view.

  Traced at the pixel centres, and afresh for sub-samples that see another surface than their
  pixel's centre and for pixels at a shadow's edge.
  """
  center, subs = look.center, look.subs
  point, normal = center.point.astype(np.float32), center.normal.astype(np.float32)
  coarse = shading.visibility(room, lights, point, normal)
  code = (coarse * (1 << np.arange(len(coarse)))[:, None]).sum(0)
  frames = (-1, job.height, job.width)
  border = pixels.near_edge(code.reshape(frames), center.key.reshape(frames)).ravel()
  fresh = np.flatnonzero((subs.key != center.key) | border)
  shares = np.repeat(coarse[:, None], _SUBS, 1).reshape(len(coarse), -1)
  point, normal = (a.reshape(3, -1)[:, fresh] for a in (subs.point, subs.normal))
  shares[:, fresh] = shading.visibility(room, lights, point, normal)
  return shares


def _sensor(room: scene.Scene, look: _Look, focal: float, generator, job: Job) -> np.ndarray:
  materials = shading.sample_materials(room, generator, job.strength)
  lights = shading.sample_lights(room, generator, job.strength)
  camera = sensors.sample_optics(generator, job.strength)
  subs = look.subs
  material = room.material[subs.primitive].ravel()
  # A sample stands for about 0.6 pixel; slanted surfaces are seen compressed.
  footprint = subs.distance * np.float32(0.6 / focal) / np.maximum(look.cosine, 0.35)
  colour = shading.albedo(materials, material, subs.u.ravel(), subs.v.ravel(), footprint.ravel())
  point, normal = subs.point.reshape(3, -1), subs.normal.reshape(3, -1)
  light = shading.irradiance(lights, point, normal, _light_shares(room, lights, look, job))
  glow = materials.glow[material]
  image = _average(colour * (light * (1.0 - glow) + glow), job)
  return optics.develop(image, camera, generator)


def sample_geometry(job: Job, split: str, index: int):
  """Draws the room and the views of an example, and the generator for its appearance.

  Args:
    job: the data set.
    split: one of SPLITS.
    index: of the example in the split, at least 0.

  Returns:
    (scene, views, generator).
  """
  key = [job.seed, DOMAINS.index(job.domain), SPLITS.index(split), index]
  geometry, appearance = np.random.SeedSequence(key).spawn(2)
  generator = np.random.Generator(np.random.PCG64(geometry))
  while True:
    room = scene.sample_scene(generator)
    views = cameras.sample_views(room, generator)
    if views is not None:
      return room, views, np.random.Generator(np.random.PCG64(appearance))


def render(job: Job, split: str, index: int) -> dict[str, np.ndarray | str]:
  """Renders one example.

  Args:
    job: the data set.
    split: one of SPLITS.
    index: of the example in the split, at least 0.

  Returns:
    The features of the TFDS builder `rooms.Rooms`, as numpy arrays.
  """
  room, views, generator = sample_geometry(job, split, index)
  height, width = job.height, job.width
  intrinsics = views.intrinsics(height, width)
  look = _look(room, views.pose, intrinsics, job)
  if job.domain == "simulated":
    image = _simulated(room, look, generator, job)
  else:
    image = _sensor(room, look, intrinsics[0, 0], generator, job)
  normals = [
    cameras.to_world(pose[:3, :3].T, normal).T
    for pose, normal in zip(views.pose, np.split(look.center.normal, FRAMES, 1), strict=True)
  ]
  shape = (FRAMES, height, width)
  return {
    "image": image,
    "depth": look.center.distance.astype(np.float32).reshape(*shape, 1),
    "normals": np.stack(normals).astype(np.float32).reshape(*shape, 3),
    "segmentation": room.label[look.center.primitive].reshape(*shape, 1),
    "intrinsics": np.tile(intrinsics.astype(np.float32), (FRAMES, 1, 1)),
    "pose": views.pose.astype(np.float32),
    "sample_id": f"rooms/{job.domain}/{split}/{index:06d}",
  }
