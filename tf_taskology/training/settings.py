"""What a gin file says of how modules train, publish and ask, apart from the modules themselves."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

STRATEGIES = ("one_device", "mirrored", "multi_worker_mirrored")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def require(condition: bool, owner: str, field: str, expected: str, received):
  """Raises a ValueError that names the field, what is expected and what was received, unless `condition`."""
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
      require(value is None or value > 0, "Publishing", field, "> 0 or None", value)
    require(
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
    require(
      self.policy in ("wait", "skip", "last"),
      "Peering",
      "policy",
      "'wait', 'skip' or 'last'",
      self.policy,
    )
    require(
      isinstance(self.in_flight, int) and self.in_flight >= 1,
      "Peering",
      "in_flight",
      "a whole number >= 1",
      self.in_flight,
    )
    for field in ("deadline_secs", "start_timeout_secs"):
      require(getattr(self, field) > 0, "Peering", field, "> 0", getattr(self, field))
    require(
      self.max_staleness_secs is None or self.max_staleness_secs > 0,
      "Peering", "max_staleness_secs", "> 0 or None", self.max_staleness_secs,
    )  # fmt: skip


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
    require(
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
      require(
        isinstance(value, int) and value >= 1, "Training", field, "a whole number >= 1", value
      )
    require(self.steps_per_epoch % self.steps_per_execution == 0, "Training", "steps_per_execution",
             f"a divisor of steps_per_epoch ({self.steps_per_epoch})", self.steps_per_execution)  # fmt: skip
    if self.checkpoint_steps is None:
      self.checkpoint_steps = self.steps_per_epoch
    require(self.checkpoint_steps >= 1 and self.checkpoint_steps % self.steps_per_execution == 0, "Training",
             "checkpoint_steps", f"a multiple of steps_per_execution ({self.steps_per_execution})", self.checkpoint_steps)  # fmt: skip
    require(
      self.strategy in STRATEGIES, "Training", "strategy", f"one of {STRATEGIES}", self.strategy
    )
    require(
      self.precision in PRECISIONS, "Training", "precision", f"one of {PRECISIONS}", self.precision
    )
    require(
      isinstance(self.seed, int) and self.seed >= 0,
      "Training",
      "seed",
      "a whole number >= 0",
      self.seed,
    )
