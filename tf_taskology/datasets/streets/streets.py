"""TFDS builder of the streets world: drives through streets, rendered with exact labels.

Two domains share classes and geometry: `street` is video from a car (frames 0.1 s apart, one camera
for the whole data set), `stills` are single photographs by passers-by in any light. The same seed
gives the same bytes. Sources: rendered here; nothing is downloaded.
"""

import dataclasses
import os

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.streets import classes, render, scene

_SIZES = ((64, 208), (128, 416))
_COUNTS = {"train": 1000, "validation": 100, "test": 200}
_FRAMES = {"street": 3, "stills": 1}
_NOISE = render.Job.noise


@dataclasses.dataclass(eq=False)
class StreetsConfig(tfds.core.BuilderConfig):
  """One data set of streets.

  Attributes:
    name: made from the other fields; leave it out.
    domain: "street" or "stills".
    height, width: of the images, pixels.
    frames: consecutive frames of an example; None for 3 of `street`, 1 of `stills`.
    train, validation, test: number of examples of each split.
    seed: data sets of different seeds have no street in common.
    noise: standard deviation of the sensor's noise, of a full scale of 1; 0 for none.
    num_workers: processes that render; 0 means one for each CPU. Does not change the data.
  """

  name: str = ""
  domain: str = "street"
  height: int = 128
  width: int = 416
  frames: int | None = None
  train: int = _COUNTS["train"]
  validation: int = _COUNTS["validation"]
  test: int = _COUNTS["test"]
  seed: int = 0
  noise: float = _NOISE
  num_workers: int = 0

  def __post_init__(self):
    if self.frames is None:
      self.frames = _FRAMES.get(self.domain, 1)
    self.job()  # refuses a bad domain, size, seed or noise here, before anything is written
    counts = self.counts()
    for split, count in counts.items():
      if count < 1:
        raise ValueError(f"StreetsConfig.{split} is {count}; expected at least 1 example")
    name = f"{self.domain}_{self.height}x{self.width}"
    if self.frames != _FRAMES[self.domain]:
      name += f"_{self.frames}frames"
    if counts != _COUNTS:
      name += f"_{self.train}_{self.validation}_{self.test}"
    if self.seed:
      name += f"_seed{self.seed}"
    if self.noise != _NOISE:
      name += f"_noise{self.noise:g}"
    if self.name not in ("", name):
      raise ValueError(f"StreetsConfig.name is {self.name!r}; leave it out, it would be {name!r}")
    self.name = name
    self.description = (
      f"{self.domain}, {self.frames} frames of {self.height}x{self.width}, seed {self.seed}, "
      f"noise {self.noise}"
    )

  def job(self) -> render.Job:
    """What the renderer needs to know of this configuration."""
    return render.Job(self.domain, self.height, self.width, self.frames, self.seed, self.noise)

  @property
  def num_frames(self) -> int:
    """Frames of an example."""
    return self.frames

  def counts(self) -> dict[str, int]:
    """Split -> number of examples."""
    return {"train": self.train, "validation": self.validation, "test": self.test}


class Streets(builder.WorldBuilder):
  """Streets rendered with exact depth, segmentation, poses and motion of what moves."""

  # TFDS would look this up through `importlib_resources`, which it needs for a namespace package
  # like this one but does not bring along.
  code_path = epath.Path(__file__)

  RENDERER = render
  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First version."}
  BUILDER_CONFIGS = [
    StreetsConfig(domain=domain, height=height, width=width)
    for height, width in _SIZES
    for domain in render.DOMAINS
  ]

  def _info(self) -> tfds.core.DatasetInfo:
    config = self.builder_config
    return tfds.core.DatasetInfo(
      builder=self,
      description=__doc__,
      features=features(config.frames, config.height, config.width),
    )


def features(frames: int, height: int, width: int) -> tfds.features.FeaturesDict:
  """Features of one example. Pictures and depth are raw bytes: the quickest to read."""

  def tensor(shape, dtype, doc, encoding=tfds.features.Encoding.BYTES):
    return tfds.features.Tensor(shape=(frames, *shape), dtype=dtype, encoding=encoding, doc=doc)

  packed = tfds.features.Encoding.ZLIB
  table = ", ".join(f"{c.id} {c.name}{' (movable)' * c.movable}" for c in classes.CLASSES)
  return tfds.features.FeaturesDict(
    {
      "image": tensor((height, width, 3), np.uint8, "RGB, 0-255"),
      "depth": tensor(
        (height, width, 1), np.float32, "along the optical axis (z), metres; 0 in the sky"
      ),
      "segmentation": tensor(
        (height, width, 1),
        np.uint8,
        f"Cityscapes train id: {table}; {classes.VOID} void (does not occur)",
        packed,
      ),
      "rigid": tensor(
        (height, width, 1),
        np.uint8,
        "which rigid body a pixel shows; 0: nothing that moves. The same id in all frames.",
        packed,
      ),
      "rigid_pose": tensor(
        (scene.MAX_RIGID + 1, 4, 4),
        np.float32,
        "rigid body to world at each frame, metres; the identity for ids that are not used",
        packed,
      ),
      "intrinsics": tensor(
        (3, 3), np.float32, "camera matrix, pixels; integer coordinates are pixel centres"
      ),
      "pose": tensor((4, 4), np.float32, "camera to world, metres; world z points up"),
      "sample_id": tfds.features.Text(doc="streets/<domain>/<split>/<index>"),
    }
  )


def prepare(config: StreetsConfig, data_dir: str | os.PathLike) -> Streets:
  """Renders a data set unless it is there, and returns its builder; see `builder.prepare`."""
  return builder.prepare(Streets, config, data_dir)
