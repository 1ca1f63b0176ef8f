"""Ending a training early: SIGTERM and Ctrl-C save and end it."""

import signal
import threading

import tensorflow as tf

from tf_taskology.training import strategy as strategy_lib

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
  """Hears SIGTERM and SIGINT while it is entered, in the main thread only.

  One worker of several must not end alone, for the others would wait for it for ever. So workers agree, whenever
  all of them save a checkpoint.

  Args:
    strategy: under which training runs.
  """

  def __init__(self, strategy: tf.distribute.Strategy):
    self._strategy = strategy
    self._alone = not strategy_lib.is_multi_worker(strategy)
    self._heard = threading.Event()
    self._handlers = {}

  def __enter__(self):
    if threading.current_thread() is threading.main_thread():
      for number in _SIGNALS:
        self._handlers[number] = signal.signal(number, lambda *_: self._heard.set())
    return self

  def __exit__(self, *_):
    for number, handler in self._handlers.items():
      signal.signal(number, handler)

  @property
  def signals(self) -> tuple[int, ...]:
    """Signals that may end what training waits for."""
    return _SIGNALS if self._alone else ()

  @property
  def at_once(self) -> bool:
    """Whether to end now, wherever training is."""
    return self._alone and self._heard.is_set()

  def after_step(self, saving: bool) -> bool:
    """Whether to end after this step. Several workers ask each other, and only where `saving`."""
    if self._alone:
      return self._heard.is_set()
    return saving and strategy_lib.any_worker(self._strategy, self._heard.is_set())
