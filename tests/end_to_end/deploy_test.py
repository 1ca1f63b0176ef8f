"""Runs the commands of the manifests that //serving:deploy writes; processes stand for containers."""

# bazel: size=large, data=planes.gin
# bazel: deps=//serving:deploy //tf_taskology:train //serving:model_server //tests/training:fixtures

import os
import re
import signal
import sys

import portpicker
import yaml
from absl.testing import absltest

from serving.client import model_client
from tests.end_to_end import runs
from tf_taskology.training import status

_STEPS = 60


class DeployTest(runs.RunTestCase):
  def deploy(self, steps, *flags):
    """The services of the Compose file, with ports of this machine in place of names."""
    self.out = os.path.join(self.work_dir, "out")
    command = [sys.executable, "-m", "serving.deploy", f"--gin_file={runs.PLANES}", "--name=planes"]
    command += [f"--gin_binding=STEPS = {steps}", f"--output_dir={self.out}", *flags]
    self.wait_for_exit(self.start(command, "deploy.log"))
    with open(os.path.join(self.out, "compose.yaml")) as file:
      services = yaml.safe_load(file)["services"]
    self.ports = {}
    return services

  def outside(self, text):
    """A text of a container, with this machine's paths and addresses."""

    def address(match):
      place = self.ports.setdefault(match[0], portpicker.pick_unused_port())
      return f"127.0.0.1:{place}"

    text = re.sub(r"[a-z-]+-(?:server|trainer)(?:-[0-9]+)?:[0-9]+", address, text)
    text = text.replace("/etc/taskology", self.out)
    return text.replace("/taskology/", f"{self.work_dir}/volume/")

  def start_server(self, name, service):
    """TensorFlow Serving's command line, for the embedded server."""
    self.assertEqual(service["entrypoint"], ["tensorflow_model_server"])
    grpc = self.outside(f"{name}:8500").rpartition(":")[2]
    rest = self.outside(f"{name}:8501").rpartition(":")[2]
    arguments = [self.outside(a) for a in service["command"]]
    arguments = [a.replace("=8500", f"={grpc}").replace("=8501", f"={rest}") for a in arguments]
    for path in re.findall(r"(?<==)\S+models.config", " ".join(arguments)):
      with open(path) as file:
        text = self.outside(file.read())
      with open(path, "w") as file:
        file.write(text)
    return self.start([sys.executable, "-m", "serving.model_server", *arguments], f"{name}.log")

  def start_trainer(self, name, service):
    environment = {
      key: self.outside(value) for key, value in service.get("environment", {}).items()
    }
    command = [*service["entrypoint"], *service["command"]]
    self.assertEqual(command[0], "python")
    command = [sys.executable, *(self.outside(word) for word in command[1:])]
    with absltest.mock.patch.dict(os.environ, environment):
      return self.start(command, f"{name}.log")

  def start_all(self, services):
    """Processes by the name of their service."""
    os.makedirs(os.path.join(self.work_dir, "volume"), exist_ok=True)
    starts = {"server": self.start_server, "trainer": self.start_trainer}
    return {
      name: starts["server" if "-server" in name else "trainer"](name, service)
      for name, service in services.items()
    }

  def module_status(self, module):
    return status.read(os.path.join(self.work_dir, "volume", "planes", module))

  def test_stopping_going_on_and_serving(self):
    services = self.deploy(100_000)
    self.assertLen(services, 4)
    started = self.start_all(services)
    trainers = [started[f"{module}-trainer"] for module in self.modules]

    def training():
      found = [self.module_status(module) for module in self.modules]
      return all(read and read.state == "training" and read.step >= 20 for read in found)

    self.wait_until(training, "both train")
    for trainer in trainers:
      trainer.send_signal(signal.SIGTERM)
    for trainer in trainers:
      self.wait_for_exit(trainer, exit_code=143)  # not 0: a cluster would take it for done
    steps = max(self.module_status(module).step for module in self.modules) + _STEPS
    config = os.path.join(self.out, "config.gin")
    with open(config) as file:
      text = file.read()
    with open(config, "w") as file:
      file.write(text.replace("STEPS = 100000", f"STEPS = {steps}"))
    for module in self.modules:
      started[module] = self.start_trainer(f"{module}-trainer", services[f"{module}-trainer"])
    for module, peer in (("depth", "normals"), ("normals", "depth")):
      self.wait_for_exit(started[module])
      read = self.module_status(module)
      self.assertEqual((read.state, read.step), ("done", steps))
      self.assertGreater(read.peers[peer].requests, 0)
      with model_client.Client(self.outside(f"{module}-server:8500")) as client:
        self.wait_until(lambda: client.wait_until_available(module) == steps, "the last is served")  # noqa: B023
        self.assertIn("peer", client.metadata(module).signatures)

  def test_two_workers_train_one_module(self):
    services = self.deploy(_STEPS, "--workers=normals=2", "--replicas=depth=2", "--cpu=1")
    self.assertLen(services, 6)
    started = self.start_all(services)
    for name, process in started.items():
      if "-trainer" in name:
        self.wait_for_exit(process)
    for module in self.modules:
      read = self.module_status(module)
      self.assertEqual((read.state, read.step), ("done", _STEPS))
    target = self.module_status("normals").peers["depth"].target
    self.assertLen(target.split(","), 2)


if __name__ == "__main__":
  absltest.main()
