"""What the programs that train have in common: exit codes, the --peer flag, quick ending."""

import contextlib
import os
import sys
from collections.abc import Sequence

from absl import logging

from tf_taskology.peers import peer
from tf_taskology.training import errors, experiment, locks

EXIT_BAD_INPUT = 2  # the configuration or the data cannot be used: starting again would not help
EXIT_FAILED = 3  # training failed for good


class UsageError(ValueError):
  """Flags that do not go together."""


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


def end(exit_code: int = 0):
  """Ends a program that has done its work, without taking TensorFlow's graphs apart first, which takes seconds."""
  logging.flush()
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(exit_code)


def _exit(message, code):
  logging.flush()
  print(f"Error: {message}", file=sys.stderr, flush=True)
  sys.exit(code)


def parse_peers(values: Sequence[str]) -> dict[str, list[str]]:
  """["normals=h1:8500,h2:8500"] -> {"normals": ["h1:8500", "h2:8500"]}.

  Raises:
    UsageError: a value has another form.
  """
  targets: dict[str, list[str]] = {}
  for value in values:
    name, equals, addresses = value.partition("=")
    listed = _split(addresses)
    if not equals or not name or not listed:
      raise UsageError(
        f"--peer must have the form name=host:port[,host:port]. Received: {value!r}."
      )
    targets.setdefault(name, []).extend(listed)
  return targets


def parse_addresses(flag: str, value: str) -> list[str]:
  """ "h1:8500,h2:8500" -> ["h1:8500", "h2:8500"].

  Raises:
    UsageError: the value of the flag has another form.
  """
  listed = _split(value)
  if not listed:
    raise UsageError(f"{flag} must have the form host:port[,host:port]. Received: {value!r}.")
  return listed


def _split(addresses):
  """The addresses of a comma-separated list; none if one of them is no address."""
  listed = [a.strip() for a in addresses.split(",") if a.strip()]
  return listed if all(_is_address(a) for a in listed) else []


def _is_address(address):
  host, colon, port = address.rpartition(":")
  return address.startswith("unix:") or bool(
    host and colon and port.isdigit() and 0 < int(port) < 65536
  )


def check_module(collective: experiment.Collective, mode: str, module: str | None, targets) -> None:
  """Raises UsageError or ValueError where mode, module and peers do not go together."""
  if mode == "synchronous":
    if module:
      raise UsageError("--mode=synchronous trains all modules: leave out --module.")
    return
  if not module:
    raise UsageError(
      f"--module is missing. The modules are: {', '.join(m.name for m in collective.modules)}."
    )
  spec = collective.module(module)
  if mode == "isolated":
    return
  frozen = {module.name for module in collective.frozen}  # no server answers for them
  needed = [peer for peer in collective.peers_of(spec) if peer not in frozen]
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
