"""How the processes of a collective are started: command lines, ports, environment, logs."""

import dataclasses
import math
import os
import random
import shutil
import socket

from tf_taskology.training import child, locks, plan as plan_lib

START_METHODS = ("forkserver", "subprocess")
SYNCHRONOUS = "collective"  # Stands for the module's name where one process trains them all.
_HOST = "127.0.0.1"
_NICE_FACTOR = 1.25  # By how much one step of niceness lowers a process's share of a CPU on Linux.
# Below those that the system gives to clients: a client that retries a server that is down could
# otherwise be given the server's port, and connect to itself.
_PORTS = range(15000, 25000)
# What third-party libraries print about themselves; whoever sets these variables still has a say.
_QUIET = {
  "TF_CPP_MIN_LOG_LEVEL": "3",
  "GRPC_VERBOSITY": "ERROR",
  "PYTHONWARNINGS": "ignore::UserWarning:tensorflow_addons.utils.tfa_eol_msg",
}


@dataclasses.dataclass(frozen=True)
class Options:
  """How to run a collective.

  Attributes:
    work_dir: folder of the run; made if need be, continued if it holds a run.
    gin_files: the experiment.
    gin_bindings: bindings that beat the files.
    mode: "distributed" (a trainer and a model server per module), "isolated" (trainers only) or
      "synchronous" (one trainer for all modules).
    peers: "name=host:port" of models served elsewhere.
    model_server_binary: TensorFlow Serving's server, a path or a name on PATH; "embedded" for our own;
      "auto" for `tensorflow_model_server` if it is on PATH and else our own.
    start_method: "forkserver" starts trainers faster; "subprocess" is plain.
    threads: CPU threads of each trainer and model server; None divides the CPUs among the trainers by
      their shares.
    report_secs: seconds between the lines about each module when the output is no terminal.
    trainer_program: Python module that is run for each trainer.
    server_program: Python module of the embedded model server.
    preload: modules that the fork server imports.
    server_patience_secs: how long model servers stay when launcher and trainers are gone. Longer than
      a trainer takes from its start to its lock.
  """

  work_dir: str
  gin_files: tuple[str, ...] = ()
  gin_bindings: tuple[str, ...] = ()
  mode: str = "distributed"
  peers: tuple[str, ...] = ()
  model_server_binary: str = "auto"
  start_method: str = "forkserver"
  threads: int | None = None
  report_secs: float = 10.0
  trainer_program: str = "tf_taskology.train"
  server_program: str = "serving.model_server"
  preload: tuple[str, ...] = (
    "tensorflow",
    "tensorflow_serving.apis.prediction_service_pb2_grpc",
    "tf_taskology.training.trainer",
    "tf_taskology.training.config",
  )
  server_patience_secs: float = 20.0

  def __post_init__(self):
    for field, values in (("mode", plan_lib.MODES), ("start_method", START_METHODS)):
      if getattr(self, field) not in values:
        raise ValueError(
          f"Options.{field} must be one of {values}. Received: {getattr(self, field)!r}."
        )
    if self.model_server_binary not in ("auto", "embedded") and not self.server_path:
      raise ValueError(
        "Options.model_server_binary must be an executable file or a name on PATH."
        f" Received: {self.model_server_binary!r}."
      )
    if self.threads is not None and self.threads < 0:
      raise ValueError(f"Options.threads must be None or >= 0. Received: {self.threads!r}.")
    # Absolute, as model servers want it; from where the command was typed, for Bazel runs it elsewhere.
    typed_in = os.environ.get("BUILD_WORKING_DIRECTORY") or os.getcwd()
    work_dir = os.path.abspath(os.path.join(typed_in, os.path.expanduser(self.work_dir)))
    object.__setattr__(self, "work_dir", work_dir)

  @property
  def server_path(self) -> str:
    """Path of the external model server; empty for the embedded one."""
    if self.model_server_binary == "embedded":
      return ""
    is_auto = self.model_server_binary == "auto"
    return shutil.which("tensorflow_model_server" if is_auto else self.model_server_binary) or ""


