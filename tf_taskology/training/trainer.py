"""Trains one module (or, synchronously, all of them) from a configuration: the only place where all parts meet."""

import dataclasses
import functools
import os
import sys
from collections.abc import Mapping, Sequence

import tensorflow as tf
from absl import logging

from tf_taskology.peers import interrupts, peer as peer_lib
from tf_taskology.training import (
  building,
  callbacks,
  checkpoints,
  data_sources,
  errors,
  experiment,
  inputs,
  locks,
  module as module_lib,
  peering,
  pictures,
  status as status_lib,
  stopping,
  strategy as strategy_lib,
  synchronous,
  versions as versions_lib,
  work_folder,
)


@dataclasses.dataclass
class TrainResult:
  """What came of a training.

  Attributes:
    step: global step reached.
    stopped: True if it ended early because it was asked to.
    exports: module name -> folder of the newest published version.
  """

  step: int
  stopped: bool
  exports: dict[str, str]


def train(
  collective: experiment.Collective,
  *,
  work_dir: str,
  mode: str,
  module: str | None = None,
  peer_targets: Mapping[str, Sequence[str]] | None = None,
  extra_callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> TrainResult:
  """Trains until `collective.training.steps`, from the last checkpoint in the work folder if there is one.

  The stages: lock the module's folder; build network, optimiser and data under the strategy; restore; publish a first
  version; wait for the peers' first versions; `fit`; publish the last version.

  Args:
    collective: the configuration.
    work_dir: folder of the run.
    mode: "distributed" (one module, peers behind model servers), "isolated" (one module without consistency) or
      "synchronous" (all modules in this process).
    module: name of the module; None for "synchronous".
    peer_targets: peer name -> addresses "host:port" of its model servers.
    extra_callbacks: Keras callbacks that are added to the trainer's own.

  Raises:
    ValueError: the configuration does not fit the data, the devices or the peers.
    errors.TrainingFailed: the loss is not a number.
  """
  name = work_folder.SYNCHRONOUS if mode == "synchronous" else module
  folder = work_folder.module_dir(work_dir, name)
  strategy = strategy_lib.make(_strategy_name(collective, mode, module))
  chief = strategy_lib.is_chief(strategy)
  lock = locks.Lock(os.path.join(folder, locks.FILE_NAME), timeout_secs=20.0) if chief else None
  try:
    with stopping.Stop(strategy) as stop:
      return _Run(collective, work_dir, mode, name, strategy, peer_targets or {}, stop).train(
        extra_callbacks
      )
  finally:
    if lock is not None:
      lock.release()


def _strategy_name(collective, mode, module):
  return collective.strategy_of(None if mode == "synchronous" else collective.module(module))


class _Run:
  """One call of `train`."""

  def __init__(self, collective, work_dir, mode, name, strategy, peer_targets, stop):
    self._collective, self._work_dir, self._mode, self._name = collective, work_dir, mode, name
    self._settings = collective.training
    self._strategy = strategy
    self._chief = strategy_lib.is_chief(strategy)
    self._folder = work_folder.module_dir(work_dir, name)
    self._reporter = callbacks.Reporter(
      self._folder,
      status_lib.Status(module=name, steps=self._settings.steps, message="building"),
      self._chief,
    )
    self._specs = list(collective.modules) if mode == "synchronous" else [collective.module(name)]
    self._peering = None
    self._peer_targets = peer_targets
    self._stop = stop

  def train(self, extra_callbacks) -> TrainResult:
    """See the function `train`."""
    try:
      self._reporter.update(state="starting")
      return self._train(extra_callbacks)
    except tf.errors.InvalidArgumentError as error:
      if "Cannot read image" in str(error):  # `datasets.rgbd_images`, which names the file
        message = str(error).splitlines()[0]
        self._fail(message)
        raise ValueError(message) from error
      if module_lib.NOT_FINITE not in str(error):
        self._fail(str(error))
        raise
      message = errors.not_finite(str(error), module_lib.NOT_FINITE, self._checkpoints())
      self._fail(message)
      raise errors.TrainingFailed(message) from error
    except Exception as error:
      self._fail(str(error))
      raise
    finally:
      self._close_peers()

  def _close_peers(self):
    if self._peering is not None:
      self._peering.stage.close()

  def _fail(self, message):
    self._reporter.update(state="failed", message=message[:2000])

  def _train(self, extra_callbacks):
    data_sources.check(self._collective, self._specs, self._mode, self._strategy)
    versions = versions_lib.Versions(
      self._collective.publishing,
      self._specs if self._chief else (),
      self._work_dir,
      self._reporter,
    )
    self._reporter.update(message="preparing data")
    for source, _ in self._sources().values():
      source.prepare()
    self._reporter.update(message="building networks")
    with self._strategy.scope():
      isolated = self._mode == "isolated"
      modules = [building.build(self._collective, spec, isolated) for spec in self._specs]
      model = (
        modules[0] if self._mode != "synchronous" else synchronous.SynchronousCollective(modules)
      )
      self._compile(model, modules)
    step = checkpoints.restore(model, modules, self._checkpoints(), self._settings.initial_run)
    self._reporter.update(step=step, initial_step=step)
    versions.publish(modules, step)
    if step < self._settings.steps and not self._stop.at_once:
      try:
        # Several workers end together, so no signal may take the batches from one of them.
        with interrupts.closing_on_signals(self._close_peers, self._stop.signals):
          self._fit(model, modules, self._dataset(step, modules), step, versions, extra_callbacks)
      except peer_lib.PeerClosed:
        if not self._stop.at_once:
          raise
    step = checkpoints.global_step(modules)
    stopped = step < self._settings.steps
    versions.publish(modules, step)
    strategy_lib.any_worker(
      self._strategy, stopped
    )  # all leave together, when the chief has published
    self._reporter.update(
      state="waiting" if stopped else "done",
      message="stopped" if stopped else "",
      step=step,
      eta_secs=0.0,
    )
    return TrainResult(
      step, stopped, {s.name: work_folder.export_dir(self._work_dir, s.name) for s in self._specs}
    )

  def _sources(self):
    return data_sources.of(self._collective, self._specs, self._mode)

  def _compile(self, model, modules):
    if model is not modules[0]:
      # The collective never steps this optimiser; `fit` only asks that there is one.
      model.compile(optimizer="sgd", steps_per_execution=self._settings.steps_per_execution)

  def _checkpoints(self):
    return work_folder.checkpoints_dir(self._work_dir, self._name)

  def _dataset(self, step, modules):
    """Batches from `step` on; before that, waits for the peers' first versions."""
    fetch = None
    if self._mode != "isolated" and any(self._collective.mediated(s) for s in self._specs):
      sizes = [module.output_size for module in modules if module.output_size is not None]
      observation = modules[0].observation
      self._peering = peering.Peers(
        self._collective,
        self._specs,
        self._peer_targets,
        self._work_dir,
        sizes[0] if sizes else observation.answer_size(self._collective.mediator.source),
        lambda: checkpoints.global_step(modules),
      )
      self._reporter.update(
        message=f"waiting for peers: {', '.join(self._peering.names) or 'none'}"
      )
      self._peering.stage.check()
      fetch = self._peering.stage

    def batches(input_context=None):
      if self._mode == "synchronous":
        return inputs.synchronous_batches(
          self._collective, fetch=fetch, initial_step=step, input_context=input_context
        )
      return inputs.module_batches(
        self._collective,
        self._specs[0],
        fetch=fetch,
        initial_step=step,
        input_context=input_context,
      )

    if _strategy_name(self._collective, self._mode, self._name) == "one_device":
      return batches()
    return self._strategy.distribute_datasets_from_function(batches)

  def _fit(self, model, modules, dataset, step, versions, extra_callbacks):
    settings = self._settings
    writer = (
      tf.summary.create_file_writer(os.path.join(self._folder, "tensorboard"))
      if self._chief
      else None
    )
    get_step = functools.partial(checkpoints.global_step, modules)
    backup = callbacks.Backup(
      self._checkpoints(),
      settings.checkpoint_steps,
      should_stop=lambda saving: get_step() >= settings.steps or self._stop.after_step(saving),
    )
    records = self._peering.records if self._peering is not None else dict
    used = [backup, callbacks.Report(self._reporter, get_step, records, writer), *extra_callbacks]
    if self._chief:
      publish = functools.partial(versions.publish, modules)
      used.append(callbacks.Publish(publish, versions.schedule(step), get_step))
    if settings.images_every_epochs:
      draw = pictures.Drawer(
        {name: source.dataset(split) for name, (source, split) in self._sources().items()}
      )
      used.append(callbacks.Images(draw, settings.images_every_epochs, get_step, writer))
    # `fit` lets go of the dataset's iterator, which cannot end while a request waits for a dead peer.
    used.append(tf.keras.callbacks.LambdaCallback(on_train_end=lambda _: self._close_peers()))
    try:
      model.fit(
        dataset,
        epochs=sys.maxsize,  # `backup` ends it: steps that loss scaling skips are no global steps
        initial_epoch=step // settings.steps_per_epoch,
        steps_per_epoch=settings.steps_per_epoch,
        callbacks=used,
        verbose=0,
      )
    except (tf.errors.OpError, ValueError):
      # A stage that is closed before the first batch of all makes Keras raise a ValueError.
      if self._stop.at_once:
        backup.save_now()
      elif self._peering is not None and self._peering.stage.failure is not None:
        raise self._peering.stage.failure from None
      else:
        raise
    for name, record in records().items():
      counts = {key: record[key] for key in ("version", "requests", "failures", "skipped")}
      logging.info(
        "Peer %s: %s", name, ", ".join(f"{key} {value}" for key, value in counts.items())
      )
