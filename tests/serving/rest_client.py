"""Talks HTTP to a model server process: ordinary requests, and bytes as they are."""

import dataclasses
import http.client
import json
import socket

import portpicker

from tests.serving import server_process

CALL_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Reply:
  """An HTTP response.

  Attributes:
    status: its number.
    headers: lower-case name to value.
    body: its content.
  """

  status: int
  headers: dict[str, str]
  body: bytes

  @property
  def json(self):
    """The body as a Python value."""
    return json.loads(self.body)

  @property
  def error(self) -> str:
    """The message of an error."""
    return self.json["error"]


class Server(server_process.Server):
  """A server process that also serves REST; a context manager that ends it.

  Attributes:
    rest_port: where it serves REST.
  """

  def __init__(self, *arguments: str, **options):
    self.rest_port = portpicker.pick_unused_port()
    super().__init__(f"--rest_api_port={self.rest_port}", *arguments, **options)

  def wait_until_ready(self) -> "Server":
    """Waits until both ports are open."""
    super().wait_until_ready()
    server_process.wait_for(self._is_open, "the server's REST port")
    return self

  def _is_open(self) -> bool:
    with socket.socket() as client:
      return client.connect_ex(("127.0.0.1", self.rest_port)) == 0

  def call(self, method: str, path: str, body=None, headers=None) -> Reply:
    """One request on a connection of its own; `body` is bytes, text, or a value to send as JSON."""
    if body is not None and not isinstance(body, bytes | str):
      body = json.dumps(body)
    if isinstance(body, str):
      body = body.encode()
    connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=CALL_SECONDS)
    try:
      connection.request(method, path, body, headers or {})
      return _reply(connection.getresponse())
    finally:
      connection.close()

  def connect(self) -> socket.socket:
    """A connection for bytes as they are."""
    return socket.create_connection(("127.0.0.1", self.rest_port), CALL_SECONDS)

  def send(self, data: bytes) -> bytes:
    """Everything that the server answers to bytes until it ends the connection."""
    with self.connect() as client:
      client.sendall(data)
      client.shutdown(socket.SHUT_WR)
      return receive_all(client)


def receive_all(client: socket.socket) -> bytes:
  """What comes until the other side ends the connection."""
  received = b""
  while True:
    try:
      data = client.recv(1 << 16)
    except ConnectionResetError:
      return received
    if not data:
      return received
    received += data


def _reply(response: http.client.HTTPResponse) -> Reply:
  headers = {name.lower(): value for name, value in response.getheaders()}
  return Reply(response.status, headers, response.read())
