"""What a gin file says: the collective, its modules and how they train.

Everything here is a light description. It is checked when gin builds it, before any process starts, and nothing of
it touches TensorFlow's runtime until a trainer asks.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_taskology.consistency import consistency_loss
from tf_taskology.tasks import task as task_lib
from tf_taskology.training import schedules

MODES = ("distributed", "synchronous", "isolated")
STRATEGIES = ("one_device", "mirrored", "multi_worker_mirrored")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def _require(condition: bool, owner: str, field: str, expected: str, received):
  if not condition:
    raise ValueError(f"{owner}.{field} must be {expected}. Received: {received!r}.")


@dataclasses.dataclass
class Publishing:
  """When a trainer publishes and how many versions stay.

  Attributes:
    every_steps: publish whenever the global step passes a multiple of it; None for never by steps.
    every_secs: publish when so many seconds have passed since the last time; None for never by time.
    keep: newest versions kept on disk.
  """

  every_steps: int | None = 100
  every_secs: float | None = None
  keep: int = 2

  def __post_init__(self):
    for field in ("every_steps", "every_secs"):
      value = getattr(self, field)
      _require(value is None or value > 0, "Publishing", field, "> 0 or None", value)
    _require(
      isinstance(self.keep, int) and self.keep >= 1,
      "Publishing",
      "keep",
      "a whole number >= 1",
      self.keep,
    )


@dataclasses.dataclass
class Peering:
  """How a trainer deals with its peers.

  Attributes:
    policy: what to do while a peer does not answer: "wait"; "skip" (the terms that need it weigh 0 for that batch);
      "last" (the newest SavedModel that it has published on disk).
    in_flight: batches whose predictions are fetched ahead.
    deadline_secs: of one request.
    max_staleness_secs: answers older than this count as none; None for no bound.
    start_timeout_secs: how long to wait, before training, for a peer's model server, and then for its first version.
    tls_root_certificates: path of a PEM file; None for plain connections.
    foreign: peer name -> `peers.mapping.Mapping`, for models that somebody else exported.
  """

  policy: str = "wait"
  in_flight: int = 4
  deadline_secs: float = 10.0
  max_staleness_secs: float | None = None
  start_timeout_secs: float = 300.0
  tls_root_certificates: str | None = None
  foreign: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    _require(
      self.policy in ("wait", "skip", "last"),
      "Peering",
      "policy",
      "'wait', 'skip' or 'last'",
      self.policy,
    )
    _require(
      isinstance(self.in_flight, int) and self.in_flight >= 1,
      "Peering",
      "in_flight",
      "a whole number >= 1",
      self.in_flight,
    )
    for field in ("deadline_secs", "start_timeout_secs"):
      _require(getattr(self, field) > 0, "Peering", field, "> 0", getattr(self, field))
    _require(
      self.max_staleness_secs is None or self.max_staleness_secs > 0,
      "Peering", "max_staleness_secs", "> 0 or None", self.max_staleness_secs,
    )  # fmt: skip


@dataclasses.dataclass
class _Performer:
  """What performs tasks: a name, and the tasks. The attributes are described where they are used."""

  name: str
  tasks: Sequence[Any]

  def __post_init__(self):
    _require(isinstance(self.name, str) and self.name.isidentifier() and self.name.islower(),
             type(self).__name__, "name", "a lower-case identifier", self.name)  # fmt: skip
    _require(bool(self.tasks), self.owner, "tasks", "a non-empty list of tasks", self.tasks)

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
    _require(
      callable(self.network),
      owner,
      "network",
      "a network object such as @compact.Compact()",
      self.network,
    )
    for field in ("batch_size", "num_frames"):
      value = getattr(self, field)
      _require(isinstance(value, int) and value >= 1, owner, field, "a whole number >= 1", value)
    _require(self.cpu_share > 0, owner, "cpu_share", "> 0", self.cpu_share)
    _require(
      self.strategy in (None, *STRATEGIES),
      owner,
      "strategy",
      f"None or one of {STRATEGIES}",
      self.strategy,
    )
    if self.takes == "pair" and self.dedicated is not None:
      _require(
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
    _require(
      isinstance(self.path, str) and bool(self.path), self.owner, "path", "a folder", self.path
    )


@dataclasses.dataclass
class Mediator:
  """The unlabelled data that the modules share.

  Attributes:
    source: `datasets.source.Source`; its labels are never looked at.
    batch_size: global batch of mediator samples.
    augmentation: called on the own network's view of them; peers are sent the images as they are.
    flip: mirror samples at random.
    split: which part of the source.
  """

  source: Any
  batch_size: int = 16
  augmentation: Callable | None = None
  flip: bool = True
  split: str = "train"

  def __post_init__(self):
    _require(
      isinstance(self.batch_size, int) and self.batch_size >= 1,
      "Mediator",
      "batch_size",
      "a whole number >= 1",
      self.batch_size,
    )


@dataclasses.dataclass
class Training:
  """What all trainers of a collective have in common.

  Attributes:
    steps: global step at which training ends.
    initial_run: work folder of an earlier run whose weights, optimisers and steps the modules start from.
    steps_per_epoch: steps between reports (a Keras epoch).
    steps_per_execution: steps per call of the compiled loop.
    checkpoint_steps: steps between checkpoints; None for every epoch.
    seed: of initial weights and data order.
    precision: Keras mixed-precision policy of the networks.
    strategy: "one_device", "mirrored" (all local devices) or "multi_worker_mirrored" (`TF_CONFIG`).
    xla_losses: compile the losses with XLA.
    images_every_epochs: epochs between pictures in TensorBoard; 0 for none.
  """

  steps: int
  initial_run: str | None = None
  steps_per_epoch: int = 100
  steps_per_execution: int = 1
  checkpoint_steps: int | None = None
  seed: int = 0
  precision: str = "float32"
  strategy: str = "one_device"
  xla_losses: bool = False
  images_every_epochs: int = 5

  def __post_init__(self):
    for field in ("steps", "steps_per_epoch", "steps_per_execution"):
      value = getattr(self, field)
      _require(
        isinstance(value, int) and value >= 1, "Training", field, "a whole number >= 1", value
      )
    _require(self.steps_per_epoch % self.steps_per_execution == 0, "Training", "steps_per_execution",
             f"a divisor of steps_per_epoch ({self.steps_per_epoch})", self.steps_per_execution)  # fmt: skip
    if self.checkpoint_steps is None:
      self.checkpoint_steps = self.steps_per_epoch
    _require(self.checkpoint_steps >= 1 and self.checkpoint_steps % self.steps_per_execution == 0, "Training",
             "checkpoint_steps", f"a multiple of steps_per_execution ({self.steps_per_execution})", self.checkpoint_steps)  # fmt: skip
    _require(
      self.strategy in STRATEGIES, "Training", "strategy", f"one of {STRATEGIES}", self.strategy
    )
    _require(
      self.precision in PRECISIONS, "Training", "precision", f"one of {PRECISIONS}", self.precision
    )
    _require(
      isinstance(self.seed, int) and self.seed >= 0,
      "Training",
      "seed",
      "a whole number >= 0",
      self.seed,
    )


@dataclasses.dataclass
class Collective:
  """The root of a configuration: the modules that train together.

  Attributes:
    modules: the modules.
    frozen: modules that only answer.
    training: what they have in common.
    mediator: shared unlabelled data; needed where there are consistency losses.
    consistency: consistency losses; each says with which weight it trains which output.
    publishing: when SavedModels are written.
    peering: how peers are asked.
    evaluation: `evaluation.spec.EvaluationSpec` objects: on what the modules are evaluated.
  """

  modules: Sequence[ModuleSpec]
  training: Training
  mediator: Mediator | None = None
  consistency: Sequence[Any] = ()
  publishing: Publishing = dataclasses.field(default_factory=Publishing)
  peering: Peering = dataclasses.field(default_factory=Peering)
  evaluation: Sequence[Any] = ()
  frozen: Sequence[FrozenModule] = ()

  def __post_init__(self):
    _require(
      bool(self.modules), "Collective", "modules", "a non-empty list of modules", self.modules
    )
    every = [*self.modules, *self.frozen]
    names = [m.name for m in every]
    _require(
      len(set(names)) == len(names), "Collective", "modules", "modules of different names", names
    )
    provided = {output: m.name for m in every for output in m.outputs}
    outputs = [output for m in every for output in m.outputs]
    _require(
      len(provided) == len(outputs),
      "Collective",
      "modules",
      "modules whose outputs differ",
      outputs,
    )
    foreign = {output for mapping in self.peering.foreign.values() for output in mapping.outputs}
    for loss in self.consistency:
      missing = sorted(set(loss.needs) - set(provided) - foreign)
      if missing:
        raise ValueError(
          f"The consistency loss {loss.name!r} needs {missing}, which no module provides. "
          f"Modules provide: {', '.join(f'{o} ({m})' for o, m in sorted(provided.items()))}."
        )
    if any(loss.weights for loss in self.consistency) and self.mediator is None:
      raise ValueError(
        "Collective.mediator is not set, but consistency losses need unlabelled samples."
      )
    self._check_data()

  def _check_data(self):
    """Every module must be trained by something, and the mediator's samples must have the frames that are read."""
    for spec in self.modules:
      if spec.dedicated is None and not self.mediated(spec):
        raise ValueError(
          f"{spec.owner} has no `dedicated` data, and no consistency loss trains it on unlabelled samples: "
          f"name one of its outputs {list(spec.outputs)} in the weights of one, or give it labelled data."
        )
    used = {id(loss): loss for spec in self.modules for loss in self.mediated(spec)}
    for loss in used.values():
      frames, given = consistency_loss.frames_read([loss]), self.mediator.source.num_frames
      if frames > given:
        raise ValueError(
          f"The consistency loss {loss.name!r} reads {frames} frames of each unlabelled sample, but "
          f"{self.mediator.source.describe()} gives {given}."
        )

  def strategy_of(self, spec: ModuleSpec | None) -> str:
    """Name of the `tf.distribute` strategy that trains a module, or all of them in one process (None)."""
    return (spec and spec.strategy) or self.training.strategy

  def image_size(self, spec: ModuleSpec) -> tuple[int, int]:
    """(height, width) of the images that a module is built for: those of its labelled data, else the mediator's."""
    source = self.mediator.source if spec.dedicated is None else spec.dedicated
    return source.image_size

  def module(self, name: str) -> ModuleSpec:
    """The module of that name, or a ValueError that lists the names."""
    for spec in self.modules:
      if spec.name == name:
        return spec
    raise ValueError(
      f"There is no module {name!r}. The modules are: {', '.join(m.name for m in self.modules)}."
    )

  def relations_of(self, spec: ModuleSpec) -> list:
    """Consistency losses that train a module, on unlabelled or on labelled samples."""
    return [
      loss for loss in self.consistency
      if any(o in spec.outputs and not schedules.is_zero(w)
             for o, w in [*loss.weights.items(), *loss.labelled_weights.items()])
    ]  # fmt: skip

  def mediated(self, spec: ModuleSpec) -> list:
    """Consistency losses that train a module on mediator samples."""
    return [
      loss for loss in self.consistency
      if any(o in spec.outputs and not schedules.is_zero(w) for o, w in loss.weights.items())
    ]  # fmt: skip

  def peers_of(self, spec: ModuleSpec) -> dict[str, tuple[str, ...]]:
    """Peer name -> outputs that the module's consistency losses need of it."""
    needed = {output for loss in self.mediated(spec) for output in loss.needs} - set(spec.outputs)
    owners = {o: m.name for m in [*self.modules, *self.frozen] for o in m.outputs}
    owners.update(
      {o: name for name, mapping in self.peering.foreign.items() for o in mapping.outputs}
    )
    peers: dict[str, tuple[str, ...]] = {}
    for output in sorted(needed):
      peers[owners[output]] = (*peers.get(owners[output], ()), output)
    return peers

  def needs_pose(self, losses: Sequence[Any]) -> bool:
    """Whether any of these losses reads camera poses."""
    return any("pose" in loss.needs_inputs for loss in losses)

  def labels_of(self, spec: ModuleSpec) -> tuple[str, ...]:
    """Labels read of the module's dedicated data: its own, and those that stand for other tasks' predictions."""
    labels = list(spec.outputs)
    for loss in self.relations_of(spec):
      if any(
        o in spec.outputs and not schedules.is_zero(w) for o, w in loss.labelled_weights.items()
      ):
        labels += [o for o in loss.needs if o not in labels]
    return tuple(labels)
