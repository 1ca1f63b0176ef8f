"""Manifests against the schemas of Kubernetes and Compose, and against themselves."""

# bazel: data=//tests/serving:schemas_files

import json
import os
import re

import yaml
from absl.testing import absltest, parameterized

from serving import batching_config, configs, monitoring
from serving.deployment import compose, kubernetes, output, rollout
from tests.serving import json_schema
from tests.serving.deployment import rollouts
from tf_taskology.training import program

_SCHEMAS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "schemas")
_KINDS = list(rollouts.KINDS)


def _documents(texts):
  """All Kubernetes objects, as a cluster would read them."""
  return [
    document
    for name, text in texts.items()
    if name.startswith(kubernetes.FOLDER)
    for document in yaml.safe_load_all(text)
  ]


def _by_kind(documents, kind):
  return {d["metadata"]["name"]: d for d in documents if d["kind"] == kind}


def _flags(arguments, name):
  return [a.partition("=")[2] for a in arguments if a.startswith(f"--{name}=")]


class SchemaTest(parameterized.TestCase):
  @parameterized.parameters(*_KINDS)
  def test_kubernetes(self, kind):
    schema = json_schema.Schema(os.path.join(_SCHEMAS, "kubernetes.json"))
    documents = _documents(output.files(rollouts.kind(kind)))
    self.assertGreaterEqual(len(documents), 7 if kind != "claims" else 6)
    for document in documents:
      name = f"{document['apiVersion']}/{document['kind']}"
      self.assertIn(name, schema.definitions())
      with self.subTest(name, of=document["metadata"]["name"]):
        self.assertEmpty(schema.errors(document, name))

  @parameterized.parameters(*_KINDS)
  def test_compose(self, kind):
    schema = json_schema.Schema(os.path.join(_SCHEMAS, "compose.json"))
    document = yaml.safe_load(output.files(rollouts.kind(kind))[compose.FILE])
    self.assertEmpty(schema.errors(document))

  def test_a_typo_would_be_found(self):
    schema = json_schema.Schema(os.path.join(_SCHEMAS, "kubernetes.json"))
    (job,) = [d for d in _documents(output.files(rollouts.make())) if d["kind"] == "Job"][:1]
    job["spec"]["template"]["spec"]["containers"][0]["volumeMount"] = []
    job["spec"]["backofLimit"] = 1
    self.assertLen(schema.errors(job, "batch/v1/Job"), 2)


