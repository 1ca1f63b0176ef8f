"""gRPC calls to the replicas of one model server: fail-over, retries, deadlines, TLS."""

import dataclasses
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Sequence

import grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from tf_taskology.peers import peer

# Our model server then answers with `tensor_content`; TensorFlow Serving ignores it.
_METADATA = (("x-tensor-content", "1"),)
_OPTIONS = (
  ("grpc.max_send_message_length", -1),
  (
    "grpc.max_receive_message_length",
    -1,
  ),  # the default of 4 MiB is less than a batch of predictions
  ("grpc.initial_reconnect_backoff_ms", 100),
  ("grpc.min_reconnect_backoff_ms", 100),
  (
    "grpc.max_reconnect_backoff_ms",
    2000,
  ),  # the default of two minutes outlasts a server's restart by far
  ("grpc.enable_http_proxy", 0),
  # One name may stand for several servers (a headless service of Kubernetes): they are asked in turn.
  ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
)
_REST_SECS = 5.0


@dataclasses.dataclass(frozen=True)
class Tls:
  """Encrypted connection to a model server.

  Attributes:
    root_cert: path of the PEM file with the certificate authority; None: the system's.
    client_cert: path of the PEM file with the client's certificate, for servers that ask for one.
    client_key: path of its private key.
    server_name: name in the server's certificate, if it differs from the address.
  """

  root_cert: str | None = None
  client_cert: str | None = None
  client_key: str | None = None
  server_name: str | None = None

  def __post_init__(self):
    if (self.client_cert is None) != (self.client_key is None):
      raise ValueError(
        "Tls needs `client_cert` and `client_key` together. "
        f"Received: client_cert={self.client_cert!r}, client_key={self.client_key!r}."
      )

  def credentials(self) -> grpc.ChannelCredentials:
    """Reads the files."""
    return grpc.ssl_channel_credentials(
      _read(self.root_cert), _read(self.client_key), _read(self.client_cert)
    )


@dataclasses.dataclass(frozen=True)
class Retries:
  """When to give up.

  Attributes:
    deadline_secs: for one call to one replica.
    attempts: rounds over the replicas in one request.
    backoff_secs: mean wait before the second round; doubles with each round. The actual wait is drawn from
      half to one and a half of it, so that trainers do not come back all at once.
    max_backoff_secs: bound of the mean wait.
  """

  deadline_secs: float = 10.0
  attempts: int = 3
  backoff_secs: float = 0.1
  max_backoff_secs: float = 2.0

  def __post_init__(self):
    if self.attempts < 1 or self.deadline_secs <= 0:
      raise ValueError(
        "Retries needs attempts >= 1 and deadline_secs > 0. "
        f"Received: attempts={self.attempts}, deadline_secs={self.deadline_secs}."
      )


class Backoff:
  """Exponentially growing waits with jitter.

  Args:
    first_secs: mean of the first wait.
    max_secs: bound of the mean.
    uniform: random.uniform, or a fake.
  """

  def __init__(self, first_secs: float, max_secs: float, uniform: Callable = random.uniform):
    self._mean = first_secs
    self._max = max_secs
    self._uniform = uniform

  def next(self) -> float:
    """Seconds to wait."""
    wait = self._mean * self._uniform(0.5, 1.5)
    self._mean = min(2 * self._mean, self._max)
    return wait


