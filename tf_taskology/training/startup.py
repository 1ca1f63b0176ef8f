"""How every program begins: where the user is, and without third-party noise. Imports nothing heavy."""

import logging as python_logging
import os
import warnings
from collections.abc import Callable

from absl import app, logging


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
  folder = os.environ.get("BUILD_WORKING_DIRECTORY")
  if folder:
    os.chdir(folder)
  logging.use_absl_handler()
  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().addFilter(_is_ours)
  app.run(main)


def _is_ours(record: python_logging.LogRecord) -> bool:
  """Libraries log through absl too; their notes are not for the people who use this project, their errors are."""
  return record.levelno >= python_logging.ERROR or "site-packages" not in record.pathname
