"""Docker Compose: a trainer and a model server for each module, on one machine."""

from serving.deployment import plan, rollout, server_configs

FILE = "compose.yaml"
_VOLUME = "run"
# TensorFlow Serving opens its ports once a version serves; the image has no curl.
_PORT_IS_OPEN = ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{rollout.REST_PORT}"]


def document(made: rollout.Rollout) -> dict:
  """The Compose file's content."""
  services = {}
  for place, module in enumerate(made.collective.modules):
    first, *others = _server_names(made, module.name)
    services[first] = {**_server(made, module.name), "ports": _published(place)}
    services.update({name: _server(made, module.name) for name in others})
  for module in made.collective.modules:
    workers = made.amounts[module.name].workers
    for index in range(workers):
      services[_worker_name(module.name, workers, index)] = _trainer(made, module, index)
  return {"name": made.name, "services": services, "volumes": {_VOLUME: {}}}


def configs(made: rollout.Rollout) -> dict[str, str]:
  """The files that containers mount, by name."""
  names = [module.name for module in made.collective.modules]
  files = {rollout.models_file(name): server_configs.models(made, [name]) for name in names}
  return {
    rollout.GIN_FILE: made.collective.config,
    **files,
    rollout.BATCHING_FILE: server_configs.batching(made),
    rollout.MONITORING_FILE: server_configs.monitoring(),
  }


def _server_names(made, module):
  base = f"{module.replace('_', '-')}-server"
  replicas = made.amounts[module].replicas
  return [base] if replicas == 1 else [f"{base}-{i}" for i in range(1, replicas + 1)]


def _worker_name(module, workers, index):
  base = f"{module.replace('_', '-')}-trainer"
  return base if workers == 1 else f"{base}-{index}"


def ports(place: int) -> tuple[int, int]:
  """Ports of this machine for gRPC and REST of the module at a place in the list: 8500 and 8501, 8510 and 8511, ..."""
  return rollout.GRPC_PORT + 10 * place, rollout.REST_PORT + 10 * place


def _published(place):
  inside = (rollout.GRPC_PORT, rollout.REST_PORT)
  return [f"127.0.0.1:{out}:{port}" for out, port in zip(ports(place), inside, strict=True)]


def _server(made: rollout.Rollout, module: str) -> dict:
  amount = made.amounts[module]
  files = [rollout.models_file(module), rollout.MONITORING_FILE]
  if made.batching:
    files.append(rollout.BATCHING_FILE)
  return {
    "image": made.server_image,
    "entrypoint": list(rollout.SERVER_COMMAND),
    "command": made.server_arguments(module),
    "volumes": [f"{_VOLUME}:{rollout.DATA_DIR}:ro", *_mounted(files)],
    "healthcheck": {
      "test": _PORT_IS_OPEN,
      "interval": "10s",
      "timeout": "5s",
      "retries": 3,
      "start_period": "1h",
    },
    "restart": "unless-stopped",
    "deploy": {
      "resources": _resources(amount.server_cpu, amount.server_memory, amount.server_gpus)
    },
  }


def _trainer(made: rollout.Rollout, module: plan.Module, index: int) -> dict:
  amount = made.amounts[module.name]
  hosts = {
    peer.name: ",".join(f"{name}:{rollout.GRPC_PORT}" for name in _server_names(made, peer.name))
    for peer in made.collective.modules
  }
  service = {
    "image": made.trainer_image,
    "entrypoint": list(rollout.TRAINER_COMMAND),
    "command": made.trainer_arguments(module, hosts),
    "volumes": [f"{_VOLUME}:{rollout.DATA_DIR}", *_mounted([rollout.GIN_FILE])],
    "restart": "on-failure:20",
    "stop_grace_period": f"{rollout.STOP_SECS}s",
    "deploy": {"resources": _resources(amount.cpu, amount.memory, amount.gpus)},
  }
  if made.data.path:
    service["volumes"].append(f"{made.data.path}:{made.data.path}:ro")
  if amount.workers > 1:
    addresses = [
      f"{_worker_name(module.name, amount.workers, i)}:{rollout.WORKER_PORT}"
      for i in range(amount.workers)
    ]
    service["environment"] = {"TF_CONFIG": rollout.tf_config(addresses, str(index))}
  return service


def _mounted(files):
  return [f"./{name}:{rollout.CONFIG_DIR}/{name}:ro" for name in files]


def _resources(cpu, memory, gpus):
  resources = {"limits": {"cpus": f"{cpu:g}", "memory": memory[:-1].lower()}}
  if gpus:
    device = {"driver": "nvidia", "count": gpus, "capabilities": ["gpu"]}
    resources["reservations"] = {"devices": [device]}
  return resources
