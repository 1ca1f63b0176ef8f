"""Tests of serving/client/model_client.py against servers that do as they are told."""

import concurrent.futures
import contextlib
import os
import subprocess
import threading
import time

import grpc
import portpicker
from absl.testing import absltest, parameterized

from serving.client import errors, messages, model_client, tensors


class _Script(grpc.GenericRpcHandler):
  """A server that answers Predict with what it is told, in turn: bytes, or a status code."""

  def __init__(self, *answers):
    self._answers = list(answers)
    self.num_calls = 0

  def service(self, details):
    return grpc.unary_unary_rpc_method_handler(self._answer)

  def _answer(self, request, context):
    self.num_calls += 1
    answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
    if isinstance(answer, grpc.StatusCode):
      context.abort(answer, "told to")
    return answer


@contextlib.contextmanager
def _serving(script, port=0, credentials=None):
  server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[script])
  if credentials is None:
    port = server.add_insecure_port(f"127.0.0.1:{port}")
  else:
    port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
  server.start()
  try:
    yield f"127.0.0.1:{port}"
  finally:
    server.stop(None).wait()


def _response(value, version=5):
  spec = messages.ModelSpec("default", version).encode()
  entry = b"\x0a\x01y\x12" + bytes([len(value)]) + value
  return b"\x12" + bytes([len(spec)]) + spec + b"\x0a" + bytes([len(entry)]) + entry


_GOOD = _response(b"".join(tensors.encode([[1.5]], as_content=False)))
_QUICK = model_client.Retries(backoff_secs=0.01)
_BUSY = grpc.StatusCode.UNAVAILABLE


class FailuresTest(parameterized.TestCase):
  def ask(self, *answers, **fields):
    script = _Script(*answers)
    with (
      _serving(script) as address,
      model_client.Client(address, retries=fields.pop("retries", _QUICK)) as client,
    ):
      return script, client.predict("default", {"x": [[1.0], [2.0]]}, **fields)

  def test_unavailable_is_tried_again(self):
    script, answer = self.ask(_BUSY, _BUSY, _GOOD)
    self.assertEqual((script.num_calls, answer["y"].tolist(), answer.version), (3, [[1.5]], 5))

  def test_gives_up(self):
    script = _Script(_BUSY)
    with (
      _serving(script) as address,
      model_client.Client(address, retries=_QUICK) as client,
      self.assertRaisesRegex(errors.Unavailable, "UNAVAILABLE: told to"),
    ):
      client.predict("default", {"x": 1.0})
    self.assertEqual(script.num_calls, 5)

  def test_all_servers_behind_one_name_are_asked(self):
    scripts = [_Script(_GOOD), _Script(_GOOD)]
    with (
      _serving(scripts[0]) as first,
      _serving(scripts[1]) as second,
      model_client.Client(f"ipv4:{first},{second}") as client,
    ):
      end = time.monotonic() + 20  # connections to both take a moment
      while not all(script.num_calls for script in scripts) and time.monotonic() < end:
        client.predict("default", {"x": 1.0})
    self.assertGreater(min(script.num_calls for script in scripts), 0)

  def test_other_codes_are_not_tried_again(self):
    script = _Script(grpc.StatusCode.INTERNAL, _GOOD)
    with (
      _serving(script) as address,
      model_client.Client(address, retries=_QUICK) as client,
      self.assertRaises(errors.ServingError) as caught,
    ):
      client.predict("default", {"x": 1.0})
    self.assertEqual((caught.exception.code, script.num_calls), ("INTERNAL", 1))

  def test_retries_keep_the_deadline(self):
    retries = model_client.Retries(attempts=100, backoff_secs=0.2)
    started = time.monotonic()
    with self.assertRaises(errors.Unavailable):
      self.ask(_BUSY, deadline_secs=0.5, retries=retries)
    self.assertLess(time.monotonic() - started, 3)

  def test_nobody_listens(self):
    address = f"127.0.0.1:{portpicker.pick_unused_port()}"
    with model_client.Client(address, retries=_QUICK) as client:
      with self.assertRaisesRegex(errors.Unavailable, f"model 'depth' at {address}: UNAVAILABLE"):
        client.predict("depth", {"x": 1.0})
      with self.assertRaises(errors.Unavailable):
        client.wait_until_available("depth", limit_secs=0.3)

  def test_waits_for_the_server(self):
    port = portpicker.pick_unused_port()
    available = b"\x0a\x04\x08\x07\x10\x1e"  # version 7, state 30
    with (
      contextlib.ExitStack() as stack,
      model_client.Client(f"127.0.0.1:{port}") as client,
    ):
      timer = threading.Timer(
        0.5,
        lambda: stack.enter_context(
          _serving(_Script(grpc.StatusCode.NOT_FOUND, b"", available), port)
        ),
      )
      timer.start()
      self.assertEqual(client.wait_until_available("depth", limit_secs=30), 7)
      timer.join()

  @parameterized.parameters(b"\xff", b"\x0a\x05abc", _response(b"\x08\x14"))
  def test_malformed_answers(self, answer):
    with self.assertRaisesRegex(errors.MalformedAnswer, "DATA_LOSS: the answer cannot be decoded"):
      self.ask(answer)

  def test_split_needs_one_row_per_sample(self):
    with self.assertRaisesRegex(
      errors.MalformedAnswer, r"output 'y' of a part of 1 samples has shape \(\)"
    ):
      self.ask(_response(b"".join(tensors.encode(1.5))), max_batch_size=1)

  def test_split_over_two_versions(self):
    value = b"".join(tensors.encode([[1.5]], as_content=False))
    _, answer = self.ask(
      _response(value, 9), _response(value, 8), max_batch_size=1, parallel_calls=1
    )
    self.assertEqual((answer.versions, answer.version), ((8, 9), 8))
    self.assertEqual(answer["y"].shape, (2, 1))

  def test_mutual_tls(self):
    folder = self.create_tempdir().full_path
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    command = (
      f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 "
      "-subj /CN=models.example -addext subjectAltName=DNS:models.example"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    texts = []
    for path in (key, certificate):
      with open(path, "rb") as file:
        texts.append(file.read())
    credentials = grpc.ssl_server_credentials([tuple(texts)], texts[1], require_client_auth=True)
    known = {"root_certificates": certificate, "server_name": "models.example"}
    with _serving(_Script(_GOOD), credentials=credentials) as address:
      tls = model_client.Tls(certificate=certificate, key=key, **known)
      with model_client.Client(address, tls) as client:
        self.assertEqual(client.predict("default", {"x": 1.0}).version, 5)
      with (
        model_client.Client(address, model_client.Tls(**known), retries=_QUICK) as client,
        self.assertRaises(errors.Unavailable),
      ):
        client.predict("default", {"x": 1.0})

  def test_bad_arguments(self):
    with self.assertRaisesRegex(ValueError, "needs `certificate` and `key` together"):
      model_client.Tls(certificate="a.pem")
    with self.assertRaisesRegex(ValueError, "attempts >= 1.*attempts=0"):
      model_client.Retries(attempts=0)
    with self.assertRaisesRegex(ValueError, "deadline_secs must be > 0"):
      model_client.Client("x:1", deadline_secs=0)


if __name__ == "__main__":
  absltest.main()
