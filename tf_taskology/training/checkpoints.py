"""Where a training goes on: its own checkpoint, or that of an earlier run."""

import os
from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.training import module as module_lib, synchronous, work_folder


def restore(
  model: tf.keras.Model,
  modules: Sequence[module_lib.Module],
  checkpoints_dir: str,
  initial_run: str | None,
) -> int:
  """Restores weights, optimisers and steps from the run's own checkpoint, or else from the run that it starts from.

  Args:
    model: what `fit` trains: the only module, or all of them in a synchronous collective.
    modules: the modules in it.
    checkpoints_dir: folder that `callbacks.Backup` writes to; may be empty or absent.
    initial_run: work folder of an earlier run, of whatever mode; None to start from fresh weights.

  Returns:
    The global step.

  Raises:
    ValueError: the earlier run has no checkpoint of a module.
  """
  checkpoint = _newest(checkpoints_dir)
  if checkpoint:
    tf.train.Checkpoint(model=model).restore(checkpoint).expect_partial()
  elif initial_run:
    for module in modules:
      _restore_from_run(module, initial_run)
  return global_step(modules)


def global_step(modules: Sequence[module_lib.Module]) -> int:
  """Steps taken so far."""
  return int(modules[0].optimizer.iterations.numpy())


def _restore_from_run(module, run):
  """From the checkpoint of the module's own trainer, or else of the one that trained all together."""
  own, together = (
    work_folder.checkpoints_dir(run, name) for name in (module.name, work_folder.SYNCHRONOUS)
  )
  if checkpoint := _newest(own):
    tf.train.Checkpoint(model=module).restore(checkpoint).expect_partial()
  elif checkpoint := _newest(together):
    synchronous.checkpoint_of(module).restore(checkpoint).expect_partial()
  if global_step([module]) == 0:
    raise ValueError(
      f"Training.initial_run = {run!r} holds no checkpoint of module {module.name!r}: looked in {own} and {together}."
    )


def _newest(checkpoints_dir):
  return tf.train.latest_checkpoint(os.path.join(checkpoints_dir, "chief"))
