"""Keras callbacks of a trainer: checkpoints, publishing, status, TensorBoard."""

import dataclasses
import json
import os
import time
from collections.abc import Callable

import tensorflow as tf
from absl import logging

from tf_taskology.training import status as status_lib


class Backup(tf.keras.callbacks.BackupAndRestore):
  """`BackupAndRestore` that counts steps (not calls of the compiled loop) and saves once more when training ends.

  A checkpoint that cannot be written (a full disk) is logged, and the one before it stays; only the last one must be.

  Args:
    backup_dir: folder of the checkpoints.
    every_steps: steps between checkpoints.
    should_stop: asked after every call of the loop, with whether a checkpoint is due; True ends training.
  """

  def __init__(self, backup_dir: str, every_steps: int, should_stop: Callable[[bool], bool]):
    super().__init__(backup_dir, save_freq=every_steps, delete_checkpoint=False)
    self._should_stop = should_stop
    self._last_batch = -1
    self._unsaved = False

  def on_epoch_begin(self, epoch, logs=None):
    super().on_epoch_begin(epoch, logs)
    self._last_batch = -1

  def on_train_batch_begin(self, batch, logs=None):
    self._last_batch = batch - 1  # a resumed epoch does not begin with batch 0

  def on_train_batch_end(self, batch, logs=None):
    self._batches_count += batch - self._last_batch
    self._last_batch = batch
    self._unsaved = True
    due = self._batches_count >= self.save_freq
    if self._should_stop(due):
      self.model.stop_training = True
    elif due:
      try:
        self._save()
      except (OSError, tf.errors.OpError) as error:
        logging.error("No checkpoint could be written to %s: %s", self.backup_dir, error)

  def on_train_end(self, logs=None):
    self.save_now()
    super().on_train_end(logs)

  def save_now(self):
    """Saves what is not saved yet; to be called where `fit` was interrupted between two steps."""
    if self._unsaved:
      self._save()

  def _save(self):
    self._batches_count = 0
    self._training_state._ckpt_saved_batch.assign(self._last_batch)
    self._backup(epoch=self._current_epoch, batch=self._last_batch)
    self._unsaved = False


class Publish(tf.keras.callbacks.Callback):
  """Publishes when its schedule says so.

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
    """Changes fields of the status and writes it. Where that fails (a full disk) training goes on."""
    self.status = dataclasses.replace(self.status, time=time.time(), **fields)
    if self._enabled:
      try:
        self.status.write(self.folder)
      except OSError as error:
        logging.error("The status cannot be written: %s", error)

  def append_history(self, line: dict):
    """Adds one line to history.jsonl. Where that fails training goes on."""
    if self._enabled:
      try:
        with open(os.path.join(self.folder, "history.jsonl"), "a", encoding="utf-8") as file:
          file.write(json.dumps(line) + "\n")
      except OSError as error:
        logging.error("The history cannot be written: %s", error)


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
    self._reporter.update(
      **progress, losses=losses, waiting_share=waiting_share, peers=self._peer_statuses()
    )
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
      name: status_lib.PeerStatus(
        **{k: v for k, v in record.items() if k in fields and v is not None}
      )
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
    writer: `tf.summary` writer; None on workers that are not chief, which draw all the same: the networks' averages
      over replicas need all workers.
  """

  def __init__(self, draw, every_epochs: int, global_step, writer):
    super().__init__()
    self._draw, self._every_epochs, self._global_step, self._writer = (
      draw,
      every_epochs,
      global_step,
      writer,
    )

  def on_epoch_end(self, epoch, logs=None):
    if epoch % self._every_epochs:
      return
    pictures = self._draw(self.model)
    if self._writer is not None:
      with self._writer.as_default(step=self._global_step()):
        for name, images in pictures.items():
          tf.summary.image(name, images, max_outputs=4)
