"""Where the server listens: TCP, Unix socket, TLS, gRPC's settings."""

import dataclasses
from collections.abc import Iterable, Sequence
from concurrent import futures

import grpc

from serving import configs, errors

_MOST_MESSAGE_BYTES = 2**31 - 1
_INT32 = range(-(2**31), 2**31)


@dataclasses.dataclass(frozen=True)
class Listening:
  """Where and how to listen.

  Attributes:
    bind_address: network interface.
    port: TCP port; 0 for none; None for any that is free.
    socket_path: Unix socket; empty for none.
    tls: keys; None for plain text.
    max_threads: requests handled at a time.
    channel_arguments: gRPC channel arguments beside the server's own.
  """

  bind_address: str
  port: int | None
  socket_path: str
  tls: configs.Tls | None
  max_threads: int
  channel_arguments: Sequence[tuple[str, int | str]] = ()


def parse_channel_arguments(text: str) -> list[tuple[str, int | str]]:
  """Reads `key=value,key=value`; a value that is a 32-bit integer becomes one.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for a part without `=`.
  """
  arguments = []
  for part in filter(None, text.split(",")):
    key, separator, value = part.partition("=")
    if not separator:
      raise errors.StatusError(
        "INVALID_ARGUMENT", f"--grpc_channel_arguments: expected key=value, got {part!r}"
      )
    is_number = value.removeprefix("-").isdecimal() and int(value) in _INT32
    arguments.append((key, int(value) if is_number else value))
  return arguments


def host_and_port(address: str, port: int) -> str:
  """A network address with its port, an IPv6 one in brackets."""
  return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def build(
  listening: Listening, handlers: Iterable[grpc.GenericRpcHandler]
) -> tuple[grpc.Server, int | None]:
  """Makes a gRPC server that is bound but not started.

  Returns:
    The server, and its TCP port if it has one.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if there is nowhere to listen or keys are unusable,
      UNAVAILABLE if an address cannot be had.
  """
  if listening.port == 0 and not listening.socket_path:
    raise errors.StatusError(
      "INVALID_ARGUMENT",
      "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set.",
    )
  server = grpc.server(
    futures.ThreadPoolExecutor(max(listening.max_threads, 1), thread_name_prefix="grpc"),
    handlers=tuple(handlers),
    options=[
      ("grpc.max_receive_message_length", _MOST_MESSAGE_BYTES),
      ("grpc.max_send_message_length", _MOST_MESSAGE_BYTES),
      ("grpc.so_reuseport", 0),  # a port in use is an error, not a port shared with a stranger
      *listening.channel_arguments,
    ],
  )
  credentials = _credentials(listening.tls)
  port = None
  if listening.port != 0:
    address = host_and_port(listening.bind_address, listening.port or 0)
    port = _bind(server, address, credentials)
  if listening.socket_path:
    _bind(server, f"unix:{listening.socket_path}", credentials)
  return server, port


def _credentials(tls: configs.Tls | None) -> grpc.ServerCredentials | None:
  if tls is None:
    return None
  return grpc.ssl_server_credentials(
    [(tls.key, tls.certificate)],
    root_certificates=tls.custom_ca,
    require_client_auth=tls.client_verify,
  )


def _bind(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
  try:
    if credentials is None:
      return server.add_insecure_port(address)
    return server.add_secure_port(address, credentials)
  except RuntimeError as error:
    # gRPC says the same of a port in use and of keys that it cannot read.
    hint = " (or the keys of --ssl_config_file are unusable)" if credentials is not None else ""
    raise errors.StatusError("UNAVAILABLE", f"Cannot listen on {address}{hint}: {error}") from error
