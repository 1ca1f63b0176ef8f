"""What the TFDS builders of rendered worlds share: names, progress, locking, quiet, several processes."""

import abc
import contextlib
import dataclasses
import fcntl
import logging as python_logging
import os
import pathlib
import shutil
import time
import types
from collections.abc import Iterator

import tensorflow_datasets as tfds
from absl import logging
from etils import epath

from tf_taskology.datasets.rendering import workers

_LOG_SECONDS = 5.0


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

  def __init__(self, name: str, examples: int, frames: int):
    self._name, self._total, self._frames = name, examples, frames
    self._done, self._start, self._logged = 0, time.monotonic(), time.monotonic()

  def step(self) -> None:
    """Counts one example; logs every few seconds and at the end."""
    self._done += 1
    now = time.monotonic()
    if self._done == self._total or now - self._logged >= _LOG_SECONDS:
      self._logged = now
      seconds = now - self._start
      logging.info("%s", progress_line(self._name, self._done, self._total, self._frames, seconds))


def progress_line(name: str, done: int, total: int, frames: int, seconds: float) -> str:
  """One line about `done` of `total` examples of `frames` frames each after `seconds`."""
  rate = done / max(seconds, 1e-9)
  left = f"ETA {(total - done) / rate:.0f} s" if done < total else f"took {seconds:.1f} s"
  return (
    f"{name} | rendered {done}/{total} examples ({100 * done // total} %)"
    f" | {frames * rate:.1f} frames/s | {left}"
  )


@contextlib.contextmanager
def _locked(folder: pathlib.Path, name: str) -> Iterator[None]:
  """Holds an exclusive lock for one configuration; the system frees it when a process dies."""
  try:
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o664)
  except OSError as error:
    raise OSError(
      f"cannot write the {folder.name} data set {name!r} to {str(folder)!r} ({error.strerror}): choose a "
      "folder that can be written, or one where it has been prepared before"
    ) from error
  try:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      logging.info("%s/%s | another process renders it into %s; waiting", folder.name, name, folder)
      fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
  finally:
    os.close(descriptor)


@dataclasses.dataclass(eq=False)
class WorldConfig(tfds.core.BuilderConfig, abc.ABC):
  """One data set of a rendered world. A subclass sets the defaults and adds what its world has besides.

  Attributes:
    name: made from the other fields; leave it out.
    domain: one of the renderer's DOMAINS.
    height, width: of the images, pixels.
    train, validation, test: number of examples of each split.
    seed: data sets of different seeds have nothing in common.
    num_workers: processes that render; 0 means one for each CPU. Does not change the data.
  """

  name: str = ""
  domain: str = ""
  height: int = 0
  width: int = 0
  train: int = 0
  validation: int = 0
  test: int = 0
  seed: int = 0
  num_workers: int = 0

  def __post_init__(self):
    self.job()  # refuses a bad domain, size or seed here, before anything is written
    world, counts = type(self), self.counts()
    for split, count in counts.items():
      if count < 1:
        raise ValueError(f"{world.__name__}.{split} is {count}; expected at least 1 example")
    name = f"{self.domain}_{self.height}x{self.width}{self._shape_name()}"
    if counts != {split: getattr(world, split) for split in counts}:
      name += f"_{self.train}_{self.validation}_{self.test}"
    if self.seed:
      name += f"_seed{self.seed}"
    name += self._effects_name()
    if self.name not in ("", name):
      raise ValueError(
        f"{world.__name__}.name is {self.name!r}; leave it out, it would be {name!r}"
      )
    self.name = name

  @abc.abstractmethod
  def job(self):
    """What the renderer needs to know of this configuration."""

  @property
  @abc.abstractmethod
  def num_frames(self) -> int:
    """Frames of an example."""

  def counts(self) -> dict[str, int]:
    """Split -> number of examples."""
    return {"train": self.train, "validation": self.validation, "test": self.test}

  def _shape_name(self) -> str:
    """How the name tells shapes of examples apart, besides by the size of images."""
    return ""

  def _effects_name(self) -> str:
    """How the name tells apart what the world may have besides."""
    return ""


class WorldBuilder(tfds.core.GeneratorBasedBuilder):
  """Base of the builders: renders the splits that its configuration counts.

  Its configurations are of a `WorldConfig`. A builder sets RENDERER, `_info` and its versions.
  """

  # TFDS would look this up through `importlib_resources`, which it needs for namespace packages
  # like ours but does not bring along.
  code_path = epath.Path(__file__)

  RENDERER: types.ModuleType

  def as_dataset(self, *args, **kwargs):
    """As TFDS's own, without its notes; see `tfds.core.DatasetBuilder.as_dataset`."""
    with _quiet():
      return super().as_dataset(*args, **kwargs)

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing to download
    config = self.builder_config
    name = f"{self.name}/{config.name}"
    progress = _Progress(name, sum(config.counts().values()), config.num_frames)
    return {
      split: self._generate_examples(split, count, progress)
      for split, count in config.counts().items()
    }

  def _generate_examples(self, split: str, count: int, progress: _Progress):
    config = self.builder_config
    examples = workers.render_split(self.RENDERER, config.job(), split, count, config.num_workers)
    for index, example in enumerate(examples):
      progress.step()
      yield index, example


def stock(builder: type[WorldBuilder], config: WorldConfig) -> WorldConfig:
  """The builder's own object for a stock configuration, for TFDS accepts no twin of it."""
  return builder.builder_configs.get(config.name, config)


def prepare(
  builder: type[WorldBuilder], config: WorldConfig, data_dir: str | os.PathLike
) -> WorldBuilder:
  """Renders a data set unless it is there, and returns its builder.

  Several processes may call this for the same folder at once: one renders, the others wait. A
  process killed on the way leaves nothing that a later call would take for a data set.

  Args:
    builder: of the world.
    config: which data set.
    data_dir: TFDS folder; the data set goes to `<data_dir>/<world>/<config name>/<version>`.

  Returns:
    The builder; `builder.as_dataset(split="train")` reads it.

  Raises:
    OSError: the folder cannot be written and the data set is not there.
  """
  data_dir = pathlib.Path(data_dir).expanduser()
  folder = data_dir / builder.name
  with _quiet():
    made = builder(config=stock(builder, config), data_dir=str(data_dir))
    if made.data_path.exists():
      return made
    with _locked(folder, config.name):
      for leftover in made.data_path.parent.glob("incomplete.*"):
        shutil.rmtree(leftover)  # of a killed process: whoever writes holds the lock
      # Made anew, because another process may have finished the data set in the meantime.
      made = builder(config=stock(builder, config), data_dir=str(data_dir))
      made.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False),
        download_dir=str(folder),
      )
  return made


def default_data_dir() -> str:
  """The user's cache folder for rendered data."""
  cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
  return os.path.join(cache, "tf_taskology", "data")
