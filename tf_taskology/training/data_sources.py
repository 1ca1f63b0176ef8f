"""What a training reads, and whether its batches fit the devices."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.datasets import source as source_lib
from tf_taskology.training import experiment, strategy as strategy_lib


def check(
  collective: experiment.Collective,
  specs: Sequence[experiment.ModuleSpec],
  mode: str,
  strategy: tf.distribute.Strategy,
):
  """Raises ValueError where a module has nothing to learn from, or a batch does not divide over the replicas."""
  for spec in specs:
    if mode == "isolated" and spec.dedicated is None:
      raise ValueError(
        f"Module {spec.name!r} has no labelled data, so it cannot be trained in mode 'isolated'."
      )
    strategy_lib.check_batch_size(f"ModuleSpec({spec.name}).batch_size", spec.batch_size, strategy)
  if collective.mediator is not None:
    strategy_lib.check_batch_size("Mediator.batch_size", collective.mediator.batch_size, strategy)


def of(
  collective: experiment.Collective, specs: Sequence[experiment.ModuleSpec], mode: str
) -> dict[str, tuple[source_lib.Source, str]]:
  """What is trained on and the split, by a name for people."""
  sources = {
    f"dedicated/{spec.name}": (spec.dedicated, "train")
    for spec in specs
    if spec.dedicated is not None
  }
  mediator = collective.mediator
  if mode != "isolated" and mediator is not None:
    sources["mediator"] = (mediator.source, mediator.split)
  return sources
