"""Calls to one address with a deadline, retries and TLS. Requests and answers are bytes."""

import dataclasses
import json
import random
import threading
import time
from collections.abc import Callable

import grpc

from serving.client import errors

# Servers that know it answer with raw memory, which is smaller and quicker; others ignore it.
_METADATA = (("x-tensor-content", "1"),)
_MAX_MESSAGE = 2**31 - 1  # gRPC's length field, and protocol buffers' limit
_OPTIONS = (
  ("grpc.max_send_message_length", -1),
  ("grpc.max_receive_message_length", -1),  # the default of 4 MiB is less than most predictions
  ("grpc.initial_reconnect_backoff_ms", 100),
  ("grpc.min_reconnect_backoff_ms", 100),
  ("grpc.max_reconnect_backoff_ms", 2000),
  # One name may stand for several servers (a headless service of Kubernetes): they are asked in turn.
  ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)


@dataclasses.dataclass(frozen=True)
class Tls:
  """An encrypted connection.

  Attributes:
    root_certificates: path of the PEM file with the authorities to trust; None: the system's.
    certificate: path of the client's own certificate, for servers that ask for one.
    key: path of its private key.
    server_name: name in the server's certificate, if it differs from the address.
  """

  root_certificates: str | None = None
  certificate: str | None = None
  key: str | None = None
  server_name: str | None = None

  def __post_init__(self):
    if (self.certificate is None) != (self.key is None):
      raise ValueError(
        "Tls needs `certificate` and `key` together. "
        f"Received: certificate={self.certificate!r}, key={self.key!r}."
      )


@dataclasses.dataclass(frozen=True)
class Retries:
  """When to ask again. Only UNAVAILABLE is: nobody listens, or the server's queue is full.

  Attributes:
    attempts: calls in all.
    backoff_secs: mean pause before the second call; doubles each time. The actual one is drawn from half to one and a
      half of it.
    max_backoff_secs: bound of the mean.
  """

  attempts: int = 5
  backoff_secs: float = 0.1
  max_backoff_secs: float = 2.0

  def __post_init__(self):
    if self.attempts < 1 or self.backoff_secs < 0:
      raise ValueError(
        "Retries needs attempts >= 1 and backoff_secs >= 0. "
        f"Received: attempts={self.attempts}, backoff_secs={self.backoff_secs}."
      )


class Connection:
  """A channel to an address. Thread-safe.

  Args:
    target: "host:port", "unix:/path", or any other name that gRPC understands.
    tls: None: plain text.
    retries: see Retries.
    uniform: random.uniform, or a fake.
  """

  def __init__(
    self,
    target: str,
    tls: Tls | None = None,
    retries: Retries | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
  ):
    self.target = target
    self._retries = retries or Retries()
    self._uniform = uniform
    self._closed = threading.Event()
    options = list(_OPTIONS)
    if tls and tls.server_name:
      options.append(("grpc.ssl_target_name_override", tls.server_name))
    if tls is None:
      self._channel = grpc.insecure_channel(target, options)
    else:
      credentials = grpc.ssl_channel_credentials(
        _read(tls.root_certificates), _read(tls.key), _read(tls.certificate)
      )
      self._channel = grpc.secure_channel(target, credentials, options)

  def close(self) -> None:
    """Ends calls under way."""
    self._closed.set()
    self._channel.close()

  def call(self, method: str, request: bytes, deadline_secs: float, where: str) -> bytes:
    """One call, retries included.

    Args:
      method: "/package.Service/Method".
      request: the serialized request.
      deadline_secs: for everything together.
      where: model and address, for messages.

    Raises:
      errors.ServingError: the last failure.
      ValueError: the request is larger than gRPC can carry.
    """
    if len(request) > _MAX_MESSAGE:
      raise ValueError(
        f"{where}: the request has {len(request)} bytes; gRPC carries at most {_MAX_MESSAGE}. "
        "Send less at a time (`max_batch_size`)."
      )
    # Without serializers a method takes and gives bytes.
    stub = self._channel.unary_unary(method)
    end = time.monotonic() + deadline_secs
    mean = self._retries.backoff_secs
    for attempt in range(self._retries.attempts):
      try:
        return stub(request, timeout=max(end - time.monotonic(), 0.001), metadata=_METADATA)
      except grpc.RpcError as error:
        failure = errors.of_code(error.code().name, error.details() or "no details", where)
        pause = mean * self._uniform(0.5, 1.5)
        hopeless = not isinstance(failure, errors.Unavailable) or self._closed.is_set()
        last = attempt == self._retries.attempts - 1
        if hopeless or last or time.monotonic() + pause >= end:
          raise failure from error
      mean = min(2 * mean, self._retries.max_backoff_secs)
      self._closed.wait(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _read(path):
  if path is None:
    return None
  with open(path, "rb") as file:
    return file.read()
