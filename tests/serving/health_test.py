"""The health service, and what a model's failure does to it; also the profiler and reflection services."""

# bazel: size=medium

import os
import tempfile
import threading

import grpc
import tensorflow as tf
from absl.testing import parameterized
from grpc_reflection.v1alpha import proto_reflection_descriptor_database

from serving import wire_format
from tests.serving import exports, server_process

_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3


def _request(service):
  return wire_format.header(1, len(service)) + service.encode()


def _status(response):
  ((field, _, value),) = wire_format.fields(response)
  assert field == 1
  return value


class HealthTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.base_path = self.enterContext(tempfile.TemporaryDirectory())

  def _start(self, *arguments):
    server = server_process.Server(
      f"--model_base_path={self.base_path}", "--wait_for_models=false", *arguments
    )
    return self.enterContext(server).wait_until_ready()

  def _check(self, server, service=""):
    call = server.channel.unary_unary("/grpc.health.v1.Health/Check")
    return _status(call(_request(service), timeout=server_process.CALL_SECONDS))

  def _watch(self, server, service=""):
    call = server.channel.unary_stream("/grpc.health.v1.Health/Watch")
    return call(_request(service), timeout=server_process.CALL_SECONDS)

  def test_serves_once_a_version_is_there_and_until_the_end(self):
    server = self._start()
    self.assertEqual(self._check(server), _NOT_SERVING)
    stream = self._watch(server, "PredictionService")
    self.assertEqual(_status(next(stream)), _NOT_SERVING)
    exports.export(os.path.join(self.base_path, "1"))
    self.assertEqual(_status(next(stream)), _SERVING)
    for service in ("", "ModelService", "PredictionService", "tensorflow.serving.ModelService"):
      self.assertEqual(self._check(server, service), _SERVING)
    told = []
    reader = threading.Thread(target=lambda: told.extend(map(_status, stream)))
    reader.start()
    self.assertEqual(server.stop(), 0)
    reader.join()
    self.assertEqual(told, [_NOT_SERVING])

  def test_unknown_service(self):
    server = self._start()
    with self.assertRaises(grpc.RpcError) as caught:
      self._check(server, "nope")
    self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
    stream = self._watch(server, "nope")
    self.assertEqual(_status(next(stream)), _SERVICE_UNKNOWN)
    stream.cancel()

  def test_watchers_do_not_take_all_threads(self):
    server = self._start("--grpc_max_threads=4")
    first = self._watch(server)
    self.assertEqual(_status(next(first)), _NOT_SERVING)
    with self.assertRaises(grpc.RpcError) as caught:
      next(self._watch(server))
    self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
    self.assertEqual(self._check(server), _NOT_SERVING)
    first.cancel()

  @parameterized.parameters(
    ("--enable_grpc_healthcheck_service=false", "/grpc.health.v1.Health/Check"),
    ("--enable_profiler=false", "/tensorflow.ProfilerService/Profile"),
  )
  def test_can_be_switched_off(self, flag, method):
    server = self._start(flag)
    with self.assertRaises(grpc.RpcError) as caught:
      server.channel.unary_unary(method)(b"", timeout=server_process.CALL_SECONDS)
    self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

  def test_profiler_answers_with_a_trace(self):
    call = self._start().channel.unary_unary("/tensorflow.ProfilerService/Profile")
    milliseconds = wire_format.tag(1, wire_format.VARINT) + wire_format.varint(100)
    response = call(milliseconds, timeout=server_process.CALL_SECONDS)
    ((field, _, (start, end)),) = wire_format.fields(response)
    tool = {
      number: response[slice(*at)] for number, _, at in wire_format.fields(response, start, end)
    }
    self.assertEqual(field, 6)
    self.assertEqual(tool[1], b"xplane.pb")
    self.assertIn(b"/host:CPU", tool[2])

  def test_reflection_lists_and_describes_the_services(self):
    server = self._start("--enable_grpc_reflection")
    described = proto_reflection_descriptor_database.ProtoReflectionDescriptorDatabase(
      server.channel
    )
    self.assertContainsSubset(
      ["tensorflow.serving.ModelService", "tensorflow.serving.PredictionService"],
      described.get_services(),
    )
    for name, method in (("PredictionService", "Predict"), ("ModelService", "GetModelStatus")):
      file = described.FindFileContainingSymbol(f"tensorflow.serving.{name}")
      (service,) = file.service
      self.assertIn(method, [one.name for one in service.method])

  def test_reflection_is_off_by_default(self):
    server = self._start()
    described = proto_reflection_descriptor_database.ProtoReflectionDescriptorDatabase(
      server.channel
    )
    with self.assertRaises(grpc.RpcError) as caught:
      list(described.get_services())
    self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


if __name__ == "__main__":
  tf.test.main()