class KubernetesTest(parameterized.TestCase):
  def documents(self, kind):
    made = rollouts.kind(kind)
    return made, _documents(output.files(made))

  @parameterized.parameters(*_KINDS)
  def test_names_are_unique(self, kind):
    _, documents = self.documents(kind)
    names = [(d["kind"], d["metadata"]["name"]) for d in documents]
    self.assertLen(set(names), len(names))

  @parameterized.parameters(*_KINDS)
  def test_selectors_match_their_pods_and_no_others(self, kind):
    _, documents = self.documents(kind)
    pods = {
      d["metadata"]["name"]: d["spec"]["template"]
      for d in documents
      if d["kind"] in ("Deployment", "Job")
    }
    labels = {name: pod["metadata"]["labels"] for name, pod in pods.items()}
    for name, deployment in _by_kind(documents, "Deployment").items():
      selector = deployment["spec"]["selector"]["matchLabels"]
      self.assertEqual(
        [n for n, found in labels.items() if selector.items() <= found.items()], [name]
      )
    for name, service in _by_kind(documents, "Service").items():
      selector = service["spec"]["selector"]
      self.assertEqual(
        [n for n, found in labels.items() if selector.items() <= found.items()], [name]
      )
      containers = pods[name]["spec"]["containers"]
      ports = {p["name"]: p["containerPort"] for c in containers for p in c["ports"]}
      for port in service["spec"]["ports"]:
        self.assertEqual(ports[port["targetPort"]], port["port"])  # headless: no translation

  @parameterized.parameters(*_KINDS)
  def test_probes_mounts_and_claims_refer_to_what_is_there(self, kind):
    made, documents = self.documents(kind)
    claims = set(_by_kind(documents, "PersistentVolumeClaim")) | {"shared", "frames"}
    maps = _by_kind(documents, "ConfigMap")
    for document in documents:
      if document["kind"] not in ("Deployment", "Job"):
        continue
      pod = document["spec"]["template"]["spec"]
      volumes = {volume["name"]: volume for volume in pod["volumes"]}
      mounted = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
      self.assertEqual(set(volumes), mounted)
      for volume in volumes.values():
        self.assertIn(
          volume.get("persistentVolumeClaim", {"claimName": "shared"})["claimName"], claims
        )
        self.assertIn(volume.get("configMap", {"name": "rooms-config"})["name"], maps)
      for container in pod["containers"]:
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
          for check in ("httpGet", "tcpSocket"):
            if check in container.get(probe, {}):
              self.assertIn(container[probe][check]["port"], ports)
        files = maps["rooms-config"]["data"]
        text = " ".join([*container["command"], *container["args"]])
        for path in re.findall(rf"{rollout.CONFIG_DIR}/(\S+)", text):
          self.assertIn(path, files)
      self.assertEqual(pod.get("serviceAccountName"), made.service_account)

  @parameterized.parameters(*_KINDS)
  def test_trainers_ask_the_services_of_their_peers(self, kind):
    made, documents = self.documents(kind)
    services = _by_kind(documents, "Service")
    for module in made.collective.modules:
      job = _by_kind(documents, "Job")[made.object_name(module.name, "trainer")]
      (container,) = job["spec"]["template"]["spec"]["containers"]
      self.assertEqual(container["command"], ["python", "-m", "tf_taskology.train"])
      self.assertEqual(_flags(container["args"], "module"), [module.name])
      targets = program.parse_peers(_flags(container["args"], "peer"))
      self.assertCountEqual(targets, module.peers)
      for peer, addresses in targets.items():
        if peer == "teacher":
          self.assertEqual(",".join(addresses), rollouts.TEACHER)
          continue
        (address,) = addresses
        host, _, port = address.partition(":")
        self.assertEqual(host, made.object_name(peer, "server"))
        self.assertIn(int(port), [p["port"] for p in services[host]["spec"]["ports"]])

  @parameterized.parameters("workers", "claims")
  def test_workers_find_each_other(self, kind):
    made, documents = self.documents(kind)
    services = _by_kind(documents, "Service")
    for module in made.collective.modules:
      workers = made.amounts[module.name].workers
      name = made.object_name(module.name, "trainer")
      job = _by_kind(documents, "Job")[name]
      pod = job["spec"]["template"]["spec"]
      (container,) = pod["containers"]
      env = {variable["name"]: variable for variable in container.get("env", ())}
      if workers == 1:
        self.assertNotIn("TF_CONFIG", env)
        self.assertNotIn(name, services)
        continue
      self.assertEqual(
        (job["spec"]["completionMode"], job["spec"]["completions"]), ("Indexed", workers)
      )
      self.assertEqual(job["spec"]["parallelism"], workers)
      # Kubernetes expands $(NAME) of variables that come earlier.
      self.assertLess(list(env).index("WORKER_INDEX"), list(env).index("TF_CONFIG"))
      for index in range(workers):
        value = json.loads(env["TF_CONFIG"]["value"].replace("$(WORKER_INDEX)", str(index)))
        self.assertEqual(value["task"], {"type": "worker", "index": index})
        self.assertLen(value["cluster"]["worker"], workers)
        host, _, port = value["cluster"]["worker"][index].partition(":")
        # A pod of an indexed Job is called <job>-<index>, and is found below its subdomain's Service.
        self.assertEqual(host, f"{name}-{index}.{pod['subdomain']}")
        self.assertIn(pod["subdomain"], services)
        self.assertTrue(services[name]["spec"]["publishNotReadyAddresses"])
        self.assertEqual(int(port), container["ports"][0]["containerPort"])

  @parameterized.parameters(*_KINDS)
  def test_amounts(self, kind):
    made, documents = self.documents(kind)
    for module in made.collective.modules:
      amount = made.amounts[module.name]
      server = _by_kind(documents, "Deployment")[made.object_name(module.name, "server")]["spec"]
      trainer = _by_kind(documents, "Job")[made.object_name(module.name, "trainer")]["spec"]
      self.assertEqual(server["replicas"], amount.replicas)
      for spec, cpu, memory, gpus in (
        (server, amount.server_cpu, amount.server_memory, amount.server_gpus),
        (trainer, amount.cpu, amount.memory, amount.gpus),
      ):
        resources = spec["template"]["spec"]["containers"][0]["resources"]
        self.assertEqual(resources["requests"], {"cpu": f"{cpu:g}", "memory": memory})
        self.assertEqual(resources["limits"].get("nvidia.com/gpu", "0"), str(gpus))

  @parameterized.parameters(*_KINDS)
  def test_configuration_files_are_read_by_the_model_server(self, kind):
    made, documents = self.documents(kind)
    folder = self.create_tempdir()
    data = _by_kind(documents, "ConfigMap")["rooms-config"]["data"]
    paths = {name: folder.create_file(name, text).full_path for name, text in data.items()}
    self.assertEqual(data["config.gin"], made.collective.config)
    for module in made.collective.modules:
      name = f"{module.name}.models.config"
      text = data[name].replace("gs://", "/")  # the embedded server has no buckets
      (model,) = configs.read_models(folder.create_file("read", text).full_path)
      self.assertEqual(model.name, module.name)
      root = made.storage.bucket.replace("gs://", "/") if made.storage.bucket else made.work_dir
      self.assertEqual(model.base_path, f"{root}/exports/{module.name}")
    self.assertTrue(monitoring.read(paths["monitoring.config"]))
    parameters = batching_config.read_parameters(paths["batching.config"])
    self.assertGreaterEqual(parameters.max_batch_size, made.collective.largest_request)


class ComposeTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path

  def services(self, kind):
    made = rollouts.kind(kind)
    output.write(self.folder, output.files(made))
    with open(os.path.join(self.folder, compose.FILE)) as file:
      return made, yaml.safe_load(file)["services"]

  @parameterized.parameters(*_KINDS)
  def test_mounted_files_are_written(self, kind):
    _, services = self.services(kind)
    for service in services.values():
      mounts = dict(volume.split(":")[1::-1] for volume in service["volumes"])
      for outside in mounts.values():
        if outside.startswith("./"):
          self.assertTrue(os.path.isfile(os.path.join(self.folder, outside)), outside)
      for path in re.findall(rf"{rollout.CONFIG_DIR}/\S+", " ".join(service["command"])):
        self.assertIn(path, mounts)

  @parameterized.parameters(*_KINDS)
  def test_trainers_ask_all_servers_of_their_peers(self, kind):
    made, services = self.services(kind)
    asked = set()
    for name, service in services.items():
      if "-trainer" not in name:
        continue
      (module,) = _flags(service["command"], "module")
      self.assertStartsWith(name, module.replace("_", "-"))
      for peer, addresses in program.parse_peers(_flags(service["command"], "peer")).items():
        if peer == "teacher":
          continue
        self.assertLen(addresses, made.amounts[peer].replicas)
        for address in addresses:
          host, _, port = address.partition(":")
          self.assertIn(f"--port={port}", services[host]["command"])
          self.assertIn(f"{peer}.models.config", " ".join(services[host]["command"]))
          asked.add(host)
    self.assertEqual(asked, {name for name in services if "-server" in name})

  @parameterized.parameters("workers", "claims")
  def test_workers_find_each_other(self, kind):
    made, services = self.services(kind)
    for module in made.collective.modules:
      workers = made.amounts[module.name].workers
      base = f"{module.name.replace('_', '-')}-trainer"
      names = [base] if workers == 1 else [f"{base}-{i}" for i in range(workers)]
      for index, name in enumerate(names):
        if workers == 1:
          self.assertNotIn("environment", services[name])
          continue
        value = json.loads(services[name]["environment"]["TF_CONFIG"])
        self.assertEqual(value["task"], {"type": "worker", "index": index})
        self.assertEqual(value["cluster"]["worker"], [f"{n}:2222" for n in names])

  def test_ports_of_this_machine_do_not_collide(self):
    _, services = self.services("replicas")
    ports = [port for service in services.values() for port in service.get("ports", ())]
    self.assertCountEqual(
      ports,
      [
        f"127.0.0.1:{out}:{port}"
        for out, port in ((8500, 8500), (8501, 8501), (8510, 8500), (8511, 8501))
      ],
    )


if __name__ == "__main__":
  absltest.main()
