"""A client process of the REST benchmark; see `client_loop`."""

import http.client
import sys

from tools.benchmarks import client_loop

_TIMEOUT_SECONDS = 60.0


class Client:
  """Sends one request over a kept connection and gets its answer.

  Args:
    port: of the server on this machine.
    path: of the URL.
    body: what to POST; None to GET.
  """

  def __init__(self, port: int, path: str, body: bytes | None):
    self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    self._path = path
    self._body = body

  def __call__(self) -> bytes:
    """One request and its answer.

    Raises:
      RuntimeError: if it is an error.
    """
    self._connection.request("GET" if self._body is None else "POST", self._path, self._body)
    response = self._connection.getresponse()
    answer = response.read()
    if response.status != 200:
      raise RuntimeError(f"{self._path}: status {response.status}: {answer[:300]}")
    return answer

  def close(self) -> None:
    """Ends the connection."""
    self._connection.close()


def main(argv: list[str]) -> None:
  """See `client_loop.run`."""
  parser = client_loop.parser()
  parser.add_argument("--port", required=True, type=int)
  parser.add_argument("--path", required=True)
  parser.add_argument("--body", required=True, help="file with what to POST")
  arguments = parser.parse_args(argv[1:])
  with open(arguments.body, "rb") as file:
    client = Client(arguments.port, arguments.path, file.read())
  client_loop.run(client, arguments)


if __name__ == "__main__":
  main(sys.argv)
