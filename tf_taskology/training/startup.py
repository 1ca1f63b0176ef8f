"""How every program begins: where the user is, and without third-party noise. Imports nothing heavy."""

import logging as python_logging
import os
import stat
import sys
import warnings
from collections.abc import Callable

from absl import app, logging

from tf_taskology.training import allocator


def quiet():
  """Keeps third-party noise off stderr, here and in child processes. Call it before TensorFlow is imported."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
  warnings.filterwarnings(
    "ignore", category=UserWarning, module=r"(tensorflow_addons|keras|tensorflow)\b"
  )
  warnings.filterwarnings("ignore", category=DeprecationWarning)


def run(main: Callable):
  """`app.run` in the folder in which the user typed the command; `bazel run` starts programs elsewhere."""
  quiet()
  allocator.keep_freed_memory()
  folder = os.environ.get("BUILD_WORKING_DIRECTORY")
  if folder:
    os.chdir(folder)
  logging.use_absl_handler()
  logging.set_verbosity(logging.INFO)
  handler = logging.get_absl_handler()
  handler.setFormatter(LineFormatter(has_time=_is_file(sys.stderr)))
  handler.addFilter(_is_ours)
  app.run(main)


class LineFormatter(python_logging.Formatter):
  """Log lines for people: the message, behind its level where that is a warning or worse.

  Args:
    has_time: begin each line with the time, for those that are read later.
  """

  def __init__(self, has_time: bool):
    super().__init__(datefmt="%Y-%m-%d %H:%M:%S")
    self._has_time = has_time

  def formatMessage(self, record):
    is_severe = record.levelno >= python_logging.WARNING
    text = f"{record.levelname}: {record.message}" if is_severe else record.message
    return f"{self.formatTime(record, self.datefmt)} {text}" if self._has_time else text


def _is_file(stream) -> bool:
  """Whether a stream is written to a file, as those of the launcher's processes are."""
  try:
    return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
  except (OSError, ValueError, AttributeError):
    return False  # replaced by something that is no stream of the system


def _is_ours(record: python_logging.LogRecord) -> bool:
  """Libraries log through absl too; their notes are not for the people who use this project, their errors are."""
  return record.levelno >= python_logging.ERROR or "site-packages" not in record.pathname
