"""Kubernetes: a Deployment and a Service for each model server, a Job for each trainer."""

from serving.deployment import bucket, plan, rollout, server_configs

FOLDER = "kubernetes"
_RUN, _CONFIG, _DATA = "run", "config", "data"
# Names by which ports and probes refer to each other.
_GRPC, _REST, _WORKER = "grpc", "rest", "worker"
_INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
_FAILED_FOR_GOOD = 3  # a trainer's exit code for what starting again would not help
_RESTARTS = 20


def files(made: rollout.Rollout) -> dict[str, tuple[str, list[dict]]]:
  """File name -> (what it is, its documents)."""
  found = {"config.yaml": ("What containers mount.", [_config(made)])}
  if made.storage.claim is None:
    found["storage.yaml"] = ("Checkpoints and published versions.", [_claim(made)])
  if made.storage.bucket is not None:
    copier = bucket.deployment(made, labels(made, None, "copier"), claim_name(made))
    found["copier.yaml"] = ("Copies published versions to the bucket.", [copier])
  for module in made.collective.modules:
    found[f"{module.name}-server.yaml"] = (
      f"Serves what the trainer of {module.name} publishes.",
      [_server(made, module.name), _server_service(made, module.name)],
    )
    documents = [_trainer(made, module)]
    if made.amounts[module.name].workers > 1:
      documents.append(_worker_service(made, module.name))
    found[f"{module.name}-trainer.yaml"] = (f"Trains {module.name}.", documents)
  return found


def labels(made: rollout.Rollout, module: str | None, component: str) -> dict[str, str]:
  """Labels of what belongs to a module, and selectors for it."""
  found = {
    "app.kubernetes.io/name": "tf-taskology",
    "app.kubernetes.io/instance": made.name,
    "app.kubernetes.io/component": component,
  }
  return {**found, "module": module} if module else found


def claim_name(made: rollout.Rollout) -> str:
  """Name of the claim on the volume."""
  return made.storage.claim or f"{made.name}-run"


def _config_name(made):
  return f"{made.name}-config"


def _config(made: rollout.Rollout) -> dict:
  root = made.storage.bucket
  models = {
    rollout.models_file(module.name): server_configs.models(made, [module.name], root)
    for module in made.collective.modules
  }
  data = {
    rollout.GIN_FILE: made.collective.config,
    **models,
    rollout.BATCHING_FILE: server_configs.batching(made),
    rollout.MONITORING_FILE: server_configs.monitoring(),
  }
  if made.storage.bucket is not None:
    data[bucket.SCRIPT_NAME] = bucket.SCRIPT
  return {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": _config_name(made), "labels": labels(made, None, "config")},
    "data": data,
  }


def _claim(made: rollout.Rollout) -> dict:
  spec = {
    # Trainers write, servers read, on any node.
    "accessModes": ["ReadWriteMany"],
    "resources": {"requests": {"storage": made.storage.size}},
  }
  if made.storage.storage_class is not None:
    spec["storageClassName"] = made.storage.storage_class
  return {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": claim_name(made), "labels": labels(made, None, "storage")},
    "spec": spec,
  }


def _server(made: rollout.Rollout, module: str) -> dict:
  amount = made.amounts[module]
  found = labels(made, module, "server")
  ready = {"httpGet": {"path": f"/v1/models/{module}/metadata", "port": _REST}}
  container = {
    "name": "model-server",
    "image": made.server_image,
    "command": list(rollout.SERVER_COMMAND),
    "args": made.server_arguments(module),
    "ports": [
      {"name": _GRPC, "containerPort": rollout.GRPC_PORT},
      {"name": _REST, "containerPort": rollout.REST_PORT},
    ],
    # Ports stay closed until the trainer has published: it may be hours until a node is free for it.
    "startupProbe": {"tcpSocket": {"port": _GRPC}, "periodSeconds": 5, "failureThreshold": 17280},
    "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 5},
    "livenessProbe": {"tcpSocket": {"port": _GRPC}, "periodSeconds": 20, "failureThreshold": 6},
    # TensorFlow Serving ends at once when told to; until then, clients must have heard that it is leaving.
    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "10"]}}},
    "resources": _resources(amount.server_cpu, amount.server_memory, amount.server_gpus),
    "volumeMounts": [{"name": _CONFIG, "mountPath": rollout.CONFIG_DIR, "readOnly": True}],
  }
  volumes = [_config_volume(made)]
  if made.storage.bucket is None:
    container["volumeMounts"].append(
      {"name": _RUN, "mountPath": rollout.DATA_DIR, "readOnly": True}
    )
    volumes.append(_run_volume(made))
  return {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": made.object_name(module, "server"), "labels": found},
    "spec": {
      "replicas": amount.replicas,
      "selector": {"matchLabels": found},
      "template": {
        "metadata": {"labels": found, "annotations": _scraped()},
        "spec": {
          **_service_account(made),
          "terminationGracePeriodSeconds": 30,
          "containers": [container],
          "volumes": volumes,
        },
      },
    },
  }


