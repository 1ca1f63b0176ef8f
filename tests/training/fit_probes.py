"""Keras callbacks with which tests look into a training and break into it."""

import os
import signal
from collections.abc import Callable

import tensorflow as tf


class At(tf.keras.callbacks.Callback):
  """Does something after one global step.

  Args:
    step: the global step.
    act: what is done then.
  """

  def __init__(self, step: int, act: Callable[[], None]):
    super().__init__()
    self._step, self._act = step, act

  def on_train_batch_end(self, batch, logs=None):
    if int(self.model.optimizer.iterations.numpy()) == self._step:
      self._act()


class Watch(tf.keras.callbacks.Callback):
  """Notes what happens.

  Attributes:
    epochs: epochs begun.
    batches: number within its epoch of every batch (of the last one of every call of the loop).
    states: global step -> weights and optimiser variables after it, one module's after another's.
  """

  def __init__(self):
    super().__init__()
    self.epochs, self.batches, self.states = [], [], {}

  def on_train_begin(self, logs=None):
    self._note()

  def on_epoch_begin(self, epoch, logs=None):
    self.epochs.append(epoch)

  def on_train_batch_end(self, batch, logs=None):
    self.batches.append(batch)
    self._note()

  def _note(self):
    modules = getattr(self.model, "modules", [self.model])
    variables = [v for m in modules for v in (*m.network.variables, *m.optimizer.variables)]
    self.states[int(modules[0].optimizer.iterations.numpy())] = [v.numpy() for v in variables]


class Crash(Exception):
  """A crash of the trainer, as far as its files are concerned."""


def crash():
  """Raises Crash."""
  raise Crash


def send_sigterm():
  """Sends SIGTERM to this process."""
  os.kill(os.getpid(), signal.SIGTERM)
