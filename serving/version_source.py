"""What is on disk below a model's base path: which versions there are and whether one is whole."""

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from tensorflow.core.protobuf import saved_model_pb2

from serving import errors

_INT64 = range(-(2**63), 2**63)
_NUMBER = r"[+-]?[0-9]+"
_MOST_SHOWN = 5
_SHARD = re.compile(r"variables\.data-\d{5}-of-(\d{5})")
_VARIABLE_OPERATIONS = frozenset({"VarHandleOp", "Variable", "VariableV2"})


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
  """Which of the versions on disk to serve; the message ModelConfig.model_version_policy.

  Attributes:
    num_latest: how many of the newest; None for all.
    specific: these only; None if any may be.
  """

  num_latest: int | None = 1
  specific: frozenset[int] | None = None

  def candidates(self, versions: Iterable[int]) -> list[int]:
    """Versions that may be served, best (newest) first."""
    allowed = [v for v in versions if self.specific is None or v in self.specific]
    return sorted(allowed, reverse=True)

  def awaited(self, on_disk: Mapping[int, str], loaded: Mapping[int, str]) -> list[int]:
    """Loaded versions to keep although there is no candidate: specific ones are still to come.

    Args:
      on_disk: version to folder.
      loaded: version to the folder that it was loaded from.
    """
    if not self.specific:
      return []
    return [version for version, path in loaded.items() if on_disk.get(version) == path]


def scan(base_path: str) -> dict[int, str] | None:
  """Lists the versions below a base path.

  A child counts if its name is a 64-bit integer; of two names of one number the later in
  alphabetical order wins, as in TensorFlow Serving.

  Returns:
    Version to its folder; None if the base path cannot be listed.
  """
  try:
    names = sorted(os.listdir(base_path))
  except OSError:
    return None
  versions = {}
  for name in names:
    if re.fullmatch(_NUMBER, name) and int(name) in _INT64:
      versions[int(name)] = os.path.join(base_path, name)
  return versions


def why_empty(base_path: str) -> str:
  """What is amiss with a base path that has no version, in words that tell what to do."""
  try:
    names = sorted(os.listdir(base_path))
  except OSError as error:
    return f"base path {base_path} does not exist or cannot be read ({error.strerror})"
  nothing = f"no version under {base_path}"
  if "saved_model.pb" in names or "saved_model.pbtxt" in names:
    if re.fullmatch(_NUMBER, os.path.basename(base_path.rstrip("/"))):
      return f"{nothing}: it is a version itself; give its parent as base path"
    return f"{nothing}: it is a SavedModel itself; move it into {os.path.join(base_path, '1')}"
  if names:
    shown = ", ".join(names[:_MOST_SHOWN]) + (", ..." if len(names) > _MOST_SHOWN else "")
    return f"{nothing}: versions are folders with numbers for names, there are: {shown}"
  return f"{nothing}: it is empty"


def fingerprint(path: str) -> tuple:
  """Names, sizes and times of a version's files: differs once one of them was written to."""
  found = []
  for folder, _, names in os.walk(path):
    for name in names:
      try:
        status = os.stat(os.path.join(folder, name))
      except OSError:
        continue  # it was removed since it was listed
      found.append((folder, name, status.st_size, status.st_mtime_ns))
  return tuple(sorted(found))


def check_complete(path: str) -> None:
  """Makes sure that a version's folder is not a half-written one.

  Raises:
    errors.StatusError: NOT_FOUND or UNIMPLEMENTED in TensorFlow Serving's words if there is no
      saved_model.pb, FAILED_PRECONDITION naming what else is missing.
  """
  graph = os.path.join(path, "saved_model.pb")
  if os.path.isfile(os.path.join(path, "model.tflite")):
    return
  if not os.path.isfile(graph) and not os.path.isfile(graph + "txt"):
    if os.path.isfile(os.path.join(path, "export.meta")):
      raise errors.StatusError("UNIMPLEMENTED", "Session Bundle is deprecated and removed.")
    raise errors.StatusError(
      "NOT_FOUND",
      "Specified file path does not appear to contain a SavedModel bundle (should have a file "
      f"called `saved_model.pb`)\nSpecified file path: {path}",
    )
  variables = os.path.join(path, "variables")
  if os.path.isdir(variables):
    _check_shards(variables, os.listdir(variables))
  elif os.path.isfile(graph) and _has_variables(graph):
    raise _incomplete(variables, "the folder")


def _check_shards(folder: str, names: Sequence[str]) -> None:
  if "variables.index" not in names:
    raise _incomplete(folder, "variables.index")
  shards = [match for match in map(_SHARD.fullmatch, names) if match]
  if not shards:
    raise _incomplete(folder, "variables.data-*")
  wanted = int(shards[0][1])
  if len(shards) < wanted:
    raise _incomplete(folder, f"{wanted - len(shards)} of {wanted} variables.data-* files")


def _incomplete(folder: str, missing: str) -> errors.StatusError:
  return errors.StatusError(
    "FAILED_PRECONDITION",
    f"The SavedModel is incomplete: {folder} lacks {missing}; waiting for the rest",
  )


def _has_variables(graph: str) -> bool:
  """Whether a SavedModel without a variables folder cannot be whole."""
  with open(graph, "rb") as file:
    content = file.read()
  try:
    meta_graphs = saved_model_pb2.SavedModel.FromString(content).meta_graphs
  except Exception as error:  # protobuf's DecodeError: no public base in all implementations
    raise errors.StatusError("DATA_LOSS", f"Cannot parse {graph}: {error}") from error
  return any(
    node.op in _VARIABLE_OPERATIONS for meta in meta_graphs for node in meta.graph_def.node
  )
