"""Published modules behind the embedded model server, for tests of trainers that have peers."""
# bazel: deps=//serving:model_server

import os
import subprocess
import sys
import time

import tensorflow as tf

from tf_taskology.peers import publishing
from tf_taskology.training import experiment

_LIMIT_SECS = 120.0


def publish(spec: experiment.ModuleSpec, work_dir: str, step: int) -> tf.keras.Model:
  """Publishes a module with fresh weights into a work folder. Returns its network."""
  tf.keras.utils.set_random_seed(7)
  network = spec.network(spec.tasks, spec.dedicated.image_size)
  publisher = publishing.Publisher(os.path.join(work_dir, "exports", spec.name))
  publisher.check_writable()
  publisher.publish(network, spec.tasks, step)
  return network


class Server:
  """The embedded model server with one module of a work folder.

  Attributes:
    address: where it listens.
  """

  def __init__(self, work_dir: str, module: str):
    port_file = os.path.join(work_dir, f"port-{time.monotonic_ns()}")
    self._process = subprocess.Popen(
      [sys.executable, "-m", "serving.model_server", "--port=auto", f"--port_file={port_file}"]
      + [f"--model_name={module}", f"--model_base_path={os.path.join(work_dir, 'exports', module)}"]
      + ["--wait_for_models=false"],
      env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
      stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + _LIMIT_SECS
    while not os.path.exists(port_file):
      if self._process.poll() is not None or time.monotonic() > deadline:
        self.kill()
        raise RuntimeError(f"The model server did not start: {self._process.returncode}.")
      time.sleep(0.05)
    with open(port_file) as file:
      self.address = f"127.0.0.1:{int(file.read())}"

  def kill(self):
    """Ends it at once; may be called twice."""
    self._process.kill()
    self._process.wait()
