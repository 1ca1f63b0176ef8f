"""What the programs have in common: quiet start, exit codes, the --peer flag."""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence

from absl import app, logging

from tf_taskology.peers import peer
from tf_taskology.training import errors, experiment, locks

EXIT_BAD_INPUT = 2  # the configuration or the data cannot be used: starting again would not help
EXIT_FAILED = 3  # training failed for good


class UsageError(ValueError):
  """Flags that do not go together."""


def quiet():
  """Keeps third-party noise off stderr. Call it before TensorFlow is imported, where that is possible."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
  warnings.filterwarnings("ignore", category=UserWarning, module=r"(tensorflow_addons|keras|tensorflow)\b")
  warnings.filterwarnings("ignore", category=DeprecationWarning)


def run(main: Callable):
  """`app.run` with short log lines."""
  quiet()
  logging.use_absl_handler()
  logging.set_verbosity(logging.INFO)
  app.run(main)


@contextlib.contextmanager
def exit_codes():
  """Turns bad input into one sentence on stderr and exit code 2, a failed training into exit code 3."""
  try:
    yield
  except errors.TrainingFailed as error:
    _exit(str(error), EXIT_FAILED)
  except (ValueError, OSError, peer.PeerError, locks.HeldError) as error:
    if os.environ.get("TASKOLOGY_TRACEBACK"):
      raise
    _exit(str(error), EXIT_BAD_INPUT)


def end():
  """Ends a program that has done its work, without taking TensorFlow's graphs apart first, which takes seconds."""
  logging.flush()
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(0)


def _exit(message, code):
  logging.flush()
  print(f"Error: {message}", file=sys.stderr, flush=True)
  sys.exit(code)


def user_dir() -> str:
  """The folder in which the user typed the command (Bazel runs programs elsewhere)."""
  return os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()


def user_path(path: str) -> str:
  """A path as the user meant it: relative to the folder in which the command was typed."""
  return os.path.join(user_dir(), os.path.expanduser(path))


def parse_peers(values: Sequence[str]) -> dict[str, list[str]]:
  """["normals=h1:8500,h2:8500"] -> {"normals": ["h1:8500", "h2:8500"]}.

  Raises:
    UsageError: a value has another form.
  """
  targets: dict[str, list[str]] = {}
  for value in values:
    name, equals, addresses = value.partition("=")
    listed = [a.strip() for a in addresses.split(",") if a.strip()]
    if not equals or not name or not listed or not all(_is_address(a) for a in listed):
      raise UsageError(f"--peer must have the form name=host:port[,host:port]. Received: {value!r}.")
    targets.setdefault(name, []).extend(listed)
  return targets


def _is_address(address):
  host, colon, port = address.rpartition(":")
  return address.startswith("unix:") or bool(host and colon and port.isdigit() and 0 < int(port) < 65536)


def check_module(collective: experiment.Collective, mode: str, module: str | None, targets) -> None:
  """Raises UsageError or ValueError where mode, module and peers do not go together."""
  if mode == "synchronous":
    if module:
      raise UsageError("--mode=synchronous trains all modules: leave out --module.")
    return
  if not module:
    raise UsageError(f"--module is missing. The modules are: {', '.join(m.name for m in collective.modules)}.")
  spec = collective.module(module)
  if mode == "isolated":
    return
  needed = collective.peers_of(spec)
  unknown = sorted(set(targets) - set(needed))
  if unknown:
    raise UsageError(
      f"--peer names {unknown}, which module {module!r} does not need. It needs: {', '.join(needed) or 'no peers'}."
    )
  missing = [peer for peer in needed if peer not in targets]
  if missing:
    raise UsageError(
      f"Module {module!r} needs the peers {', '.join(missing)}: say where they are served, "
      f"e.g. --peer={missing[0]}=127.0.0.1:8500."
    )
