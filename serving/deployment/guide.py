"""The page that lies beside the manifests: what they run, and the commands."""

from serving.deployment import compose, kubernetes, rollout

FILE = "README.md"


def text(made: rollout.Rollout) -> str:
  """The page, in Markdown."""
  first = made.collective.modules[0].name
  parts = [
    f"# {made.name}\n",
    f"Written by `//serving:deploy`; the project's `docs/production.md` explains all of it. Training ends at step "
    f"{made.collective.steps}.\n",
    _table(made),
    _compose(made, first),
    _kubernetes(made, first),
    _files(made),
  ]
  return "\n".join(parts)


def _table(made):
  lines = [
    "| module | asks | trained by | trainer: workers, and for each CPUs, memory, GPUs | model server: replicas, and for each the same |",
    "| --- | --- | --- | --- | --- |",
  ]
  for module in made.collective.modules:
    a = made.amounts[module.name]
    lines.append(
      f"| {module.name} | {', '.join(module.peers) or 'nobody'} | {module.strategy} "
      f"| {a.workers}: {a.cpu:g}, {a.memory}, {a.gpus} "
      f"| {a.replicas}: {a.server_cpu:g}, {a.server_memory}, {a.server_gpus} |"
    )
  return "\n".join(lines) + "\n"


def _compose(made, first):
  ports = "\n".join(
    f"| {module.name} | 127.0.0.1:{compose.ports(place)[0]} | http://127.0.0.1:{compose.ports(place)[1]} |"
    for place, module in enumerate(made.collective.modules)
  )
  return f"""## On one machine: Docker Compose
Needs the image `{made.trainer_image}`: `docker build -t {made.trainer_image} .` in the project's folder.

    docker compose up --detach          # begins, or goes on from the last checkpoint
    docker compose logs --follow
    docker compose stop                 # trainers save and publish first

| module | gRPC | REST |
| --- | --- | --- |
{ports}

    curl http://127.0.0.1:{compose.ports(0)[1]}/v1/models/{first}
"""


def _kubernetes(made, first):
  server = made.object_name(first, "server")
  return f"""## In a cluster: Kubernetes
Needs Kubernetes 1.27 or newer, the image `{made.trainer_image}` where the nodes find it, and {_storage(made)}.

    kubectl apply --filename={kubernetes.FOLDER}/
    kubectl get pods --selector=app.kubernetes.io/instance={made.name}
    kubectl logs --follow job/{made.object_name(first, "trainer")}
    kubectl patch job {made.object_name(first, "trainer")} --patch='{{"spec": {{"suspend": true}}}}'    # saves and pauses; false goes on

Inside the cluster, gRPC is at `{server}:{rollout.GRPC_PORT}` and REST at `http://{server}:{rollout.REST_PORT}`.
"""


def _storage(made):
  if made.storage.claim is not None:
    return f"the volume claim `{made.storage.claim}`, which many nodes may write"
  return "a storage class whose volumes many nodes may write (ReadWriteMany)"


def _files(made):
  lines = [
    "## Files",
    "| file | what |",
    "| --- | --- |",
    f"| `{rollout.GIN_FILE}` | the whole configuration, without includes: all trainers read this one |",
    "| `models.config` | all modules, for one server that serves them together |",
    "| `<module>.models.config` | the same for each module's own server |",
    f"| `{rollout.BATCHING_FILE}`, `{rollout.MONITORING_FILE}` | model servers' batching and metrics |",
    f"| `{compose.FILE}` | Docker Compose |",
    f"| `{kubernetes.FOLDER}/` | Kubernetes; holds the configuration files in a ConfigMap |",
  ]
  return "\n".join(lines) + "\n"
