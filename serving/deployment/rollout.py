"""One deployment of a collective: its names, paths and command lines, which all manifests share."""

import dataclasses
import re
from collections.abc import Mapping

from serving.deployment import amounts, plan

# In containers.
CONFIG_DIR = "/etc/taskology"
DATA_DIR = "/taskology"
GRPC_PORT, REST_PORT, WORKER_PORT = 8500, 8501, 2222
METRICS_PATH = "/monitoring/prometheus/metrics"
GIN_FILE, BATCHING_FILE, MONITORING_FILE = "config.gin", "batching.config", "monitoring.config"
TRAINER_COMMAND = ("python", "-m", "tf_taskology.train")
SERVER_COMMAND = ("tensorflow_model_server",)
# Ends a trainer that was told to before its last step: other than 0, so that nobody takes it for done.
STOPPED = 143
# Trainers save and publish before they end.
STOP_SECS = 120

_SEVERAL_WORKERS = "multi_worker_mirrored"
_LONGEST_NAME = 52  # a pod's name, a part of a domain name, adds up to 11 characters


@dataclasses.dataclass(frozen=True)
class Storage:
  """Where checkpoints and published versions lie.

  Attributes:
    size: of the volume claim.
    storage_class: None for the cluster's default.
    claim: name of an existing claim, in place of a new one.
    bucket: gs://bucket/folder from which model servers read; None for the volume.
  """

  size: str = "20Gi"
  storage_class: str | None = None
  claim: str | None = None
  bucket: str | None = None

  def __post_init__(self):
    if not re.fullmatch(r"[1-9][0-9]*(Mi|Gi|Ti)", self.size):
      raise plan.DeployError(f"--storage must be an amount, such as 20Gi. Received: {self.size!r}.")
    if self.bucket is not None and not re.fullmatch(
      r"gs://[a-z0-9][\w.-]+(/[\w.-]+)*", self.bucket
    ):
      raise plan.DeployError(
        "--bucket must have the form gs://bucket/folder: TensorFlow Serving's image reads Google Cloud Storage and no "
        f"other. Mount other buckets as a volume (--volume_claim). Received: {self.bucket!r}."
      )


@dataclasses.dataclass(frozen=True)
class Data:
  """Where training data lie that are not made while training.

  Attributes:
    path: the folder, as the gin file names it; mounted there. None for none.
    claim: name of the volume claim that holds it, for Kubernetes.
  """

  path: str | None = None
  claim: str | None = None

  def __post_init__(self):
    if self.path is not None and not self.path.startswith("/"):
      raise plan.DeployError(f"--data_dir must be absolute. Received: {self.path!r}.")
    if self.claim is not None and self.path is None:
      raise plan.DeployError("--data_claim needs --data_dir, where trainers look for the data.")


