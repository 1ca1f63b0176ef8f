"""How the server is reached, and how it ends."""

# bazel: size=medium

import os
import re
import subprocess
import tempfile

import grpc
import numpy as np
import tensorflow as tf

from tests.serving import exports, server_process

_CONTENT = (("x-tensor-content", "1"),)
_SLOW_STEPS = 2_000_000_000  # hours


class TransportTest(tf.test.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.base_path = cls.enterClassContext(tempfile.TemporaryDirectory())
    exports.export(os.path.join(cls.base_path, "1"))

  def setUp(self):
    super().setUp()
    self.folder = self.enterContext(tempfile.TemporaryDirectory())

  def _start(self, *arguments, **how):
    server = server_process.Server(f"--model_base_path={self.base_path}", *arguments, **how)
    return self.enterContext(server)

  def _assert_answers(self, server):
    response = server.predict(exports.request(x=np.float32([[2]])))
    self.assertEqual(list(response.outputs["y"].float_val), [3.0])

  def _read(self, name):
    with open(os.path.join(self.folder, name)) as file:
      return file.read()

  def _make_keys(self):
    """A self-signed key.pem and cert.pem for localhost."""
    command = (
      "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 "
      "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(command.split(), cwd=self.folder, check=True, capture_output=True)

  def _write_tls(self, **more):
    """An SSLConfig file; gives its path."""
    fields = {"server_key": self._read("key.pem"), "server_cert": self._read("cert.pem"), **more}
    text = "".join(
      f"{name}: {str(value).lower() if value is True else repr(value)}\n"
      for name, value in fields.items()
    )
    path = os.path.join(self.folder, "tls")
    with open(path, "w") as file:
      file.write(text)
    return path

  def test_free_port_is_written_to_a_file(self):
    port_file = os.path.join(self.folder, "port")
    command_address = "127.0.0.1:1"  # of no use: the port is in the file
    server = self._start("--port=auto", f"--port_file={port_file}", address=command_address)
    server_process.wait_for(lambda: os.path.exists(port_file), "the port file")
    self.assertRegex(self._read("port"), r"^[0-9]+\n$")
    self.assertEqual(os.listdir(self.folder), ["port"])
    channel = grpc.insecure_channel(f"127.0.0.1:{self._read('port').strip()}")
    grpc.channel_ready_future(channel).result(server_process.WAIT_SECONDS)
    channel.close()
    self.assertEqual(server.stop(), 0)

  def test_unix_socket_alone(self):
    path = os.path.join(self.folder, "socket")
    server = self._start("--port=0", f"--grpc_socket_path={path}", address=f"unix:{path}")
    self._assert_answers(server.wait_until_ready())

  def test_tls(self):
    self._make_keys()
    server = self._start(
      f"--ssl_config_file={self._write_tls()}",
      credentials=grpc.ssl_channel_credentials(self._read("cert.pem").encode()),
      channel_options=(("grpc.ssl_target_name_override", "localhost"),),
    )
    self._assert_answers(server.wait_until_ready())

  def test_mutual_tls_refuses_clients_without_a_certificate(self):
    self._make_keys()
    key, certificate = self._read("key.pem").encode(), self._read("cert.pem").encode()
    tls = self._write_tls(custom_ca=self._read("cert.pem"), client_verify=True)
    names = (("grpc.ssl_target_name_override", "localhost"),)
    server = self._start(
      f"--ssl_config_file={tls}",
      credentials=grpc.ssl_channel_credentials(certificate, key, certificate),
      channel_options=names,
    )
    self._assert_answers(server.wait_until_ready())
    stranger = grpc.secure_channel(
      server.address, grpc.ssl_channel_credentials(certificate), options=names
    )
    with self.assertRaises(grpc.RpcError) as caught:
      stranger.unary_unary("/tensorflow.serving.PredictionService/Predict")(
        b"", timeout=server_process.CALL_SECONDS
      )
    self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
    stranger.close()

  def test_mutual_tls_without_an_authority_is_refused(self):
    self._make_keys()
    server = self._start(f"--ssl_config_file={self._write_tls(client_verify=True)}")
    self.assertEqual(server.process.wait(server_process.WAIT_SECONDS), 255)
    self.assertIn("sets client_verify, so it must set custom_ca", server.log)

  def test_unusable_keys_are_named(self):
    self._make_keys()
    server = self._start(f"--ssl_config_file={self._write_tls(server_key='nonsense')}")
    self.assertEqual(server.process.wait(server_process.WAIT_SECONDS), 255)
    self.assertIn("the keys of --ssl_config_file are unusable", server.log)

  def test_ipv6(self):
    server = self._start("--port=auto", "--rest_api_port=auto", "--bind_address=::1")
    server_process.wait_for(lambda: "serving HTTP" in server.log, "the ports")
    port = re.search(r"serving gRPC on \[::1\]:(\d+) ", server.log)[1]
    channel = grpc.insecure_channel(f"[::1]:{port}")
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    answer = check(b"", timeout=server_process.CALL_SECONDS, wait_for_ready=True)
    self.assertEqual(answer, b"\x08\x01")  # SERVING
    channel.close()

  def test_tensor_content_on_request(self):
    server = self._start().wait_until_ready()
    images = np.random.default_rng(0).integers(0, 256, [2, 8, 8, 3], np.uint8)
    request = exports.request("image", image=images)
    plain = server.predict(request).outputs
    content = server.predict(request, metadata=_CONTENT).outputs
    self.assertLen(content["halves"].tensor_content, 2 * 8 * 8 * 2)
    self.assertEmpty(content["halves"].half_val)
    self.assertLen(plain["halves"].half_val, 2 * 8 * 8)
    for alias in ("halves", "sums"):
      np.testing.assert_array_equal(tf.make_ndarray(plain[alias]), tf.make_ndarray(content[alias]))
    strings = server.predict(
      exports.request("join", a=np.array([b"x"], object), b=np.array([b"y"], object)),
      metadata=_CONTENT,
    )
    self.assertEqual(list(strings.outputs["joined"].string_val), [b"xy"])

  def test_image_of_another_rank_is_refused_and_the_server_goes_on(self):
    server = self._start().wait_until_ready()
    for shape in ([8, 8, 3], [1, 1, 8, 8, 3], []):
      with self.assertRaises(grpc.RpcError) as caught:
        server.predict(exports.request("image", image=np.zeros(shape, np.uint8)))
      self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
      self.assertStartsWith(
        caught.exception.details(),
        f"input image must be 4-dimensional: [{','.join(map(str, shape))}]",
      )
    self._assert_answers(server)

  def test_nonsense_bytes_are_refused_and_the_server_goes_on(self):
    server = self._start().wait_until_ready()
    good = exports.request(x=np.float32([[2]])).SerializeToString()
    for service, method in (
      ("PredictionService", "Predict"),
      ("PredictionService", "GetModelMetadata"),
      ("ModelService", "GetModelStatus"),
    ):
      call = server.channel.unary_unary(f"/tensorflow.serving.{service}/{method}")
      for data in (b"\xff" * 20, good[:-1], b"\x0a\x7f", bytes(100)):
        with self.assertRaises(grpc.RpcError) as caught:
          call(data, timeout=server_process.CALL_SECONDS)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INTERNAL)
    self._assert_answers(server)

  def test_run_ends_at_the_clients_deadline(self):
    server = self._start("--drain_seconds=100").wait_until_ready()
    with self.assertRaises(grpc.RpcError) as caught:
      server.predict(exports.request("slow", steps=np.int32(_SLOW_STEPS)), timeout=0.5)
    self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    self.assertEqual(server.stop(), 0)
    self.assertNotIn("cut off", server.log)

  def test_sigterm_lets_requests_under_way_finish(self):
    server = self._start("--drain_seconds=100").wait_until_ready()
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    request = exports.request("slow", steps=np.int32(50_000))
    future = call.future(request.SerializeToString(), timeout=server_process.WAIT_SECONDS)
    server.wait_until_busy()
    self.assertEqual(server.stop(), 0)
    self.assertNotEmpty(future.result())
    self.assertIn("stopped", server.log)

  def test_sigterm_cuts_off_what_does_not_finish(self):
    server = self._start("--drain_seconds=0.2").wait_until_ready()
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    request = exports.request("slow", steps=np.int32(_SLOW_STEPS))
    future = call.future(request.SerializeToString())
    server.wait_until_busy()
    self.assertEqual(server.stop(), 0)
    self.assertIsNotNone(future.exception())
    self.assertIn("was cut off", server.log)

  def test_sigterm_ends_a_server_that_waits_for_models(self):
    server = self.enterContext(server_process.Server(f"--model_base_path={self.folder}"))
    server_process.wait_for(lambda: "waiting for one" in server.log, "a warning")
    self.assertEqual(server.stop(), 0)

  def test_log_is_the_servers_own(self):
    server = self._start().wait_until_ready()
    self._assert_answers(server)
    self.assertEqual(server.stop(), 0)
    for line in server.log.splitlines():
      self.assertTrue(re.match(r"\d\d:\d\d:\d\d [IWE] ", line), line)

  def test_port_in_use_is_an_error(self):
    first = self._start().wait_until_ready()
    port = first.address.rpartition(":")[2]
    second = self._start(f"--port={port}", address=first.address)
    self.assertEqual(second.process.wait(server_process.WAIT_SECONDS), 255)
    self.assertIn("Failed to start server. Error: UNAVAILABLE: Cannot listen on", second.log)


if __name__ == "__main__":
  tf.test.main()
