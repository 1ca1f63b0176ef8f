"""Keras callbacks of a trainer: checkpoints, publishing, status, TensorBoard."""

import dataclasses
import json
import os
import time
from collections.abc import Callable

import tensorflow as tf

from tf_taskology.training import status as status_lib


class Backup(tf.keras.callbacks.BackupAndRestore):
  """`BackupAndRestore` that counts steps (not calls of the compiled loop) and saves once more when asked to stop.

  Args:
    backup_dir: folder of the checkpoints.
    every_steps: steps between checkpoints.
    should_stop: asked after every call of the loop; True saves and ends training.
  """

  def __init__(self, backup_dir: str, every_steps: int, should_stop: Callable[[], bool]):
    super().__init__(backup_dir, save_freq=every_steps, delete_checkpoint=False)
    self._should_stop = should_stop
    self._last_batch = -1

  def on_train_batch_begin(self, batch, logs=None):
    self._last_batch = min(self._last_batch, batch - 1)

  def on_train_batch_end(self, batch, logs=None):
    stop = self._should_stop()
    self._batches_count += batch - self._last_batch
    self._last_batch = batch
    if stop or self._batches_count >= self.save_freq:
      self._batches_count = 0
      self._save(batch)
    if stop:
      self.model.stop_training = True

  def on_epoch_begin(self, epoch, logs=None):
    super().on_epoch_begin(epoch, logs)
    self._last_batch = -1

  def _save(self, batch):
    self._training_state._ckpt_saved_batch.assign(batch)
    self._backup(epoch=self._current_epoch, batch=batch)

  def save_now(self):
    """Saves after a step at which `fit` was interrupted."""
    self._save(self._last_batch)


class Publish(tf.keras.callbacks.Callback):
  """Publishes when its schedule says so, and once at the end.

  Args:
    publish: called with the global step; writes one version.
    schedule: `peers.publishing.PublishSchedule`.
    global_step: returns the step.
  """

  def __init__(self, publish: Callable[[int], None], schedule, global_step: Callable[[], int]):
    super().__init__()
    self._publish, self._schedule, self._global_step = publish, schedule, global_step

  def on_train_batch_end(self, batch, logs=None):
    step = self._global_step()
    if self._schedule.due(step):
      self._publish(step)
      self._schedule.mark(step)


class Reporter:
  """Keeps a trainer's status and writes it.

  Args:
    folder: the module's folder in the work folder.
    status: first status.
    enabled: False on workers that are not chief, which write nothing.
  """

  def __init__(self, folder: str, status: status_lib.Status, enabled: bool = True):
    self.folder, self.status, self._enabled = folder, status, enabled

  def update(self, **fields):
    """Changes fields of the status and writes it."""
    self.status = dataclasses.replace(self.status, time=time.time(), **fields)
    if self._enabled:
      self.status.write(self.folder)

  def append_history(self, line: dict):
    """Adds one line to history.jsonl."""
    if self._enabled:
      with open(os.path.join(self.folder, "history.jsonl"), "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


class Report(tf.keras.callbacks.Callback):
  """Writes status.json about once a second, history.jsonl every epoch, and curves for TensorBoard.

  Args:
    reporter: writes the status.
    global_step: returns the step.
    peer_records: returns {peer name: dictionary as in status.json}.
    writer: `tf.summary` writer; None on workers that are not chief.
    clock: returns seconds.
  """

  def __init__(self, reporter: Reporter, global_step, peer_records, writer, clock=time.time):
    super().__init__()
    self._reporter = reporter
    self._global_step, self._peer_records = global_step, peer_records
    self._writer, self._clock = writer, clock
    self._written_at = 0.0
    self._start = (0.0, 0)

  def on_train_begin(self, logs=None):
    self._reporter.update(state="training", message="", step=self._global_step())

  def on_epoch_begin(self, epoch, logs=None):
    self._start = (self._clock(), self._global_step())

  def on_train_batch_end(self, batch, logs=None):
    now = self._clock()
    if now - self._written_at >= 1.0:
      self._written_at = now
      self._reporter.update(**self._progress(now), peers=self._peer_statuses())

  def on_epoch_end(self, epoch, logs=None):
    now = self._clock()
    losses = {name: float(value) for name, value in (logs or {}).items()}
    # A synchronous collective has the clock of each of its modules; they waited together.
    waits = [losses.pop(name) for name in list(losses) if name.rpartition("/")[2] == "waiting_secs"]
    waiting_share = min(1.0, max(waits, default=0.0) / max(now - self._start[0], 1e-9))
    progress = self._progress(now)
    self._reporter.update(**progress, losses=losses, waiting_share=waiting_share, peers=self._peer_statuses())
    line = {
      "step": progress["step"],
      "time": now,
      "steps_per_sec": progress["steps_per_sec"],
      "waiting_share": waiting_share,
      "losses": losses,
      "peers": self._peer_records(),
    }
    self._reporter.append_history(line)
    if self._writer is not None:
      self._summaries(line)

  def _progress(self, now):
    step = self._global_step()
    secs, steps = now - self._start[0], step - self._start[1]
    rate = steps / secs if secs > 0 and steps > 0 else self._reporter.status.steps_per_sec
    left = self._reporter.status.steps - step
    return {"step": step, "steps_per_sec": rate, "eta_secs": left / rate if rate else None}

  def _peer_statuses(self):
    fields = {field.name for field in dataclasses.fields(status_lib.PeerStatus)}
    return {
      name: status_lib.PeerStatus(**{k: v for k, v in record.items() if k in fields and v is not None})
      for name, record in self._peer_records().items()
    }

  def _summaries(self, line):
    with self._writer.as_default(step=line["step"]):
      tf.summary.scalar("training/steps_per_sec", line["steps_per_sec"])
      tf.summary.scalar("training/waiting_share", line["waiting_share"])
      for name, value in line["losses"].items():
        tf.summary.scalar(f"losses/{name}", value)
      for peer, record in line["peers"].items():
        for name, value in record.items():
          if isinstance(value, (int, float)):
            tf.summary.scalar(f"peers/{peer}/{name}", value)
    self._writer.flush()


class Images(tf.keras.callbacks.Callback):
  """Pictures of one fixed mediator or dedicated batch for TensorBoard.

  Args:
    draw: called with the model; returns name -> [n, height, width, 3] float in 0..1.
    every_epochs: epochs between pictures.
    global_step: returns the step.
    writer: `tf.summary` writer.
  """

  def __init__(self, draw, every_epochs: int, global_step, writer):
    super().__init__()
    self._draw, self._every_epochs, self._global_step, self._writer = draw, every_epochs, global_step, writer

  def on_epoch_end(self, epoch, logs=None):
    if epoch % self._every_epochs:
      return
    with self._writer.as_default(step=self._global_step()):
      for name, images in self._draw(self.model).items():
        tf.summary.image(name, images, max_outputs=4)


