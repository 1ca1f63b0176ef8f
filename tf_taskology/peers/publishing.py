"""Publishing: SavedModel versions that model servers pick up, complete or not at all.

A version is written into `.tmp-<step>-<pid>`, which no model server takes for a version (it is not a number), and
renamed. A process killed at any moment leaves whole versions and at most such a folder, which the next run removes.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from tf_taskology.datasets import observations
from tf_taskology.peers import exporting, warmup
from tf_taskology.tasks import task as task_lib

DESCRIPTION_FILE = os.path.join(warmup.EXTRA_ASSETS, "taskology.json")
_TEMPORARY = ".tmp-"


class PublishError(OSError):
  """A version could not be written; the versions before it are untouched."""


class Publisher:
  """Writes versions of one module. Under a multi-worker strategy only the chief may have one.

  Args:
    export_dir: <export root>/<module>; its last part names the module.
    keep: newest versions kept.
    example: inputs by field for the warm-up record, e.g. {"image": uint8 [n, height, width, 3]}; None for one that the
      network takes.
    clock: seconds since the epoch.

  Raises:
    ValueError: `keep` is less than 1.
  """

  def __init__(
    self,
    export_dir: str,
    keep: int = 2,
    example: Mapping[str, np.ndarray] | None = None,
    clock: Callable[[], float] = time.time,
  ):
    if keep < 1:
      raise ValueError(f"`keep` must be at least 1 version. Received: {keep}.")
    self.export_dir = os.path.abspath(export_dir)
    self.module = os.path.basename(self.export_dir)
    self._keep = keep
    self._example = example
    self._clock = clock
    self._exporter = None
    self._exported = ()
    self._published_step = None

  def check_writable(self):
    """Makes the folder, removes what a killed run left, and writes a probe file. Call it before training.

    Raises:
      PublishError: the folder cannot be made or written.
    """
    probe = os.path.join(self.export_dir, f"{_TEMPORARY}probe-{os.getpid()}")
    try:
      os.makedirs(self.export_dir, exist_ok=True)
      for name in os.listdir(self.export_dir):
        if name.startswith(_TEMPORARY):
          _remove(os.path.join(self.export_dir, name))
      with open(probe, "w") as file:
        file.write("probe")
      os.remove(probe)
    except OSError as error:
      raise PublishError(
        f"Module {self.module!r} cannot be published to {self.export_dir}: {error}. "
        "Expected a folder that this process may write."
      ) from error

  def publish(
    self,
    network: tf.keras.Model,
    tasks: Sequence[task_lib.Task],
    step: int,
    published_at: float | None = None,
  ) -> str:
    """Writes version `step`. The first call traces the network (seconds), later ones write variables (milliseconds).

    The version just written becomes the newest: versions with higher numbers, left by a run that went further
    before it was set back to an earlier checkpoint, are removed.

    Args:
      network: as built by a network builder; the same object every time.
      tasks: the tasks that it performs.
      step: the trainer's global step, >= 0.
      published_at: seconds since the epoch; now if None.

    Returns:
      The version's folder.

    Raises:
      PublishError: the version could not be written. Nothing of it is visible, and a later call may succeed.
    """
    step = int(step)
    version_dir = os.path.join(self.export_dir, str(step))
    if step == self._published_step and os.path.isdir(version_dir):
      return version_dir
    published_at = self._clock() if published_at is None else published_at
    temporary = os.path.join(self.export_dir, f"{_TEMPORARY}{step}-{os.getpid()}")
    try:
      _remove(temporary)
      os.makedirs(temporary)
      self._write(temporary, network, tasks, step, published_at)
      self._set_aside(version_dir)
      os.rename(temporary, version_dir)
      self._published_step = step
      self._remove_others(step)
    except (OSError, tf.errors.OpError) as error:
      shutil.rmtree(temporary, ignore_errors=True)
      raise PublishError(
        f"Version {step} of module {self.module!r} could not be published to {self.export_dir}: "
        f"{_first_line(error)}. Versions there: {versions(self.export_dir)}."
      ) from error
    return version_dir

  def _write(self, directory, network, tasks, step, published_at):
    if self._exporter is None or self._exported != (network, *tasks):
      started = time.monotonic()
      scratch = os.path.join(directory, "graph")
      self._exporter = exporting.Exporter(network, tasks, scratch)
      self._exported = (network, *tasks)
      shutil.rmtree(scratch)
      logging.info(
        "Traced module %s for publishing in %.1f s.", self.module, time.monotonic() - started
      )
    observation, takes = observations.of_tasks(tasks), task_lib.takes_of(tasks)
    example = self._example or observation.example(network, takes)
    record = warmup.predict_record(self.module, exporting.PEER_SIGNATURE, example)
    warmup.write(directory, [record])
    description = {
      "module": self.module,
      "step": step,
      "published_at": published_at,
      "outputs": {
        name: {
          "channels": output.channels,
          "unit": output.unit,
          "per_image": output.per_image,
        }
        for task in tasks
        for name, output in task.outputs.items()
      },
      "observes": observation.name,
      "takes": takes,
      **observation.describe_network(network),
    }
    with open(os.path.join(directory, DESCRIPTION_FILE), "w") as file:
      json.dump(description, file, indent=2)
    self._exporter.write(directory, step, published_at)

  def _remove_others(self, step):
    """Removes versions beyond the newest `keep`, and those numbered higher than the one just written."""
    older = [version for version in versions(self.export_dir) if version <= step]
    for version in versions(self.export_dir):
      if version not in older[-self._keep :]:
        self._set_aside(os.path.join(self.export_dir, str(version)))

  def _set_aside(self, version_dir):
    """Removes a version; renamed first, so that nobody sees a part of it."""
    if os.path.lexists(version_dir):
      aside = os.path.join(
        self.export_dir, f"{_TEMPORARY}removed-{os.path.basename(version_dir)}-{os.getpid()}"
      )
      _remove(aside)
      os.rename(version_dir, aside)
      _remove(aside)


class PublishSchedule:
  """Decides when to publish: at the first call, then every so many steps or seconds, whichever comes first.

  Args:
    every_steps: steps between versions; None: steps do not matter.
    every_secs: seconds between versions; None: time does not matter.
    clock: seconds, any origin.

  Raises:
    ValueError: neither is given, or one is not positive.
  """

  def __init__(
    self,
    every_steps: int | None = None,
    every_secs: float | None = None,
    clock: Callable[[], float] = time.monotonic,
  ):
    given = [value for value in (every_steps, every_secs) if value is not None]
    if not given or min(given) <= 0:
      raise ValueError(
        "PublishSchedule needs `every_steps` or `every_secs`, greater than 0. "
        f"Received: every_steps={every_steps}, every_secs={every_secs}."
      )
    self._every_steps = every_steps
    self._every_secs = every_secs
    self._clock = clock
    self._last = None

  def due(self, step: int) -> bool:
    """Whether to publish at this step."""
    if self._last is None:
      return True
    last_step, last_time = self._last
    if self._every_steps is not None and step - last_step >= self._every_steps:
      return True
    return self._every_secs is not None and self._clock() - last_time >= self._every_secs

  def mark(self, step: int):
    """Starts the next interval; call it after an attempt, successful or not."""
    self._last = (step, self._clock())


def versions(export_dir: str) -> list[int]:
  """Version numbers in a module's export folder, ascending; none if the folder is absent."""
  if not os.path.isdir(export_dir):
    return []
  return sorted(int(name) for name in os.listdir(export_dir) if name.isascii() and name.isdigit())


def _remove(path: str):
  """Removes a file or a folder if it is there."""
  if os.path.isdir(path) and not os.path.islink(path):
    shutil.rmtree(path)
  elif os.path.lexists(path):
    os.remove(path)


def _first_line(error: Exception) -> str:
  return (str(error).splitlines() or [type(error).__name__])[0]
