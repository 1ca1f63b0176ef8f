"""TFDS builder of the rooms world: furnished rooms, two views each, rendered with exact labels.

Two domains share the statistics of their geometry: `simulated` has flat colours and a head light,
`sensor` has textures, coloured lights with shadows and the effects of a camera. The same seed gives
the same bytes. Sources: rendered here; nothing is downloaded.
"""

import dataclasses
import hashlib

import numpy as np
import tensorflow_datasets as tfds

from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.rooms import furniture, render, shading

_SIZES = ((48, 64), (96, 128), (192, 256))


@dataclasses.dataclass(eq=False)
class RoomsConfig(builder.WorldConfig):
  """One data set of rooms; an example has two frames.

  Attributes:
    domain: "simulated" or "sensor".
    strength: of the sensor domain's effects; of no meaning in the simulated one.
  """

  domain: str = "simulated"
  height: int = 48
  width: int = 64
  train: int = 1500
  validation: int = 200
  test: int = 300
  strength: shading.Strength = dataclasses.field(default_factory=shading.Strength)

  def __post_init__(self):
    super().__post_init__()
    self.description = (
      f"{self.domain} rooms, {self.height}x{self.width}, seed {self.seed}, {self.strength}"
    )

  def job(self) -> render.Job:
    return render.Job(self.domain, self.height, self.width, self.seed, self.strength)

  @property
  def num_frames(self) -> int:
    return render.FRAMES

  def _effects_name(self) -> str:
    if self.domain != "sensor" or self.strength == shading.Strength():
      return ""
    return "_" + hashlib.sha256(repr(self.strength).encode()).hexdigest()[:8]


class Rooms(builder.WorldBuilder):
  """Furnished rooms rendered with exact depth, normals, segmentation and poses."""

  RENDERER = render
  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First version."}
  BUILDER_CONFIGS = [
    RoomsConfig(domain=domain, height=height, width=width)
    for height, width in _SIZES
    for domain in render.DOMAINS
  ]

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
      builder=self,
      description=__doc__,
      features=features(self.builder_config.height, self.builder_config.width),
    )


def features(height: int, width: int) -> tfds.features.FeaturesDict:
  """Features of one example. Arrays are stored as raw bytes: the quickest to read."""

  def tensor(shape, dtype, doc):
    return tfds.features.Tensor(
      shape=shape, dtype=dtype, encoding=tfds.features.Encoding.BYTES, doc=doc
    )

  frames = (render.FRAMES, height, width)
  classes = ", ".join(f"{i} {name}" for i, name in enumerate(furniture.CLASSES))
  return tfds.features.FeaturesDict(
    {
      "image": tensor((*frames, 3), np.uint8, "RGB of both frames, 0-255"),
      "depth": tensor((*frames, 1), np.float32, "along the optical axis (z), metres"),
      "normals": tensor(
        (*frames, 3),
        np.float32,
        "unit surface normals facing the camera; camera frame: x right, y down, z forward",
      ),
      "segmentation": tensor(
        (*frames, 1), np.uint8, f"class: {classes}; {furniture.VOID} void (does not occur)"
      ),
      "intrinsics": tensor(
        (render.FRAMES, 3, 3),
        np.float32,
        "camera matrix, pixels; integer coordinates are pixel centres",
      ),
      "pose": tensor(
        (render.FRAMES, 4, 4), np.float32, "camera to world, metres; world z points up"
      ),
      "sample_id": tfds.features.Text(doc="rooms/<domain>/<split>/<index>"),
    }
  )
