"""A client process of the model server's benchmark, for Predict; see `client_loop`."""

import sys

import grpc

from tools.benchmarks import client_loop

_PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Client:
  """Sends one serialized PredictRequest and gets serialized answers.

  Args:
    address: "host:port" of the server.
    request: the serialized PredictRequest.
    as_content: ask for `tensor_content`, as trainers do.
  """

  def __init__(self, address: str, request: bytes, as_content: bool = True):
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    self._channel = grpc.insecure_channel(address, options)
    self._call = self._channel.unary_unary(_PREDICT)
    self._request = request
    self._metadata = (("x-tensor-content", "1"),) if as_content else ()

  def __call__(self) -> bytes:
    """One request and its answer."""
    return self._call(self._request, timeout=60.0, metadata=self._metadata)

  def close(self) -> None:
    """Ends the connection."""
    self._channel.close()


def main(argv: list[str]) -> None:
  """See `client_loop.run`."""
  parser = client_loop.parser()
  parser.add_argument("--address", required=True)
  parser.add_argument("--request", required=True, help="file with a serialized PredictRequest")
  arguments = parser.parse_args(argv[1:])
  with open(arguments.request, "rb") as file:
    client = Client(arguments.address, file.read())
  client_loop.run(client, arguments)


if __name__ == "__main__":
  main(sys.argv)
