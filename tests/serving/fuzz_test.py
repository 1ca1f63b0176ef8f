"""Hostile requests over gRPC and REST: the right code every time, and the server lives on.

The suite sends a few thousand; all 100,000 with

  FUZZ_REQUESTS=100000 ./bazelw test //tests/serving:fuzz_test --test_env=FUZZ_REQUESTS
"""

# bazel: size=large

import collections
import http.client
import os
import random
import socket
import tempfile

import grpc
import numpy as np
import portpicker
import psutil
import tensorflow as tf
from absl import flags, logging
from absl.testing import absltest

from tests.serving import exports, hostile_requests, hostile_rest, server_process

_REQUESTS = flags.DEFINE_integer(
  "fuzz_requests",
  int(os.environ.get("FUZZ_REQUESTS", "3000")),
  "How many to send: three quarters over gRPC, one quarter over REST.",
)
_SEED = flags.DEFINE_integer("fuzz_seed", 20240, "What the requests follow from.")

_AT_ONCE = 8
_CHECK_EVERY = 500  # requests between two good ones
_WARM = 0.3  # share of the requests after which memory should not grow any more
_FULL_RUN = 50_000  # requests from which on memory must be flat within 1 %
_SECONDS = 60.0


class FuzzTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    exports.export(os.path.join(folder, "1"))
    cls.rest_port = portpicker.pick_unused_port()
    cls.server = cls.enterClassContext(
      server_process.Server(f"--model_base_path={folder}", f"--rest_api_port={cls.rest_port}")
    ).wait_until_ready()

  def setUp(self):
    super().setUp()
    self._memory = psutil.Process(self.server.process.pid)
    self._sizes = []

  def _note_memory(self, sent: int, total: int) -> None:
    if sent >= total * _WARM:
      self._sizes.append(self._memory.memory_info().rss)

  def _assert_memory_is_flat(self, total: int) -> None:
    """By the mean of the first and the last third of what was noted."""
    third = max(len(self._sizes) // 3, 1)
    before, after = np.mean(self._sizes[:third]), np.mean(self._sizes[-third:])
    logging.info("memory %.1f -> %.1f MB, %d requests", before / 1e6, after / 1e6, total)
    # A short run ends before the largest of the requests, which the heap keeps room for, have all come by.
    self.assertLess(after / before, 1.01 if total >= _FULL_RUN else 1.2)

  def _assert_good_request_is_answered(self) -> None:
    response = self.server.predict(hostile_requests.good_request())
    self.assertEqual(list(response.outputs["y"].float_val), [3.0])

  def test_grpc(self):
    total = _REQUESTS.value * 3 // 4
    source = hostile_requests.grpc_requests(_SEED.value)
    waiting = collections.deque()
    seen = collections.Counter()
    for sent in range(total):
      request = next(source)
      call = self.server.channel.unary_unary(request.method)
      waiting.append((request, call.future(request.data, timeout=_SECONDS)))
      if len(waiting) == _AT_ONCE:
        seen[self._checked(*waiting.popleft())] += 1
      if sent % _CHECK_EVERY == _CHECK_EVERY - 1:
        self._assert_good_request_is_answered()
        self._note_memory(sent, total)
    while waiting:
      seen[self._checked(*waiting.popleft())] += 1
    self._assert_good_request_is_answered()
    self._note_memory(total, total)
    logging.info("gRPC codes: %s", dict(seen))
    self._assert_memory_is_flat(total)

  def _checked(self, request: hostile_requests.Hostile, answer) -> str:
    error = answer.exception()
    code = error.code().name if isinstance(error, grpc.RpcError) else "OK"
    self.assertIn(
      code,
      request.right,
      f"{request.method} {request.data!r}: {error.details() if error else 'answered'}\n"
      f"{self.server.log[-2000:]}",
    )
    return code

  def test_rest(self):
    total = _REQUESTS.value // 4
    source = hostile_rest.requests(_SEED.value)
    seen = collections.Counter()
    connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=_SECONDS)
    for sent in range(total):
      verb, path, body, right = next(source)
      try:
        connection.request(verb, path, body)
        response = connection.getresponse()
        response.read()
      except http.client.RemoteDisconnected:  # allowed after an answer that ended the connection
        connection.close()
        connection.request(verb, path, body)
        response = connection.getresponse()
        response.read()
      self.assertIn(
        response.status,
        right or hostile_rest.SANE,
        f"{verb} {path} {body!r}\n{self.server.log[-2000:]}",
      )
      seen[response.status] += 1
      if sent % _CHECK_EVERY == _CHECK_EVERY - 1:
        self._assert_good_request_is_answered()
        self._note_memory(sent, total)
    self._note_memory(total, total)
    self._assert_good_request_is_answered()
    logging.info("REST statuses: %s", dict(seen))
    self._assert_memory_is_flat(total)

  def test_bytes_that_are_no_http_and_no_grpc(self):
    rng = random.Random(_SEED.value)
    for port in (self.rest_port, int(self.server.address.rpartition(":")[2])):
      for _ in range(_REQUESTS.value // 100):
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
          start = rng.choice((b"", b"GET ", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"))
          connection.sendall(start + rng.randbytes(rng.randrange(2000)))
    self._assert_good_request_is_answered()


if __name__ == "__main__":
  tf.test.main()