@dataclasses.dataclass(frozen=True)
class Rollout:
  """What is deployed, and how.

  Attributes:
    name: of this deployment; begins the names of everything in a cluster.
    collective: the modules.
    amounts: module -> what it gets.
    elsewhere: model -> "host:port[,host:port]" of models that are served elsewhere.
    trainer_image: container image with this project.
    server_image: TensorFlow Serving's.
    batching: whether model servers put requests together.
    storage: where checkpoints and versions lie.
    data: where training data lie.
    service_account: of all pods; None for the default.
  """

  name: str
  collective: plan.Collective
  amounts: Mapping[str, amounts.Amounts]
  elsewhere: Mapping[str, str] = dataclasses.field(default_factory=dict)
  trainer_image: str = "tf-taskology:latest"
  server_image: str = "tensorflow/serving:2.15.1"
  batching: bool = True
  storage: Storage = Storage()
  data: Data = Data()
  service_account: str | None = None

  def __post_init__(self):
    for module in self.collective.modules:
      _check_name(self.object_name(module.name, "trainer"))
    if self.collective.tls_root_certificates:
      raise plan.DeployError(
        "Peering.tls_root_certificates is set, but the manifests connect trainers and model servers without TLS, inside "
        "one network. Leave it unset here, and encrypt between nodes with the cluster's own means."
      )
    self._check_peers()
    self._check_strategies()
    self._check_batches()

  def _check_peers(self):
    missing = [name for name in self.collective.elsewhere if name not in self.elsewhere]
    if missing:
      raise plan.DeployError(
        f"The modules need predictions of {', '.join(missing)}, which is none of them. "
        f"Say where it is served: --peer={missing[0]}=host:port."
      )
    unused = sorted(set(self.elsewhere) - set(self.collective.elsewhere))
    if unused:
      raise plan.DeployError(
        f"--peer gives an address for {', '.join(unused)}, but the modules need no such model from elsewhere. "
        f"They need: {', '.join(self.collective.elsewhere) or 'none'}."
      )

  def _check_strategies(self):
    for module in self.collective.modules:
      workers = self.amounts[module.name].workers
      if workers > 1 and module.strategy != _SEVERAL_WORKERS:
        raise plan.DeployError(
          f"--workers={module.name}={workers}, but ModuleSpec({module.name}).strategy is {module.strategy!r}, which "
          f"trains in one process. Leave it out of the configuration, or set it to {_SEVERAL_WORKERS!r}."
        )

  def _check_batches(self):
    mediator = self.collective.mediator_batch_size
    for module in self.collective.modules:
      workers = self.amounts[module.name].workers
      sizes = {f"ModuleSpec({module.name}).batch_size": module.batch_size}
      if mediator is not None and module.peers:
        sizes["Mediator.batch_size"] = mediator
      for field, size in sizes.items():
        if size % workers:
          raise plan.DeployError(
            f"{field} = {size} does not divide over {workers} workers (--workers). Choose a multiple of {workers}."
          )

  @property
  def work_dir(self) -> str:
    """The run's folder, in trainers' containers."""
    return f"{DATA_DIR}/{self.name}"

  def object_name(self, module: str, part: str) -> str:
    """Name of a module's "trainer" or "server" in a cluster, such as "rooms-depth-server"."""
    return f"{self.name}-{module.replace('_', '-')}-{part}"

  def base_path(self, module: str, root: str | None = None) -> str:
    """Where a module's versions lie; `root` stands for the run's folder."""
    return f"{root or self.work_dir}/exports/{module}"

  def trainer_arguments(self, module: plan.Module, hosts: Mapping[str, str]) -> list[str]:
    """A trainer's command line after the program's name.

    Args:
      module: what it trains.
      hosts: module -> "host:port[,host:port]" of its model servers.
    """
    arguments = [
      f"--gin_file={CONFIG_DIR}/{GIN_FILE}",
      f"--work_dir={self.work_dir}",
      f"--module={module.name}",
    ]
    addresses = {**self.elsewhere, **hosts}
    arguments += [f"--peer={peer}={addresses[peer]}" for peer in module.peers]
    threads = self.amounts[module.name].threads
    return [*arguments, f"--threads={threads}", f"--exit_code_if_stopped={STOPPED}"]

  def server_arguments(self, module: str) -> list[str]:
    """A model server's command line after the program's name."""
    arguments = [
      f"--port={GRPC_PORT}",
      f"--rest_api_port={REST_PORT}",
      f"--model_config_file={CONFIG_DIR}/{models_file(module)}",
      "--model_config_file_poll_wait_seconds=60",
      f"--file_system_poll_wait_seconds={10 if self.storage.bucket else 1}",
      f"--monitoring_config_file={CONFIG_DIR}/{MONITORING_FILE}",
      f"--tensorflow_intra_op_parallelism={self.amounts[module].server_threads}",
    ]
    if self.batching:
      arguments += [
        "--enable_batching=true",
        f"--batching_parameters_file={CONFIG_DIR}/{BATCHING_FILE}",
      ]
    if self.storage.bucket:
      # A version is seen while it is still being copied.
      arguments += ["--load_retry_interval_micros=5000000", "--max_num_load_retries=1000"]
    return arguments


def models_file(module: str) -> str:
  """Name of the model server's configuration of one module."""
  return f"{module}.models.config"


def tf_config(addresses: list[str], index: str) -> str:
  """TF_CONFIG of a worker, as tf.distribute reads it; `index` as it is to stand in the text."""
  listed = ", ".join(f'"{address}"' for address in addresses)
  return f'{{"cluster": {{"worker": [{listed}]}}, "task": {{"type": "worker", "index": {index}}}}}'


def _check_name(name: str) -> None:
  if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > _LONGEST_NAME:
    raise plan.DeployError(
      f"{name!r} cannot be a name in a cluster: expected at most {_LONGEST_NAME} characters a-z, 0-9 and -, beginning "
      "with a letter. Choose another --name, or rename the module."
    )