class Replicas:
  """The replicas of one peer's model server. Thread-safe.

  Calls go to the replicas in turn. One that failed rests for some seconds while others answer.

  Args:
    name: the peer's name, for messages.
    targets: addresses, "host:port" or "unix:path".
    tls: None: plain.
    retries: see Retries.
    wait: how to pause between rounds: seconds -> whether it was closed meanwhile; None: really wait.
    clock: seconds, any origin.
  """

  def __init__(
    self,
    name: str,
    targets: Sequence[str],
    tls: Tls | None = None,
    retries: Retries | None = None,
    wait: Callable[[float], bool] | None = None,
    clock: Callable[[], float] = time.monotonic,
  ):
    if not targets:
      raise ValueError(f"Peer {name!r} needs at least one address, for instance '127.0.0.1:8500'.")
    self._name = name
    self._targets = tuple(targets)
    self._retries = retries or Retries()
    self._closed = threading.Event()
    self._wait = wait or self._closed.wait
    self._clock = clock
    self._turn = itertools.count()
    self._failed_at = {}
    credentials = tls.credentials() if tls else None
    options = list(_OPTIONS)
    if tls and tls.server_name:
      options.append(("grpc.ssl_target_name_override", tls.server_name))
    self._channels = {
      target: grpc.secure_channel(target, credentials, options)
      if credentials
      else grpc.insecure_channel(target, options)
      for target in self._targets
    }
    self._stubs = {
      target: prediction_service_pb2_grpc.PredictionServiceStub(channel)
      for target, channel in self._channels.items()
    }

  @property
  def closed(self) -> bool:
    return self._closed.is_set()

  def wait(self, seconds: float):
    """Pauses. Raises PeerClosed if closed meanwhile."""
    if self._wait(seconds) or self.closed:
      raise self._closed_error()

  def close(self):
    """Ends calls and pauses in progress."""
    self._closed.set()
    for channel in self._channels.values():
      channel.close()

  def call(self, method: str, request):
    """Calls a method of PredictionService on one replica or another.

    Raises:
      PeerError: the last failure, after all rounds; at once if asking again cannot help.
    """
    backoff = Backoff(self._retries.backoff_secs, self._retries.max_backoff_secs)
    for attempt in range(self._retries.attempts):
      if attempt:
        self.wait(backoff.next())
      for target in self._order():
        try:
          answer = self._call_one(target, method, request)
        except peer.PeerError as error:
          if not error.temporary:
            raise
          failure = error
          self._failed_at[target] = self._clock()
        else:
          self._failed_at.pop(target, None)
          return answer
    raise failure

  def _order(self):
    """The replicas, beginning with the one whose turn it is; those that failed lately come last."""
    turn = next(self._turn) % len(self._targets)
    rotated = self._targets[turn:] + self._targets[:turn]
    now = self._clock()
    return sorted(
      rotated, key=lambda target: now - self._failed_at.get(target, -_REST_SECS) < _REST_SECS
    )

  def _call_one(self, target, method, request):
    if self.closed:
      raise self._closed_error()
    try:
      return getattr(self._stubs[target], method)(
        request, timeout=self._retries.deadline_secs, metadata=_METADATA
      )
    except grpc.RpcError as error:
      if self.closed:
        raise self._closed_error() from error
      raise self._translate(target, error) from error
    except ValueError as error:
      if self.closed:  # gRPC's way to say that the channel is closed
        raise self._closed_error() from error
      raise

  def _closed_error(self):
    return peer.PeerClosed(f"Peer {self._name!r} was closed: training ends.")

  def _translate(self, target, error) -> peer.PeerError:
    """The gRPC error in the words of this system."""
    code, details = error.code(), (error.details() or "").splitlines()
    details = details[0] if details else "no details"
    where = f"Peer {self._name!r} at {target}"
    status = grpc.StatusCode
    if code == status.DEADLINE_EXCEEDED:
      return peer.PeerDeadline(
        f"{where} did not answer within {self._retries.deadline_secs:g} s (deadline_secs)."
      )
    if code == status.NOT_FOUND:
      return peer.PeerNotPublished(f"{where} has no version to answer with: {details}")
    if code == status.UNAVAILABLE:
      return peer.PeerUnreachable(
        f"{where} is unreachable: {details}. Expected a model server that listens there."
      )
    if code == status.FAILED_PRECONDITION:
      return peer.WrongSignature(f"{where} refused the request: {details}")
    if code == status.RESOURCE_EXHAUSTED and "larger than max" in details:
      return peer.PeerMismatch(f"{where} refused the size of the request or answer: {details}")
    if code in (status.INVALID_ARGUMENT, status.UNIMPLEMENTED, status.UNAUTHENTICATED):
      return peer.PeerMismatch(f"{where} refused the request ({code.name}): {details}")
    if code == status.PERMISSION_DENIED:
      return peer.PeerMismatch(f"{where} refused access: {details}")
    return peer.PeerUnreachable(f"{where} is in trouble ({code.name}): {details}")


def _read(path):
  if path is None:
    return None
  with open(path, "rb") as file:
    return file.read()
