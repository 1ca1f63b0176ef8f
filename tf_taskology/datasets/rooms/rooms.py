"""TFDS builder of the rooms world: furnished rooms, two views each, rendered with exact labels.

Two domains share the statistics of their geometry: `simulated` has flat colours and a head light,
`sensor` has textures, coloured lights with shadows and the effects of a camera. The same seed gives
the same bytes. Sources: rendered here; nothing is downloaded.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import logging as python_logging
import os
import pathlib
import shutil
import time
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from etils import epath

from tf_taskology.datasets.rooms import furniture, render, shading, workers

_LOG_SECONDS = 5.0
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

  def counts(self) -> dict[str, int]:
    """Split -> number of examples."""
    return {"train": self.train, "validation": self.validation, "test": self.test}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Keeps TFDS's own notes away while the body runs, and its progress bars from then on."""

  def ours(record: python_logging.LogRecord) -> bool:
    return record.levelno >= python_logging.ERROR or "tensorflow_datasets" not in record.pathname

  tfds.disable_progress_bar()
  logger = logging.get_absl_logger()
  logger.addFilter(ours)
  try:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
      yield
  finally:
    logger.removeFilter(ours)


class _Progress:
  """Logs how rendering comes along: share, frames a second, time left."""

  def __init__(self, name: str, examples: int):
    self._name, self._total = name, examples
    self._done, self._start, self._logged = 0, time.monotonic(), time.monotonic()

  def step(self) -> None:
    """Counts one example; logs every few seconds and at the end."""
    self._done += 1
    now = time.monotonic()
    if self._done == self._total or now - self._logged >= _LOG_SECONDS:
      self._logged = now
      logging.info("%s", progress_line(self._name, self._done, self._total, now - self._start))


def progress_line(name: str, done: int, total: int, seconds: float) -> str:
  """One line about `done` of `total` examples after `seconds`."""
  rate = done / max(seconds, 1e-9)
  left = f"ETA {(total - done) / rate:.0f} s" if done < total else f"took {seconds:.1f} s"
  return (
    f"rooms/{name} | rendered {done}/{total} examples ({100 * done // total} %)"
    f" | {render.FRAMES * rate:.1f} frames/s | {left}"
  )


class Rooms(tfds.core.GeneratorBasedBuilder):
  """Furnished rooms rendered with exact depth, normals, segmentation and poses."""

  # TFDS would look this up through `importlib_resources`, which it needs for a namespace package
  # like this one but does not bring along.
  code_path = epath.Path(__file__)

  VERSION = tfds.core.Version("1.0.0")
  RELEASE_NOTES = {"1.0.0": "First version."}
  BUILDER_CONFIGS = [
    RoomsConfig(domain=domain, height=height, width=width)
    for height, width in _SIZES
    for domain in render.DOMAINS
  ]

  def as_dataset(self, *args, **kwargs):
    """As TFDS's own, without its notes; see `tfds.core.DatasetBuilder.as_dataset`."""
    with _quiet():
      return super().as_dataset(*args, **kwargs)

  def _info(self) -> tfds.core.DatasetInfo:
    return tfds.core.DatasetInfo(
      builder=self,
      description=__doc__,
      features=features(self.builder_config.height, self.builder_config.width),
    )

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing to download
    progress = _Progress(self.builder_config.name, sum(self.builder_config.counts().values()))
    return {
      split: self._generate_examples(split, count, progress)
      for split, count in self.builder_config.counts().items()
    }

  def _generate_examples(self, split: str, count: int, progress: _Progress):
    config = self.builder_config
    for index, example in enumerate(
      workers.render_split(config.job(), split, count, config.num_workers)
    ):
      progress.step()
      yield index, example


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


@contextlib.contextmanager
def _locked(folder: pathlib.Path, name: str) -> Iterator[None]:
  """Holds an exclusive lock for one configuration; the system frees it when a process dies."""
  try:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o664)
  except OSError as error:
    raise OSError(
      f"cannot write the rooms data set {name!r} to {str(folder)!r} ({error.strerror}): choose a "
      "folder that can be written, or one where it has been prepared before"
    ) from error
  try:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      logging.info("rooms/%s | another process renders it into %s; waiting", name, folder)
      fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
  finally:
    os.close(descriptor)


def stock(config: RoomsConfig) -> RoomsConfig:
  """The builder's own object for a stock configuration, for TFDS accepts no twin of it."""
  return Rooms.builder_configs.get(config.name, config)


def prepare(config: RoomsConfig, data_dir: str | os.PathLike) -> Rooms:
  """Renders a data set unless it is there, and returns its builder.

  Several processes may call this for the same folder at once: one renders, the others wait. A
  process killed on the way leaves nothing that a later call would take for a data set.

  Args:
    config: which data set.
    data_dir: TFDS folder; the data set goes to `<data_dir>/rooms/<config name>/<version>`.

  Returns:
    The builder; `builder.as_dataset(split="train")` reads it.

  Raises:
    OSError: the folder cannot be written and the data set is not there.
  """
  data_dir = pathlib.Path(data_dir).expanduser()
  with _quiet():
    builder = Rooms(config=stock(config), data_dir=str(data_dir))
    if builder.data_path.exists():
      return builder
    with _locked(data_dir / "rooms", config.name):
      for leftover in builder.data_path.parent.glob("incomplete.*"):
        shutil.rmtree(leftover)  # of a killed process: whoever writes holds the lock
      # Made anew, because another process may have finished the data set in the meantime.
      builder = Rooms(config=stock(config), data_dir=str(data_dir))
      builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False),
        download_dir=str(data_dir / "rooms"),
      )
  return builder
