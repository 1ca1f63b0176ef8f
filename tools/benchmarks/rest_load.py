"""A client process of the REST benchmark: one request, over and over, for some seconds.

Light on purpose (no TensorFlow), for several of them start on one machine.
"""

import argparse
import http.client
import json
import sys
import time

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
  """Prints {"calls", "seconds"} as JSON, after `--start_at` and for `--seconds`."""
  parser = argparse.ArgumentParser()
  parser.add_argument("--port", required=True, type=int)
  parser.add_argument("--path", required=True)
  parser.add_argument("--body", required=True, help="file with what to POST")
  parser.add_argument("--start_at", type=float, required=True, help="seconds since the epoch")
  parser.add_argument("--seconds", type=float, required=True)
  arguments = parser.parse_args(argv[1:])
  with open(arguments.body, "rb") as file:
    client = Client(arguments.port, arguments.path, file.read())
  client()
  time.sleep(max(arguments.start_at - time.time(), 0.0))
  begin = time.monotonic()
  calls = 0
  while (seconds := time.monotonic() - begin) < arguments.seconds:
    client()
    calls += 1
  client.close()
  print(json.dumps({"calls": calls, "seconds": seconds}))


if __name__ == "__main__":
  main(sys.argv)
