"""Tests of peers/transport.py: fail-over, retries, deadlines, TLS, and what people are told."""

import os
import shutil
import subprocess
import threading
import time

import grpc
import numpy as np
from absl.testing import absltest, parameterized
from tensorflow_serving.apis import predict_pb2

from tests.peers import fake_server
from tf_taskology.peers import decoding, peer, transport

_DEAD = "127.0.0.1:1"  # nothing listens on port 1
_CODE = grpc.StatusCode


def _request():
  request = predict_pb2.PredictRequest()
  request.inputs["image"].CopyFrom(decoding.to_proto(np.zeros([1, 2, 2, 3], np.uint8)))
  return request


class _FakeWait:
  """Notes the pauses and does not pause."""

  def __init__(self):
    self.pauses = []

  def __call__(self, seconds):
    self.pauses.append(seconds)
    return False


class ReplicasTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.server = fake_server.FakeServer()
    self.address = self.enter_context(fake_server.serving(self.server))
    self.wait = _FakeWait()

  def replicas(self, *targets, **kwargs):
    kwargs.setdefault("wait", self.wait)
    made = transport.Replicas("depth", targets or (self.address,), **kwargs)
    self.addCleanup(made.close)
    return made

  def test_answers_are_asked_for_as_memory(self):
    seen = []
    predict = self.server.Predict
    self.server.Predict = lambda request, context: (
      seen.extend(context.invocation_metadata()),
      predict(request, context),
    )[1]
    with fake_server.serving(self.server) as address:
      self.replicas(address).call("Predict", _request())
    self.assertIn(("x-tensor-content", "1"), [tuple(item) for item in seen])

  def test_all_servers_behind_one_name_are_asked(self):
    other = fake_server.FakeServer()
    with fake_server.serving(other) as address:
      replicas = self.replicas(f"ipv4:{self.address},{address}")
      deadline = time.monotonic() + 20  # connections to both take a moment
      while not (self.server.requests and other.requests) and time.monotonic() < deadline:
        replicas.call("Predict", _request())
    self.assertNotEmpty(self.server.requests)
    self.assertNotEmpty(other.requests)

  def test_retries_with_growing_pauses(self):
    self.server.failures = [_CODE.UNAVAILABLE] * 3
    retries = transport.Retries(attempts=5, backoff_secs=0.1, max_backoff_secs=0.3)
    answer = self.replicas(retries=retries).call("Predict", _request())
    self.assertEqual(answer.model_spec.version.value, 7)
    self.assertLen(self.wait.pauses, 3)
    for pause, mean in zip(self.wait.pauses, (0.1, 0.2, 0.3), strict=True):
      self.assertBetween(pause, 0.5 * mean, 1.5 * mean)

  def test_backoff_is_exact_without_chance(self):
    backoff = transport.Backoff(0.1, 0.5, uniform=lambda low, high: (low + high) / 2)
    self.assertEqual([backoff.next() for _ in range(4)], [0.1, 0.2, 0.4, 0.5])

  def test_gives_up_after_its_attempts(self):
    with self.assertRaisesRegex(
      peer.PeerUnreachable, f"Peer 'depth' at {_DEAD} is unreachable: .*Expected a model server"
    ):
      self.replicas(_DEAD, retries=transport.Retries(attempts=4)).call("Predict", _request())
    self.assertLen(self.wait.pauses, 3)

  def test_fails_over_without_a_pause_and_lets_the_dead_one_rest(self):
    replicas = self.replicas(_DEAD, self.address)
    asked = []
    call_one = replicas._call_one
    replicas._call_one = lambda target, *args: (asked.append(target), call_one(target, *args))[1]
    for _ in range(5):
      replicas.call("Predict", _request())
    self.assertEmpty(self.wait.pauses)
    self.assertEqual(asked.count(_DEAD), 1)
    self.assertLen(self.server.requests, 5)

  def test_a_rested_replica_is_asked_again(self):
    now = [0.0]
    replicas = self.replicas(_DEAD, self.address, clock=lambda: now[0])
    replicas.call("Predict", _request())
    self.assertEqual(replicas._order()[0], self.address)
    now[0] = 6.0
    self.assertCountEqual({replicas._order()[0] for _ in range(2)}, {_DEAD, self.address})

  def test_replicas_take_turns(self):
    other = fake_server.FakeServer()
    with fake_server.serving(other) as address:
      replicas = self.replicas(self.address, address)
      for _ in range(6):
        replicas.call("Predict", _request())
    self.assertLen(other.requests, 3)

  def test_a_restarted_server_is_found_again(self):
    server = fake_server.FakeServer()
    with fake_server.serving(server) as address:
      replicas = self.replicas(address, wait=None, retries=transport.Retries(attempts=30))
      replicas.call("Predict", _request())
    port = int(address.split(":")[1])
    with self.assertRaises(peer.PeerUnreachable):
      self.replicas(address).call("Predict", _request())
    with fake_server.serving(server, port):
      started = time.monotonic()
      replicas.call("Predict", _request())
    self.assertLess(time.monotonic() - started, 30)

  def test_deadline(self):
    self.server.delay = lambda number: 0.5
    retries = transport.Retries(deadline_secs=0.1, attempts=1)
    with self.assertRaisesRegex(
      peer.PeerDeadline, r"did not answer within 0.1 s \(deadline_secs\)"
    ):
      self.replicas(retries=retries).call("Predict", _request())

  @parameterized.parameters(
    (_CODE.NOT_FOUND, peer.PeerNotPublished, True, "has no version to answer with: told to fail"),
    (_CODE.UNAVAILABLE, peer.PeerUnreachable, True, "is unreachable: told to fail"),
    (_CODE.INTERNAL, peer.PeerUnreachable, True, r"is in trouble \(INTERNAL\)"),
    (_CODE.RESOURCE_EXHAUSTED, peer.PeerUnreachable, True, "is in trouble"),
    (_CODE.FAILED_PRECONDITION, peer.WrongSignature, False, "refused the request: told to fail"),
    (_CODE.INVALID_ARGUMENT, peer.PeerMismatch, False, r"\(INVALID_ARGUMENT\): told to fail"),
    (_CODE.PERMISSION_DENIED, peer.PeerMismatch, False, "refused access"),
  )
  def test_codes(self, code, kind, temporary, text):
    self.server.failures = [code] * 9
    with self.assertRaisesRegex(kind, f"Peer 'depth' at {self.address} {text}|{text}") as caught:
      self.replicas().call("Predict", _request())
    self.assertEqual(caught.exception.temporary, temporary)
    self.assertLen(self.server.requests, 3 if temporary else 1)

  def test_too_large_is_not_retried(self):
    self.server.failures = [_CODE.RESOURCE_EXHAUSTED]
    self.server.details = "Received message larger than max (9 vs. 4)"
    with self.assertRaisesRegex(peer.PeerMismatch, "refused the size .* larger than max"):
      self.replicas().call("Predict", _request())

  def test_answers_above_four_megabytes(self):
    self.server.arrays = lambda image: {"big": np.zeros(5 * 2**20, np.uint8)}
    answer = self.replicas().call("Predict", _request())
    self.assertLen(answer.outputs["big"].tensor_content, 5 * 2**20)

  def test_closing_ends_a_call(self):
    release = threading.Event()
    self.addCleanup(release.set)
    self.server.delay = lambda number: release.wait(60) and 0.0
    replicas = self.replicas(wait=None)
    threading.Timer(0.2, replicas.close).start()
    started = time.monotonic()
    with self.assertRaises(peer.PeerClosed):
      replicas.call("Predict", _request())
    self.assertLess(time.monotonic() - started, 15)
    with self.assertRaises(peer.PeerClosed):
      replicas.call("Predict", _request())

  def test_closing_ends_a_pause(self):
    retries = transport.Retries(attempts=9, backoff_secs=60, max_backoff_secs=60)
    replicas = self.replicas(_DEAD, wait=None, retries=retries)
    threading.Timer(0.2, replicas.close).start()
    started = time.monotonic()
    with self.assertRaises(peer.PeerClosed):
      replicas.call("Predict", _request())
    self.assertLess(time.monotonic() - started, 25)

  def test_bad_arguments_are_named(self):
    with self.assertRaisesRegex(ValueError, "'depth' needs at least one address"):
      transport.Replicas("depth", [])
    with self.assertRaisesRegex(ValueError, "attempts >= 1.*attempts=0"):
      transport.Retries(attempts=0)
    with self.assertRaisesRegex(ValueError, "together.*client_key=None"):
      transport.Tls(client_cert="cert.pem")


