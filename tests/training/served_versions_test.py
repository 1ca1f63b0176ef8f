"""The launcher's small client against a server that answers with TensorFlow Serving's own messages."""

import concurrent.futures
import time

import grpc
from absl.testing import absltest
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from tf_taskology.training import served_versions

_STATES = get_model_status_pb2.ModelVersionStatus


class Servicer(model_service_pb2_grpc.ModelServiceServicer):
  def __init__(self):
    self.versions = {}

  def GetModelStatus(self, request, context):
    if request.model_spec.name != "depth":
      context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
    statuses = [_STATES(version=v, state=state) for v, state in self.versions.items()]
    return get_model_status_pb2.GetModelStatusResponse(model_version_status=statuses)


class ServedVersionsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.servicer = Servicer()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(self.servicer, server)
    self.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    self.addCleanup(lambda: server.stop(0).wait())

  def test_newest_available_version(self):
    self.servicer.versions = {3: _STATES.AVAILABLE, 5: _STATES.AVAILABLE, 7: _STATES.LOADING,
                              1: _STATES.END}  # fmt: skip
    self.assertEqual(served_versions.newest_version(self.address, "depth"), 5)

  def test_none_while_nothing_is_served(self):
    self.assertIsNone(served_versions.newest_version(self.address, "depth"))
    self.servicer.versions = {2**40: _STATES.LOADING}
    self.assertIsNone(served_versions.newest_version(self.address, "depth"))

  def test_none_for_an_error_or_no_server(self):
    self.assertIsNone(served_versions.newest_version(self.address, "other"))
    self.assertIsNone(served_versions.newest_version("127.0.0.1:1", "depth"))

  def test_thread_follows_the_server_and_forgets_one_that_is_gone(self):
    self.servicer.versions = {2**40: _STATES.AVAILABLE}
    addresses = {"depth": self.address}
    versions = served_versions.ServedVersions(lambda: addresses, interval_secs=0.02)
    self.assertIsNone(versions.get("depth"))
    versions.start()
    self.addCleanup(versions.stop)
    self.wait_until(lambda: versions.get("depth") == 2**40)
    addresses.clear()
    self.wait_until(lambda: versions.get("depth") is None)

  def wait_until(self, condition):
    deadline = time.monotonic() + 10
    while not condition():
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.01)


if __name__ == "__main__":
  absltest.main()
