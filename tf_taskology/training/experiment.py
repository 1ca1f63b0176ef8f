"""What a gin file says: the collective, its modules and how they train.

Everything here is a light description. It is checked when gin builds it, before any process starts, and nothing of
it touches TensorFlow's runtime until a trainer asks.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tf_taskology.consistency import consistency_loss
from tf_taskology.training import module_spec, schedules, settings

MODES = ("distributed", "synchronous", "isolated")
STRATEGIES, PRECISIONS = settings.STRATEGIES, settings.PRECISIONS

# A gin file finds all of an experiment here.
Publishing, Peering, Training = settings.Publishing, settings.Peering, settings.Training
Mediator = settings.Mediator
ModuleSpec, FrozenModule = module_spec.ModuleSpec, module_spec.FrozenModule


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
    settings.require(
      bool(self.modules), "Collective", "modules", "a non-empty list of modules", self.modules
    )
    every = [*self.modules, *self.frozen]
    names = [m.name for m in every]
    settings.require(
      len(set(names)) == len(names), "Collective", "modules", "modules of different names", names
    )
    provided = {output: m.name for m in every for output in m.outputs}
    outputs = [output for m in every for output in m.outputs]
    settings.require(
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

  def source_of(self, spec: ModuleSpec):
    """The `Source` of the data that a module is built for: its labelled data, else the mediator's."""
    return self.mediator.source if spec.dedicated is None else spec.dedicated

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

  def label_tasks(self, spec: ModuleSpec) -> list:
    """Tasks that make the labels of a module's dedicated batches: its own, and others whose labels stand for predictions."""
    needed = self._standing(spec)
    others = [t for m in [*self.modules, *self.frozen] if m is not spec for t in m.tasks]
    return [*spec.tasks, *(t for t in others if needed & set(t.outputs) - set(t.reads))]

  def labels_of(self, spec: ModuleSpec) -> tuple[str, ...]:
    """Labels read of the module's dedicated data, as the data set has them."""
    tasks = self.label_tasks(spec)
    made = {output for task in tasks for output in task.outputs}
    labels = [name for task in tasks for name in task.reads]
    return tuple(dict.fromkeys([*labels, *sorted(self._standing(spec) - made)]))

  def _standing(self, spec):
    """Outputs of others whose labels stand for predictions in losses on labelled samples."""
    losses = [
      loss
      for loss in self.relations_of(spec)
      if any(
        o in spec.outputs and not schedules.is_zero(w) for o, w in loss.labelled_weights.items()
      )
    ]
    return {output for loss in losses for output in loss.needs} - set(spec.outputs)
