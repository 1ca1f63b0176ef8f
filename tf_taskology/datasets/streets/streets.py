"""TFDS builder of the streets world: drives through streets, rendered with exact labels.

Two domains share classes and geometry: `street` is video from a car (frames 0.1 s apart, one camera
for the whole data set), `stills` are single photographs by passers-by in any light. The same seed
gives the same bytes. Sources: rendered here; nothing is downloaded.
"""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.streets import classes, render, scene

_SIZES = ((64, 208), (128, 416))
_FRAMES = {"street": 3, "stills": 1}


@dataclasses.dataclass(eq=False)
class StreetsConfig(builder.WorldConfig):
  """One data set of streets.

  Attributes:
    domain: "street" or "stills".
    frames: consecutive frames of an example; None for 3 of `street`, 1 of `stills`.
    noise: standard deviation of the sensor's noise, of a full scale of 1; 0 for none.
  """

  domain: str = "street"
  height: int = 128
  width: int = 416
  train: int = 1000
  validation: int = 100
  test: int = 200
  frames: int | None = None
  noise: float = render.Job.noise

  def __post_init__(self):
    if self.frames is None:
      self.frames = _FRAMES.get(self.domain, 1)
    super().__post_init__()
    self.description = (
      f"{self.domain}, {self.frames} frames of {self.height}x{self.width}, seed {self.seed}, "
      f"noise {self.noise}"
    )

  def job(self) -> render.Job:
    return render.Job(self.domain, self.height, self.width, self.frames, self.seed, self.noise)

  @property
  def num_frames(self) -> int:
    return self.frames

  def _shape_name(self) -> str:
    return "" if self.frames == _FRAMES[self.domain] else f"_{self.frames}frames"

  def _effects_name(self) -> str:
    return "" if self.noise == render.Job.noise else f"_noise{self.noise:g}"


class Streets(builder.WorldBuilder):
  """Streets rendered with exact depth, segmentation, poses and motion of what moves."""

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
