"""What a gin file describes, as far as manifests need it.

Only the training package can read gin files; it does so in a process of its own and hands over JSON.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

_READER = "tf_taskology.training.describe_plan"
_BAD_CONFIGURATION = 2


class DeployError(ValueError):
  """What was asked for cannot be deployed. The message is written for the person who asked."""


@dataclasses.dataclass(frozen=True)
class Module:
  """One module of a collective.

  Attributes:
    name: its name.
    peers: modules, or models served elsewhere, whose predictions it needs.
    outputs: names of its predictions.
    batch_size: of its labelled samples.
    strategy: name of what trains it, such as "one_device" or "multi_worker_mirrored".
    cpu_share: its part of the processors, in proportion to the other modules' parts.
  """

  name: str
  peers: tuple[str, ...]
  outputs: tuple[str, ...]
  batch_size: int
  strategy: str
  cpu_share: float


@dataclasses.dataclass(frozen=True)
class Collective:
  """The modules that train together.

  Attributes:
    modules: the modules.
    steps: global step at which training ends.
    largest_request: images in the largest request to a peer; 0 if nobody asks.
    mediator_batch_size: of the unlabelled samples; None if there are none.
    tls_root_certificates: path of the certificates with which trainers check model servers; None for plain connections.
    config: the configuration in one piece, for `--gin_file`.
  """

  modules: tuple[Module, ...]
  steps: int
  largest_request: int
  mediator_batch_size: int | None
  tls_root_certificates: str | None
  config: str

  @property
  def elsewhere(self) -> list[str]:
    """Names of the models that modules need and that are none of the modules."""
    names = {module.name for module in self.modules}
    return sorted({peer for module in self.modules for peer in module.peers} - names)


def read(
  gin_files: Sequence[str], gin_bindings: Sequence[str], several_workers: bool = False
) -> Collective:
  """Reads gin files.

  Args:
    gin_files: paths.
    gin_bindings: bindings that beat the files.
    several_workers: whether a module trains on several workers.

  Raises:
    DeployError: the configuration cannot be used; the words are those of the training package.
  """
  request = {
    "gin_files": list(gin_files),
    "gin_bindings": list(gin_bindings),
    "several_workers": several_workers,
  }
  with tempfile.TemporaryDirectory() as folder:
    result_path = os.path.join(folder, "plan.json")
    finished = subprocess.run(
      [sys.executable, "-m", _READER, result_path, json.dumps(request)],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
      stdout=subprocess.DEVNULL,
      stderr=subprocess.PIPE,
      text=True,
      check=False,
    )
    if finished.returncode not in (0, _BAD_CONFIGURATION) or not os.path.exists(result_path):
      raise RuntimeError(f"{_READER} ended with {finished.returncode}: {finished.stderr[-2000:]}")
    with open(result_path, encoding="utf-8") as file:
      text = file.read()
  if finished.returncode == _BAD_CONFIGURATION:
    raise DeployError(text)
  return _collective(json.loads(text))


def _collective(fields: dict) -> Collective:
  mediator = fields["mediator"]
  return Collective(
    modules=tuple(
      Module(
        m["name"],
        tuple(m["peers"]),
        tuple(m["outputs"]),
        m["batch_size"],
        m["strategy"],
        m["cpu_share"],
      )
      for m in fields["modules"]
    ),
    steps=fields["steps"],
    largest_request=mediator["batch_size"] * mediator["num_frames"] if mediator else 0,
    mediator_batch_size=mediator["batch_size"] if mediator else None,
    tls_root_certificates=fields["tls_root_certificates"],
    config=fields["config"],
  )
