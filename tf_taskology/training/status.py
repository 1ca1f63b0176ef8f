"""What a trainer says about itself while it runs: `<work_dir>/<module>/status.json`.

A trainer writes it about once per second; the launcher, the reports and a person with `cat` read it.
"""

import dataclasses
import json
import os
import time
from collections.abc import Mapping

FILE_NAME = "status.json"
STATES = ("starting", "training", "waiting", "done", "failed")
PUBLISHING = "publishing"  # `Status.message` while a version is written, which may take long


@dataclasses.dataclass(frozen=True)
class PeerStatus:
  """How one peer has answered so far.

  Attributes:
    version: step that the last answer's weights had.
    staleness_secs: seconds between that version's publication and the answer's use.
    staleness_steps: own steps since that version was first seen.
    waiting_share: share of the last interval's time that was spent waiting for this peer, 0..1.
    mbytes: megabytes (1e6 bytes) received in total.
    requests: requests sent in total.
    failures: requests that failed in total.
    skipped: batches that were trained without this peer's predictions in total.
    policy: what is done when the peer does not answer.
    target: address, or folder of a frozen model.
  """

  version: int = -1
  staleness_secs: float = 0.0
  staleness_steps: int = 0
  waiting_share: float = 0.0
  mbytes: float = 0.0
  requests: int = 0
  failures: int = 0
  skipped: int = 0
  policy: str = "wait"
  target: str = ""


@dataclasses.dataclass(frozen=True)
class Status:
  """One trainer's state at one moment.

  Attributes:
    module: name of the module.
    pid: process that wrote this.
    state: one of `STATES`.
    message: for people; why it failed or what it waits for.
    step: training steps done, over all runs in this work folder.
    steps: steps at which training ends.
    initial_step: step that this process started from.
    steps_per_sec: over the last interval.
    eta_secs: seconds until `steps` at that rate; None while the rate is unknown.
    losses: loss term -> mean over the last interval; "loss" is the total.
    waiting_share: share of the last interval's time spent waiting for data and peers, 0..1.
    time: when this was written, seconds since the epoch.
    peers: peer name -> how it has answered.
  """

  module: str
  pid: int = dataclasses.field(default_factory=os.getpid)
  state: str = "starting"
  message: str = ""
  step: int = 0
  steps: int = 0
  initial_step: int = 0
  steps_per_sec: float = 0.0
  eta_secs: float | None = None
  losses: Mapping[str, float] = dataclasses.field(default_factory=dict)
  waiting_share: float = 0.0
  time: float = dataclasses.field(default_factory=time.time)
  peers: Mapping[str, PeerStatus] = dataclasses.field(default_factory=dict)

  def __post_init__(self):
    if self.state not in STATES:
      raise ValueError(f"Status.state must be one of {STATES}. Received: {self.state!r}.")

  def write(self, module_dir: str) -> None:
    """Writes `module_dir`/status.json, aside and renamed: no reader ever sees half of it."""
    os.makedirs(module_dir, exist_ok=True)
    write_json(os.path.join(module_dir, FILE_NAME), dataclasses.asdict(self))


def read(module_dir: str) -> Status | None:
  """What the trainer of `module_dir` wrote last; None if it has not written yet.

  A file that is no status (left empty when the machine lost power) counts as not written; fields
  that this version does not know are left out.
  """
  try:
    with open(os.path.join(module_dir, FILE_NAME), encoding="utf-8") as file:
      fields = json.load(file)
    peers = {name: _known(PeerStatus, peer) for name, peer in fields.pop("peers", {}).items()}
    return _known(Status, {**fields, "peers": peers})
  except FileNotFoundError:
    return None
  except (ValueError, TypeError, AttributeError):
    return None


def write_json(path: str, content: Mapping[str, object]) -> None:
  """Writes `content` to `path` as JSON so that readers see the old file or the new one."""
  temporary = f"{path}.tmp-{os.getpid()}"
  with open(temporary, "w", encoding="utf-8") as file:
    json.dump(content, file, indent=1)
  os.replace(temporary, path)


def _known(cls, fields):
  names = {field.name for field in dataclasses.fields(cls)}
  return cls(**{name: value for name, value in fields.items() if name in names})
