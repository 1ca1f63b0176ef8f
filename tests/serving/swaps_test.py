"""Versions replace each other while four clients ask: no request fails, nothing is left behind.

The suite makes a few swaps; a thousand with

  SWAPS=1000 ./bazelw test //tests/serving:swaps_test --test_env=SWAPS --test_output=all
"""

# bazel: size=large

import os
import shutil
import tempfile
import threading
import time

import numpy as np
import psutil
import tensorflow as tf
from absl import flags, logging
from absl.testing import absltest
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

from tests.serving import exports, server_process

_SWAPS = flags.DEFINE_integer(
  "swaps", int(os.environ.get("SWAPS", "12")), "How many times the version is replaced."
)
_CLIENTS = 4
_WARM = 0.25  # share of the swaps after which nothing should grow any more
_FULL_RUN = 200  # swaps from which on memory must be flat within 2 %
_WEIGHTS = 4_000_000  # of each version: 16 MB, so that a version that stays is seen


class _Net(tf.Module):
  """y = x / 2 + 2, with a large variable."""

  def __init__(self):
    super().__init__()
    self._weights = tf.Variable(tf.fill([_WEIGHTS], 2.0))

  @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, "x")])
  def serve(self, x):
    """float [n, 1] -> float [n, 1]."""
    return {"y": x * 0.5 + tf.reduce_mean(self._weights[:1000])}


class _Client(threading.Thread):
  """Asks without a pause; notes failures, times, and versions that answered."""

  def __init__(self, server: server_process.Server):
    super().__init__(daemon=True)
    self.failures: list[str] = []
    self.milliseconds: list[float] = []
    self.versions: set[int] = set()
    self.done = threading.Event()
    self._server = server

  def run(self):
    request = exports.request(x=np.float32([[2]]))
    while not self.done.is_set():
      begin = time.perf_counter()
      try:
        response = self._server.predict(request)
        if list(response.outputs["y"].float_val) != [3.0]:
          self.failures.append(str(response))
        self.versions.add(response.model_spec.version.value)
      except Exception as error:  # whatever it is, the test names it
        self.failures.append(str(error))
      self.milliseconds.append((time.perf_counter() - begin) * 1e3)


class SwapsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self._folder = self.enterContext(tempfile.TemporaryDirectory())
    net = _Net()
    self._template = os.path.join(self._folder, "template")
    tf.saved_model.save(net, self._template, {"serving_default": net.serve})
    self._base = os.path.join(self._folder, "models")
    os.mkdir(self._base)

  def _publish(self, version: int) -> None:
    aside = os.path.join(self._folder, "aside")
    shutil.copytree(self._template, aside, copy_function=os.link)
    os.rename(aside, os.path.join(self._base, str(version)))

  def _ask_for(self, version: int) -> None:
    request = model_management_pb2.ReloadConfigRequest()
    config = request.config.model_config_list.config.add(
      name="default", base_path=self._base, model_platform="tensorflow"
    )
    config.model_version_policy.specific.versions.append(version)
    self._models.HandleReloadConfigRequest(request, timeout=server_process.CALL_SECONDS)

  def test_swaps_under_load(self):
    self._publish(1)
    server = self.enterContext(server_process.Server(f"--model_base_path={self._base}"))
    server.wait_until_ready()
    self._models = model_service_pb2_grpc.ModelServiceStub(server.channel)
    process = psutil.Process(server.process.pid)
    clients = [_Client(server) for _ in range(_CLIENTS)]
    for client in clients:
      client.start()
    memory, handles, threads = [], [], []
    swaps = _SWAPS.value
    for version in range(2, swaps + 2):
      self._publish(version)
      self._ask_for(version)
      server.wait_for_state(version - 1, server_process.END)
      self.assertEqual(server.states()[version], server_process.AVAILABLE)
      shutil.rmtree(os.path.join(self._base, str(version - 1)))
      if version > swaps * _WARM:
        memory.append(process.memory_info().rss / 1e6)
        handles.append(process.num_fds())
        threads.append(process.num_threads())
      if version % 100 == 0:
        size, number = process.memory_info().rss / 1e6, process.num_fds()
        logging.info("%d swaps, %.1f MB, %d handles", version, size, number)
    for client in clients:
      client.done.set()
      client.join(server_process.WAIT_SECONDS)
      self.assertEqual(client.failures[:3], [])
      self.assertGreater(len(client.versions), 1)
    self._report(swaps, clients, memory, handles, threads)
    third = max(len(memory) // 3, 1)
    before, after = np.mean(memory[:third]), np.mean(memory[-third:])
    self.assertLess(after / before, 1.02 if swaps >= _FULL_RUN else 1.15)
    self.assertLessEqual(max(handles[-third:]), max(handles[:third]) + 2)
    self.assertLessEqual(max(threads[-third:]), max(threads[:third]) + 4)

  def _report(self, swaps, clients, memory, handles, threads) -> None:
    times = np.concatenate([client.milliseconds for client in clients])
    logging.info(
      "%d swaps, %d answers, p50 %.1f ms, p99 %.1f ms, slowest %.0f ms; memory %.1f..%.1f MB, first "
      "%.1f, last %.1f; handles %d..%d; threads %d..%d",
      swaps, len(times), *np.percentile(times, [50, 99, 100]), min(memory), max(memory),
      memory[0], memory[-1], min(handles), max(handles), min(threads), max(threads),
    )  # fmt: skip


if __name__ == "__main__":
  tf.test.main()
