"""Publishes what a trainer's modules have learnt, and says so while it does."""

from collections.abc import Sequence

from absl import logging

from tf_taskology.peers import publishing
from tf_taskology.training import (
  callbacks,
  experiment,
  module as module_lib,
  status as status_lib,
  work_folder,
)


class Versions:
  """The versions of one trainer's modules.

  Args:
    settings: how often, and how many are kept.
    specs: the modules that are published; none on workers that are not chief.
    work_dir: folder of the run.
    reporter: writes the trainer's status.

  Raises:
    OSError: a version could not be written there.
  """

  def __init__(
    self,
    settings: experiment.Publishing,
    specs: Sequence[experiment.ModuleSpec],
    work_dir: str,
    reporter: callbacks.Reporter,
  ):
    self._settings, self._reporter = settings, reporter
    self._publishers = {
      spec.name: publishing.Publisher(
        work_folder.export_dir(work_dir, spec.name), keep=settings.keep
      )
      for spec in specs
    }
    for publisher in self._publishers.values():
      publisher.check_writable()

  def publish(self, modules: Sequence[module_lib.Module], step: int):
    """Publishes every module; a failure (a full disk) is logged, and the versions before it go on serving."""
    self._reporter.update(step=step, message=status_lib.PUBLISHING)
    for module in modules:
      if module.name in self._publishers:
        try:
          self._publishers[module.name].publish(module.network, module.tasks, step)
        except publishing.PublishError as error:
          logging.error(
            "%s Training goes on; the next version is tried at the next interval.", error
          )
    self._reporter.update(message="")

  def schedule(self, step: int) -> publishing.PublishSchedule:
    """When to publish next, after the version of `step`."""
    made = publishing.PublishSchedule(self._settings.every_steps, self._settings.every_secs)
    made.mark(step)
    return made