def _scraped():
  return {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(rollout.REST_PORT),
    "prometheus.io/path": rollout.METRICS_PATH,
  }


def _server_service(made: rollout.Rollout, module: str) -> dict:
  return {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
      "name": made.object_name(module, "server"),
      "labels": labels(made, module, "server"),
    },
    "spec": {
      # Headless: gRPC keeps one connection, so a virtual address would send a client to one replica for ever.
      "clusterIP": "None",
      "selector": labels(made, module, "server"),
      "ports": [
        {"name": _GRPC, "port": rollout.GRPC_PORT, "targetPort": _GRPC},
        {"name": _REST, "port": rollout.REST_PORT, "targetPort": _REST},
      ],
    },
  }


def _trainer(made: rollout.Rollout, module: plan.Module) -> dict:
  amount = made.amounts[module.name]
  name, found = made.object_name(module.name, "trainer"), labels(made, module.name, "trainer")
  pod = {
    **_service_account(made),
    "restartPolicy": "Never",
    "terminationGracePeriodSeconds": rollout.STOP_SECS,
    "containers": [_trainer_container(made, module)],
    "volumes": [_config_volume(made), _run_volume(made)],
  }
  if made.data.path is not None:
    pod["volumes"].append(_data_volume(made))
  spec = {
    "backoffLimit": _RESTARTS * amount.workers,
    "podFailurePolicy": {
      "rules": [
        {
          "action": "FailJob",
          "onExitCodes": {
            "containerName": "trainer",
            "operator": "In",
            "values": [_FAILED_FOR_GOOD],
          },
        },
        # A node that goes away is no failure of the trainer.
        {
          "action": "Ignore",
          "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
      ]
    },
  }
  if amount.workers > 1:
    pod["subdomain"] = name  # gives workers the names that TF_CONFIG lists
    spec |= {
      "completionMode": "Indexed",
      "completions": amount.workers,
      "parallelism": amount.workers,
    }
  spec["template"] = {"metadata": {"labels": found}, "spec": pod}
  return {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": name, "labels": found},
    "spec": spec,
  }


def _trainer_container(made: rollout.Rollout, module: plan.Module) -> dict:
  amount = made.amounts[module.name]
  hosts = {
    peer.name: f"{made.object_name(peer.name, 'server')}:{rollout.GRPC_PORT}"
    for peer in made.collective.modules
  }
  container = {
    "name": "trainer",
    "image": made.trainer_image,
    "command": list(rollout.TRAINER_COMMAND),
    "args": made.trainer_arguments(module, hosts),
    "resources": _resources(amount.cpu, amount.memory, amount.gpus),
    "volumeMounts": [
      {"name": _CONFIG, "mountPath": rollout.CONFIG_DIR, "readOnly": True},
      {"name": _RUN, "mountPath": rollout.DATA_DIR},
    ],
  }
  if made.data.path is not None:
    container["volumeMounts"].append({"name": _DATA, "mountPath": made.data.path, "readOnly": True})
  if amount.workers > 1:
    job = made.object_name(module.name, "trainer")
    # A pod of an indexed Job is called <job>-<index>; its Service makes that a name for the others.
    addresses = [f"{job}-{i}.{job}:{rollout.WORKER_PORT}" for i in range(amount.workers)]
    container["ports"] = [{"name": _WORKER, "containerPort": rollout.WORKER_PORT}]
    container["env"] = [
      {"name": "WORKER_INDEX", "valueFrom": {"fieldRef": {"fieldPath": _INDEX}}},
      {"name": "TF_CONFIG", "value": rollout.tf_config(addresses, "$(WORKER_INDEX)")},
    ]
  return container


def _worker_service(made: rollout.Rollout, module: str) -> dict:
  found = labels(made, module, "trainer")
  return {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": made.object_name(module, "trainer"), "labels": found},
    "spec": {
      "clusterIP": "None",
      # Workers look for each other while they start.
      "publishNotReadyAddresses": True,
      "selector": found,
      "ports": [{"name": _WORKER, "port": rollout.WORKER_PORT, "targetPort": _WORKER}],
    },
  }


def _config_volume(made):
  return {"name": _CONFIG, "configMap": {"name": _config_name(made)}}


def _run_volume(made):
  return {"name": _RUN, "persistentVolumeClaim": {"claimName": claim_name(made)}}


def _data_volume(made):
  if made.data.claim is not None:
    return {
      "name": _DATA,
      "persistentVolumeClaim": {"claimName": made.data.claim, "readOnly": True},
    }
  return {"name": _DATA, "hostPath": {"path": made.data.path, "type": "Directory"}}


def _service_account(made):
  return {"serviceAccountName": made.service_account} if made.service_account else {}


def _resources(cpu, memory, gpus):
  # No limit of processors: the number of threads is one, and a limit would stop them in mid-step.
  resources = {"requests": {"cpu": f"{cpu:g}", "memory": memory}, "limits": {"memory": memory}}
  if gpus:
    resources["limits"]["nvidia.com/gpu"] = str(gpus)
  return resources
