"""TFDS builder of the sweeps world: point clouds of drives, with exact boxes and tracks.

A spinning sensor of many beams on a moving car, among moving, turning and parked vehicles, walls,
poles and clutter on sloping ground; sequences of sweeps half a second apart. Rays are cast exactly,
so what is hidden is hidden; ranges are noisy and returns are lost. The same seed gives the same
bytes. Sources: rendered here; nothing is downloaded.
"""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from tf_taskology.datasets.rendering import builder
from tf_taskology.datasets.sweeps import render, sensor

_COUNTS = {"train": 1000, "validation": 100, "test": 200}
_SENSOR = sensor.Sensor()
_JOB = render.Job()


@dataclasses.dataclass(eq=False)
class SweepsConfig(tfds.core.BuilderConfig):
  """One data set of sweeps.

  Attributes:
    name: made from the other fields; leave it out.
    frames: sweeps of an example.
    interval: seconds between sweeps.
    beams, azimuths, max_range, noise, dropout: of the sensor, see `sensor.Sensor`.
    train, validation, test: number of examples of each split.
    seed: data sets of different seeds have no scene in common.
    num_workers: processes that render; 0 means one for each CPU. Does not change the data.
  """

  name: str = ""
  frames: int = _JOB.frames
  interval: float = _JOB.interval
  beams: int = _SENSOR.beams
  azimuths: int = _SENSOR.azimuths
  max_range: float = _SENSOR.max_range
  noise: float = _SENSOR.noise
  dropout: float = _SENSOR.dropout
  train: int = _COUNTS["train"]
  validation: int = _COUNTS["validation"]
  test: int = _COUNTS["test"]
  seed: int = 0
  num_workers: int = 0

  def __post_init__(self):
    self.job()  # refuses bad fields here, before anything is written
    counts = self.counts()
    for split, count in counts.items():
      if count < 1:
        raise ValueError(f"SweepsConfig.{split} is {count}; expected at least 1 example")
    name = f"{self.beams}x{self.azimuths}_{self.frames}frames"
    for field, usual in (
      ("interval", _JOB.interval),
      ("max_range", _SENSOR.max_range),
      ("noise", _SENSOR.noise),
      ("dropout", _SENSOR.dropout),
    ):
      if getattr(self, field) != usual:
        name += f"_{field.replace('_', '')}{getattr(self, field):g}"
    if counts != _COUNTS:
      name += f"_{self.train}_{self.validation}_{self.test}"
    if self.seed:
      name += f"_seed{self.seed}"
    if self.name not in ("", name):
      raise ValueError(f"SweepsConfig.name is {self.name!r}; leave it out, it would be {name!r}")
    self.name = name
    self.description = (
      f"{self.frames} sweeps of {self.beams} beams and {self.azimuths} azimuths, "
      f"{self.interval:g} s apart, seed {self.seed}"
    )

  def job(self) -> render.Job:
    """What the renderer needs to know of this configuration."""
    device = sensor.Sensor(self.beams, self.azimuths, self.max_range, self.noise, self.dropout)
    return render.Job(self.frames, self.interval, self.seed, device)

  @property
  def num_frames(self) -> int:
    """Frames of an example."""
    return self.frames

  def counts(self) -> dict[str, int]:
    """Split -> number of examples."""
    return {"train": self.train, "validation": self.validation, "test": self.test}


class Sweeps(builder.WorldBuilder):
  """Point clouds with exact boxes, tracks and poses."""

  RENDERER = render
  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First version."}
  BUILDER_CONFIGS = [SweepsConfig(), SweepsConfig(beams=64, azimuths=1024)]

  def _info(self) -> tfds.core.DatasetInfo:
    config = self.builder_config
    return tfds.core.DatasetInfo(
      builder=self,
      description=__doc__,
      features=features(config.frames, config.beams * config.azimuths),
    )


def features(frames: int, points: int) -> tfds.features.FeaturesDict:
  """Features of one example. The own car's frame: x forward, y left, z up, on the ground."""

  def tensor(shape, dtype, doc, encoding=tfds.features.Encoding.ZLIB):
    return tfds.features.Tensor(shape=(frames, *shape), dtype=dtype, encoding=encoding, doc=doc)

  boxes = render.MAX_BOXES
  return tfds.features.FeaturesDict(
    {
      "points": tensor(
        (points, render.POINT_SIZE),
        np.float32,
        "x, y, z in metres in the own car's frame, intensity 0-1; zeros behind num_points",
        tfds.features.Encoding.BYTES,
      ),
      "num_points": tensor((), np.int32, "points of each sweep", tfds.features.Encoding.NONE),
      "boxes": tensor(
        (boxes, 7),
        np.float32,
        "centre x, y, z, length, width, height in metres and heading in radians, in the own car's "
        "frame of each sweep, nearest first; zeros where classes are 0",
      ),
      "classes": tensor((boxes,), np.int32, f"{render.VEHICLE} vehicle, 0 padding"),
      "tracks": tensor((boxes,), np.int32, "the same number for the same vehicle; 0 padding"),
      "box_points": tensor((boxes,), np.int32, "returns of the vehicle; 0: out of sight"),
      "pose": tensor((4, 4), np.float32, "own car to world, metres; world z points up"),
      "sample_id": tfds.features.Text(doc="sweeps/<split>/<index>"),
    }
  )
