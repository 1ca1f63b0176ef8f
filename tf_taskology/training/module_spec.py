"""What a gin file says of a module: what it performs, on what it trains, or where it was published."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from tf_taskology.tasks import task as task_lib
from tf_taskology.training import settings


@dataclasses.dataclass
class _Performer:
  """What performs tasks: a name, and the tasks. The attributes are described where they are used."""

  name: str
  tasks: Sequence[Any]

  def __post_init__(self):
    settings.require(isinstance(self.name, str) and self.name.isidentifier() and self.name.islower(),
             type(self).__name__, "name", "a lower-case identifier", self.name)  # fmt: skip
    settings.require(bool(self.tasks), self.owner, "tasks", "a non-empty list of tasks", self.tasks)

  @property
  def owner(self) -> str:
    """What it is called in messages."""
    return f"{type(self).__name__}({self.name})"

  @property
  def takes(self) -> str:
    """What its tasks take, "frame" or "pair"; ValueError if they differ."""
    return task_lib.takes_of(self.tasks)

  @property
  def outputs(self) -> tuple[str, ...]:
    """Names of all prediction tensors."""
    return tuple(name for task in self.tasks for name in task.outputs)


@dataclasses.dataclass
class ModuleSpec(_Performer):
  """One module: a network, its tasks, its labelled data (if any) and how it is trained.

  Attributes:
    name: lower-case identifier; also the name of its exports and of its model on servers.
    tasks: `tasks.task.Task` objects; all take frames, or all take pairs.
    network: called as `network(tasks, image_size)`, returns a Keras model (see `networks/`).
    optimization: `training.optimization.Optimization`.
    dedicated: `datasets.source.Source` with labels; None for a module that consistency alone trains.
    batch_size: global batch of dedicated samples.
    num_frames: frames taken of each dedicated sample.
    augmentation: called on own images, e.g. `datasets.augmentation.ColorAugmentation`; None for none.
    flip: mirror samples at random.
    cpu_share: of the machine that the launcher runs it on, in proportion to the other modules' shares: so many threads
      of all CPUs, and so much of the time where all want the same CPU.
    strategy: as in `Training`, for this module alone; None for what is said there.
  """

  network: Callable
  optimization: Any
  dedicated: Any = None
  batch_size: int = 16
  num_frames: int = 1
  augmentation: Callable | None = None
  flip: bool = True
  cpu_share: float = 1.0
  strategy: str | None = None

  def __post_init__(self):
    super().__post_init__()
    owner = self.owner
    settings.require(
      callable(self.network),
      owner,
      "network",
      "a network object such as @compact.Compact()",
      self.network,
    )
    for field in ("batch_size", "num_frames"):
      value = getattr(self, field)
      settings.require(
        isinstance(value, int) and value >= 1, owner, field, "a whole number >= 1", value
      )
    settings.require(self.cpu_share > 0, owner, "cpu_share", "> 0", self.cpu_share)
    settings.require(
      self.strategy in (None, *settings.STRATEGIES),
      owner,
      "strategy",
      f"None or one of {settings.STRATEGIES}",
      self.strategy,
    )
    if self.takes == "pair" and self.dedicated is not None:
      settings.require(
        self.num_frames >= 2, owner, "num_frames", "2 or more, for its tasks take pairs of frames",
        self.num_frames,
      )  # fmt: skip


@dataclasses.dataclass
class FrozenModule(_Performer):
  """A module that was trained before and learns no more: the others' peer, run in their own processes.

  Attributes:
    name: lower-case identifier.
    tasks: what it performs, as when it was trained.
    path: one published version, or the folder of a module's versions (<work_dir>/exports/<module>): the newest.
  """

  path: str

  def __post_init__(self):
    super().__post_init__()
    settings.require(
      isinstance(self.path, str) and bool(self.path), self.owner, "path", "a folder", self.path
    )