@absltest.skipIf(shutil.which("openssl") is None, "the openssl program makes the certificates")
class TlsTest(absltest.TestCase):
  def test_mutual(self):
    directory = self.create_tempdir().full_path
    key, cert = _self_signed(directory)
    credentials = grpc.ssl_server_credentials(
      [(_read(key), _read(cert))], root_certificates=_read(cert), require_client_auth=True
    )
    server = fake_server.FakeServer()
    with fake_server.serving(server, credentials=credentials) as address:
      tls = transport.Tls(cert, cert, key, server_name="localhost")
      replicas = transport.Replicas("depth", [address], tls)
      self.assertEqual(replicas.call("Predict", _request()).model_spec.version.value, 7)
      replicas.close()
      anonymous = transport.Replicas(
        "depth",
        [address],
        transport.Tls(cert, server_name="localhost"),
        transport.Retries(attempts=1),
      )
      with self.assertRaises(peer.PeerUnreachable):
        anonymous.call("Predict", _request())
      anonymous.close()


def _read(path):
  with open(path, "rb") as file:
    return file.read()


def _self_signed(directory):
  """Paths of a key and of a certificate for "localhost" that is its own authority."""
  key, cert = os.path.join(directory, "key.pem"), os.path.join(directory, "cert.pem")
  subprocess.run(
    ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    + ["-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"]
    + ["-addext", "subjectAltName=DNS:localhost"],
    check=True,
    capture_output=True,
  )
  return key, cert


if __name__ == "__main__":
  absltest.main()
