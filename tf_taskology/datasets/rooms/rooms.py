"""TFDS builder of the rooms world: furnished rooms, two views each, rendered with exact labels.

Two domains share the statistics of their geometry: `simulated` has flat colours and a head light,
`sensor` has textures, coloured lights with shadows and the effects of a camera. The same seed gives
the same bytes. Sources: rendered here; nothing is downloaded.
"""

import dataclasses
import hashlib
import os

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.rooms import furniture, render, shading

_SIZES = ((48, 64), (96, 128), (192, 256))
_COUNTS = {"train": 1500, "validation": 200, "test": 300}


@dataclasses.dataclass(eq=False)
class RoomsConfig(tfds.core.BuilderConfig):
  """One data set of rooms.

  Attributes:
    name: made from the other fields; leave it out.
    domain: "simulated" or "sensor".
    height, width: of the images, pixels.
    train, validation, test: number of examples of each split; an example has two frames.
    seed: data sets of different seeds have no room in common.
    strength: of the sensor domain's effects; of no meaning in the simulated one.
    num_workers: processes that render; 0 means one for each CPU. Does not change the data.
  """

  name: str = ""
  domain: str = "simulated"
  height: int = 48
  width: int = 64
  train: int = _COUNTS["train"]
  validation: int = _COUNTS["validation"]
  test: int = _COUNTS["test"]
  seed: int = 0
  strength: shading.Strength = dataclasses.field(default_factory=shading.Strength)
  num_workers: int = 0

  def __post_init__(self):
    self.job()  # refuses a bad domain, size or seed here, before anything is written
    counts = self.counts()
    for split, count in counts.items():
      if count < 1:
        raise ValueError(f"RoomsConfig.{split} is {count}; expected at least 1 example")
    name = f"{self.domain}_{self.height}x{self.width}"
    if counts != _COUNTS:
      name += f"_{self.train}_{self.validation}_{self.test}"
    if self.seed:
      name += f"_seed{self.seed}"
    if self.domain == "sensor" and self.strength != shading.Strength():
      name += "_" + hashlib.sha256(repr(self.strength).encode()).hexdigest()[:8]
    if self.name not in ("", name):
      raise ValueError(f"RoomsConfig.name is {self.name!r}; leave it out, it would be {name!r}")
    self.name = name
    self.description = (
      f"{self.domain} rooms, {self.height}x{self.width}, seed {self.seed}, {self.strength}"
    )

  def job(self) -> render.Job:
    """What the renderer needs to know of this configuration."""
    return render.Job(self.domain, self.height, self.width, self.seed, self.strength)

  @property
  def num_frames(self) -> int:
    """Frames of an example."""
    return render.FRAMES

  def counts(self) -> dict[str, int]:
    """Split -> number of examples."""
    return {"train": self.train, "validation": self.validation, "test": self.test}


class Rooms(builder.WorldBuilder):
  """Furnished rooms rendered with exact depth, normals, segmentation and poses."""

  # TFDS would look this up through `importlib_resources`, which it needs for a namespace package
  # like this one but does not bring along.
  code_path = epath.Path(__file__)

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


def prepare(config: RoomsConfig, data_dir: str | os.PathLike) -> Rooms:
  """Renders a data set unless it is there, and returns its builder; see `builder.prepare`."""
  return builder.prepare(Rooms, config, data_dir)
