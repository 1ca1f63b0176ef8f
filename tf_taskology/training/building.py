"""A module from its description."""

import tensorflow as tf

from tf_taskology.datasets import observations
from tf_taskology.training import experiment, module as module_lib, strategy


def network(collective: experiment.Collective, spec: experiment.ModuleSpec) -> tf.keras.Model:
  """The module's network with fresh weights."""
  source = collective.source_of(spec)
  observation = observations.of_tasks(spec.tasks)
  observation.check_source(source)
  return observation.build(spec.network, spec.tasks, source)


def build(
  collective: experiment.Collective, spec: experiment.ModuleSpec, isolated: bool
) -> module_lib.Module:
  """The compiled module with fresh weights, which follow from the seed and the module's place in the collective.

  Args:
    collective: the configuration.
    spec: the module's part of it.
    isolated: leave consistency losses out.
  """
  settings = collective.training
  tf.keras.utils.set_random_seed(settings.seed + 1000 * collective.modules.index(spec))
  with strategy.precision(settings.precision):
    built = network(collective, spec)
  optimizer = spec.optimization.build()
  if settings.precision == "mixed_float16":
    optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
  peers = collective.peers_of(spec)
  module = module_lib.Module(
    built,
    spec.tasks,
    () if isolated else collective.relations_of(spec),
    name=spec.name,
    peer_of={output: peer for peer, outputs in peers.items() for output in outputs},
    xla_losses=settings.xla_losses,
  )
  module.compile(optimizer=optimizer, steps_per_execution=settings.steps_per_execution)
  module.optimizer.build(built.trainable_variables)
  return module
