"""What the HTTP server does for slow, broken, hostile and many clients."""

# bazel: size=medium

import gzip
import json
import os
import socket
import tempfile
import threading
import time

import psutil
import tensorflow as tf
from absl.testing import parameterized

from tests.serving import rest_client, rest_exports, server_process

_URL = "/v1/models/default:predict"
_MEGABYTE = 1 << 20


def _post(body: bytes, headers: str = "") -> bytes:
  return (
    f"POST {_URL} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
    + body
  )


_GOOD = _post(b'{"instances": [1.5]}')


class RestServerTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    rest_exports.export(os.path.join(cls.folder, "1"))
    cls.server = cls._start("--rest_api_num_threads=2")

  @classmethod
  def _start(cls, *arguments):
    return cls.enterClassContext(
      rest_client.Server(f"--model_base_path={cls.folder}", "--model_name=default", *arguments)
    ).wait_until_ready()

  def _assert_serves(self, server=None):
    reply = (server or self.server).call("POST", _URL, {"instances": [1.5]})
    self.assertEqual(reply.json, {"predictions": [1.5]})

  def test_answers_say_the_version(self):
    self.assertEqual(
      self.server.call("POST", _URL, {"instances": [1]}).headers["x-model-version"], "1"
    )
    path = "/v1/models/default/metadata"
    self.assertEqual(self.server.call("GET", path).headers["x-model-version"], "1")

  def test_lists_models(self):
    (model,) = self.server.call("GET", "/v1/models").json["models"]
    self.assertEqual(model["name"], "default")
    self.assertEqual(model["model_version_status"][0]["state"], "AVAILABLE")

  def test_health_and_readiness(self):
    self.assertEqual(self.server.call("GET", "/healthz").body, b"ok\n")
    reply = self.server.call("GET", "/readyz")
    self.assertEqual((reply.status, reply.body), (200, b"default: serving\n"))
    reply = self.server.call("HEAD", "/healthz")
    self.assertEqual((reply.status, reply.body, reply.headers["content-length"]), (200, b"", "3"))

  def test_metrics_are_off_by_default(self):
    self.assertEqual(self.server.call("GET", "/monitoring/prometheus/metrics").status, 404)

  def test_other_origins_are_not_allowed_by_default(self):
    reply = self.server.call("OPTIONS", _URL, headers={"Origin": "http://a.example"})
    self.assertEqual(reply.status, 200)
    self.assertNotIn("access-control-allow-origin", reply.headers)

  def test_connection_is_used_again(self):
    with self.server.connect() as client:
      for _ in range(3):
        client.sendall(_GOOD)
        self.assertIn(b"[1.5\n    ]\n}", client.recv(_MEGABYTE))

  def test_requests_may_be_sent_ahead(self):
    received = self.server.send(_GOOD * 5 + b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
    self.assertEqual(received.count(b"HTTP/1.1 200 OK"), 6)
    self.assertEndsWith(received, b"ok\n")

  def test_body_is_asked_for(self):
    with self.server.connect() as client:
      head, _, body = _post(b'{"instances": [1.5]}', "Expect: 100-continue\r\n").partition(
        b"\r\n\r\n"
      )
      client.sendall(head + b"\r\n\r\n")
      self.assertEqual(client.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
      client.sendall(body)
      self.assertStartsWith(client.recv(1000), b"HTTP/1.1 200 OK")

  def test_body_in_chunks(self):
    body = json.dumps({"instances": [1.5] * 5000})
    chunks = (body[i : i + 1000].encode() for i in range(0, len(body), 1000))
    head = (
      f"POST {_URL} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
    )
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    received = self.server.send(head + data + b"0\r\n\r\n")
    self.assertStartsWith(received, b"HTTP/1.1 200 OK")
    self.assertEqual(received.count(b"1.5"), 5000)

  @parameterized.named_parameters(
    ("no_http", b"\x16\x03\x01\x02\x00" * 10 + b"\r\n\r\n", 400),
    ("two_lengths", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
    ("large", b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
    ("long_head", b"GET / HTTP/1.1\r\nA: " + b"b" * 100_000, 431),
    ("bad_chunk", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
  )
  def test_malformed_requests_are_refused_and_end_the_connection(self, data, status):
    received = self.server.send(data + _GOOD)
    self.assertStartsWith(received, f"HTTP/1.1 {status} ".encode())
    self.assertIn(b"Connection: close\r\n", received)
    self.assertEqual(received.count(b"HTTP/1.1"), 1)
    self._assert_serves()

  @parameterized.named_parameters(
    ("no_gzip", b"abc", "gzip", 400, "The body is no gzip data: "),
    (
      "cut_off",
      gzip.compress(b"abc")[:-4],
      "gzip",
      400,
      "The body is no gzip data: it ends too early",
    ),
    ("other", b"abc", "br", 415, "Content-Encoding is 'br'; this server knows gzip only"),
    (
      "bomb",
      gzip.compress(bytes(101 * _MEGABYTE), 1),
      "gzip",
      413,
      "The body is more than 104857600",
    ),
  )
  def test_compressed_bodies_are_refused(self, body, coding, status, message):
    reply = self.server.call("POST", _URL, body, {"Content-Encoding": coding})
    self.assertEqual(reply.status, status)
    self.assertStartsWith(reply.error, message)

  def test_too_many_parts_are_refused(self):
    body = gzip.compress(b'{"inputs": [' + b"{}," * 12_000_000 + b"1]}", 1)
    reply = self.server.call("POST", _URL, body, {"Content-Encoding": "gzip"})
    self.assertEqual(reply.status, 413)
    self.assertStartsWith(reply.error, "Reading this request may take ")

  def test_slow_and_idle_clients_hold_up_nobody(self):
    clients = [self.server.connect() for _ in range(50)]
    try:
      for index, client in enumerate(clients):
        client.sendall((b"", _GOOD[:20], _GOOD[:-5])[index % 3])
      self._assert_serves()
      for client in clients[2::3]:
        client.sendall(_GOOD[-5:])
        self.assertStartsWith(client.recv(1000), b"HTTP/1.1 200 OK")
    finally:
      for client in clients:
        client.close()

  def test_clients_that_take_no_answer_hold_up_nobody(self):
    body = json.dumps({"signature_name": "grid", "instances": [0.1] * 400}).encode()
    clients = [self.server.connect() for _ in range(4)]
    try:
      for client in clients:
        client.sendall(_post(body))
      self._assert_serves()
    finally:
      for client in clients:
        client.close()
    self._assert_serves()

  def test_requests_take_no_longer_than_they_may(self):
    server = self._start("--rest_api_timeout_in_ms=200")
    reply = server.call("POST", _URL, {"signature_name": "slow", "inputs": 10**8})
    self.assertEqual(reply.status, 504)
    self._assert_serves(server)
    server.close()

  def test_many_connections_are_bounded(self):
    files = psutil.Process(self.server.process.pid)
    before = files.num_fds()
    clients = []
    try:
      for _ in range(600):
        clients.append(self.server.connect())
      self._assert_serves()
    finally:
      for client in clients:
        client.close()
    server_process.wait_for(lambda: files.num_fds() < before + 20, "connections to be closed")

  def test_many_threads_get_their_own_answers(self):
    failures = []

    def work(number):
      with self.server.connect() as client:
        for turn in range(20):
          value = number * 1000.0 + turn
          client.sendall(_post(json.dumps({"instances": [value]}).encode()))
          received = client.recv(_MEGABYTE)
          if f"[{value}\n".encode() not in received:
            failures.append((value, received))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    self.assertEmpty(failures)

  def test_memory_stays_flat(self):
    process = psutil.Process(self.server.process.pid)
    bad = [b"{", b'{"inputs": "x"}', b"\xff" * 1000, b"", b'{"inputs": [[1], 2]}', b"[" * 5000]

    def turn():
      for body in bad:
        self.server.call("POST", _URL, body)
        self.server.send(body + b"\r\n\r\n")
        self.server.call("GET", f"/v1/models/{len(body)}")

    for _ in range(10):
      turn()
    before = process.memory_info().rss
    for _ in range(30):
      turn()
    self.assertLess(process.memory_info().rss, before * 1.02)
    self._assert_serves()

  def test_stops_after_the_answers_under_way(self):
    server = self._start("--drain_seconds=30")
    replies = []
    document = {"signature_name": "slow", "inputs": 30_000}
    idle = server.connect()
    caller = threading.Thread(target=lambda: replies.append(server.call("POST", _URL, document)))
    caller.start()
    server.wait_until_busy()
    self.assertEqual(server.stop(), 0)
    caller.join()
    self.assertEqual(replies[0].status, 200)
    self.assertEqual(replies[0].headers["connection"], "close")
    self.assertEqual(idle.recv(10), b"")
    idle.close()
    with self.assertRaises(OSError):
      socket.create_connection(("127.0.0.1", server.rest_port), 1).close()

  def test_a_taken_port_is_a_failed_start(self):
    with rest_client.Server(
      f"--rest_api_port={self.server.rest_port}", f"--model_base_path={self.folder}"
    ) as server:
      self.assertEqual(server.process.wait(server_process.WAIT_SECONDS), 255)
      self.assertIn("UNAVAILABLE: Cannot serve REST on 127.0.0.1:", server.log)

  def test_small_requests_are_quick(self):
    with self.server.connect() as client:
      begin = time.monotonic()
      for _ in range(100):
        client.sendall(_GOOD)
        client.recv(1000)
      self.assertLess(time.monotonic() - begin, 5)


if __name__ == "__main__":
  tf.test.main()
