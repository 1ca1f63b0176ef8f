"""Synchronous training of a collective in one process (Taskology eq. 1): every prediction live, gradients to all."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tf_taskology.training import module as module_lib


def checkpoint_of(module: module_lib.Module) -> tf.train.Checkpoint:
  """What restores a single module from the checkpoint of a collective that had it."""
  by_name = tf.train.Checkpoint(**{module.name: module})
  return tf.train.Checkpoint(model=tf.train.Checkpoint(by_name=by_name))


class SynchronousCollective(tf.keras.Model):
  """Several modules in one step.

  The batch is {module name: {"dedicated": ...}} with one "mediator" that all share. Every module sees the others'
  predictions of this very step. It sees them as constants, so each loss moves its own network only and keeps its
  own weight; the sum of those gradients is the gradient of eq. 1 with a weight for each task. Frozen modules' answers
  come with the batch, as "peers".

  Args:
    modules: compiled modules, each with its own optimiser.
  """

  def __init__(self, modules: Sequence[module_lib.Module], name: str = "collective"):
    super().__init__(name=name)
    self.by_name = {module.name: module for module in modules}  # as checkpoints know them
    mediated = [relation for module in modules for relation in module.mediated]
    for module in modules:
      module.mediator_frames = module.frames_read(mediated)  # the others read it too

  @property
  def modules(self) -> list[module_lib.Module]:
    """All modules, in order."""
    return list(self.by_name.values())

  def call(self, seen, training: bool = False) -> dict[str, tf.Tensor]:
    """Predictions by output name of all modules for which there are enough frames; see `Module.call`."""
    frames = next(iter(seen.values())).shape[1] if isinstance(seen, Mapping) else seen.shape[1]
    able = [module for module in self.modules if module.takes == "frame" or frames > 1]
    return {n: p for module in able for n, p in module(seen, training=training).items()}

  def train_step(self, batch: Mapping) -> dict[str, tf.Tensor]:
    results = {}
    with tf.GradientTape(persistent=True) as tape:
      parts, own = {}, {}
      for module in self.modules:
        parts[module.name] = {
          **batch.get(module.name, {}),
          **{
            k: batch[k] for k in ("mediator", "peers", "peers_info", "waiting_secs") if k in batch
          },
        }
        own[module.name] = module.predict_parts(parts[module.name], training=True)
      totals, terms = {}, {}
      for module in self.modules:
        part = dict(parts[module.name])
        if "mediator" in part:
          part["peers"] = dict(part.get("peers", {})) | {
            name: tf.stop_gradient(prediction)
            for other in self.modules
            if other is not module
            for name, prediction in own[other.name].get("mediator", {}).items()
          }
        totals[module.name], terms[module.name] = module.compute_terms(
          part, own[module.name], module.optimizer.iterations
        )
      scaled = {module.name: module.scaled(totals[module.name]) for module in self.modules}
    for module in self.modules:
      name = module.name
      gradients = tape.gradient(scaled[name], module.network.trainable_variables)
      module.apply_gradients(gradients, totals[name], parts[name])
      module.record(totals[name], terms[name], parts[name], own[name])
      results.update({f"{name}/{key}": value for key, value in module.results().items()})
    del tape
    return results

  @property
  def metrics(self):
    return [metric for module in self.modules for metric in module.metrics]