class Commands:
  """Makes the specification of each process, with the ports as they are at that moment.

  Attributes:
    modules: names of the modules.
    trainers: names of the trainers: the modules', or one for all of them.
    servers: names of the modules that get a model server.
    ports: module -> port of its model server.
  """

  def __init__(self, options: Options, plan: plan_lib.LaunchPlan):
    """Picks the ports.

    Raises:
      ValueError: if a peer is no module and `options.peers` does not say where it is served.
    """
    self._options = options
    self._peers = {module.name: module.peers for module in plan.modules}
    self.modules = tuple(self._peers)
    self._elsewhere = plan_lib.parse_addresses(options.peers)
    if options.mode == "distributed":
      plan.check(self._elsewhere)
    if options.mode == "synchronous":
      self.trainers = (SYNCHRONOUS,)
    else:
      self.trainers = self.modules
    self.servers = self.trainers if options.mode == "distributed" else ()
    self.ports: dict[str, int] = {}
    for name in self.servers:
      self.ports[name] = self._pick_port()
    self._shares = {module.name: module.cpu_share for module in plan.modules}

  def module_dir(self, name: str) -> str:
    return os.path.join(self._options.work_dir, name)

  def trainer_lock(self, name: str) -> str:
    return os.path.join(self.module_dir(name), locks.FILE_NAME)

  def server_lock(self, name: str) -> str:
    return os.path.join(self.module_dir(name), locks.SERVER_FILE_NAME)

  def log_path(self, process: str) -> str:
    return os.path.join(self._options.work_dir, "logs", f"{process.replace(' ', '_')}.log")

  def addresses(self) -> dict[str, str]:
    """Module -> address of its model server."""
    return {name: f"{_HOST}:{port}" for name, port in self.ports.items()}

  def asking(self, name: str) -> list[str]:
    """The trainers that ask a module's model server."""
    return [asker for asker, peers in self._peers.items() if name in peers]

  def trainer(self, name: str) -> child.Spec:
    """The process that trains a module, or all of them."""
    options = self._options
    arguments = [f"--gin_file={path}" for path in options.gin_files]
    arguments += [f"--gin_binding={binding}" for binding in options.gin_bindings]
    arguments += [f"--work_dir={options.work_dir}", f"--mode={options.mode}"]
    arguments.append(f"--threads={self._threads(name)}")
    if options.mode != "synchronous":
      arguments.append(f"--module={name}")
    if options.mode == "distributed":
      addresses = {**self._elsewhere, **self.addresses()}
      arguments += [f"--peer={peer}={addresses[peer]}" for peer in self._peers[name]]
    return child.Spec(
      name=f"{name} trainer",
      log_path=self.log_path(f"{name} trainer"),
      module=options.trainer_program,
      arguments=tuple(arguments),
      environment=environment(),
      nice=self._nice(name),
    )

  def server(self, name: str) -> child.Spec:
    """The process that serves what a module's trainer publishes."""
    options = self._options
    base_path = os.path.join(options.work_dir, "exports", name)
    os.makedirs(base_path, exist_ok=True)
    arguments = [
      f"--port={self.ports[name]}",
      f"--model_name={name}",
      f"--model_base_path={base_path}",
      "--file_system_poll_wait_seconds=1",
      f"--tensorflow_intra_op_parallelism={self._threads(name)}",
    ]
    launcher_lock = os.path.join(options.work_dir, locks.FILE_NAME)
    return child.Spec(
      name=f"{name} server",
      log_path=self.log_path(f"{name} server"),
      module="" if options.server_path else options.server_program,
      binary=options.server_path,
      arguments=tuple(arguments),
      environment=environment(),
      lock_path=self.server_lock(name),
      patience_secs=options.server_patience_secs,
      serves=(launcher_lock, *(self.trainer_lock(trainer) for trainer in self.trainers)),
    )

  def move_server_if_port_is_taken(self, name: str) -> bool:
    """Picks a new port for a server that is not running if somebody else listens on its port."""
    if port_is_free(self.ports[name]):
      return False
    self.ports[name] = self._pick_port()
    return True

  def _threads(self, name):
    """Threads of a module's trainer and model server; 0 leaves the choice to TensorFlow."""
    if self._options.threads is not None:
      return self._options.threads
    if len(self.trainers) == 1:
      return 0
    cpus = len(os.sched_getaffinity(0))
    return max(1, int(cpus * self._shares[name] / sum(self._shares.values()) + 1e-6))

  def _nice(self, name):
    """Niceness of a module's trainer: with it, those that want the same CPU get their shares of it."""
    if len(self.trainers) == 1:
      return 0
    return round(math.log(max(self._shares.values()) / self._shares[name], _NICE_FACTOR))

  def _pick_port(self):
    ports = [port for port in _PORTS if port not in self.ports.values()]
    return next(filter(port_is_free, random.SystemRandom().sample(ports, len(ports))))


def port_is_free(port: int) -> bool:
  """Whether a server could listen on a port of this machine."""
  with socket.socket() as probe:
    # As servers do: connections of the port's last owner that linger are no obstacle.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
      probe.bind((_HOST, port))
    except OSError:
      return False
  return True


def environment() -> dict[str, str]:
  """Environment variables for children, in addition to the launcher's own."""
  return {name: value for name, value in _QUIET.items() if name not in os.environ}
