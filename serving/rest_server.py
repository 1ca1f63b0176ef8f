"""The HTTP server under the REST API and the metrics.

One thread moves bytes (asyncio), so that any number of slow or idle clients costs no thread; a pool of
`num_threads` answers complete requests. Python's own http.server needs a thread for every connection and
leaves limits, pipelining and the refusal of ambiguous requests to its user. Connections, heads, bodies,
all bodies together, and times are limited.
"""

import asyncio
import concurrent.futures
import dataclasses
import functools
import logging
import os
import resource
import socket
import threading

from serving import (
  errors,
  http_connection,
  inference as inference_lib,
  metrics as metrics_lib,
  rest_api,
  rest_messages,
)

_log = logging.getLogger("serving")

_MOST_CONNECTIONS = 1000
_BODIES_AT_ONCE = 4  # bodies of the largest size that may be in memory
_BACKLOG = 256


@dataclasses.dataclass(frozen=True)
class Options:
  """How to serve.

  Attributes:
    bind_address: network interface.
    port: None takes a free one.
    num_threads: requests that are answered at once; 0 or less: four for every processor.
    timeout_ms: for a request from its arrival on; 0 or less is unlimited.
    cors: tell browsers that any page may call.
    metrics_path: path of the URL that shows metrics; None for none.
    max_body_bytes: larger request bodies are refused.
  """

  bind_address: str = "127.0.0.1"
  port: int | None = None
  num_threads: int = 0
  timeout_ms: int = 30_000
  cors: bool = False
  metrics_path: str | None = None
  max_body_bytes: int = 100 * 2**20


def build(
  inference: inference_lib.Inference, metrics: metrics_lib.Metrics, options: Options
) -> "RestServer":
  """A server that is bound to its port and does not answer yet.

  Raises:
    errors.StatusError: UNAVAILABLE if the port cannot be had.
  """
  api = rest_api.Api(inference, metrics, options.timeout_ms, options.cors, options.metrics_path)
  return RestServer(api, options)


class RestServer:
  """An HTTP server; what begins with "connections'" is for http_connection.

  Attributes:
    port: where it listens.
    most_body: bytes that a request's body may have.
    is_stopping: whether connections are to end after their answer.
  """

  def __init__(self, api: rest_api.Api, options: Options):
    """Binds.

    Raises:
      errors.StatusError: UNAVAILABLE if the port cannot be had.
    """
    self.most_body = options.max_body_bytes
    self.is_stopping = False
    self._api = api
    self._socket = _bound(options)
    self.port: int = self._socket.getsockname()[1]
    threads = options.num_threads if options.num_threads > 0 else 4 * len(os.sched_getaffinity(0))
    self._pool = concurrent.futures.ThreadPoolExecutor(threads, "rest")
    self._loop = asyncio.new_event_loop()
    self._thread = threading.Thread(target=self._run, name="rest-server", daemon=True)
    self._listening: asyncio.Server | None = None
    self._connections: dict[http_connection.Connection, None] = {}  # the oldest first
    self._most_connections = _most_connections()
    self._body_bytes = 0
    self._changed = threading.Condition()
    self._under_way = 0

  def start(self) -> None:
    """Begins to answer."""
    self._thread.start()
    asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

  def stop(self, drain_seconds: float) -> bool:
    """Takes no new connections, waits for requests under way, and ends.

    Returns:
      Whether all requests were answered in time. If not, a thread is still inside a model, and the end
      of the interpreter would wait for it.
    """
    if not self._thread.is_alive():
      self._socket.close()
      return True
    self._api.is_stopping = True
    self._loop.call_soon_threadsafe(self._stop_listening)
    with self._changed:
      is_idle = self._changed.wait_for(lambda: not self._under_way, drain_seconds)
    asyncio.run_coroutine_threadsafe(self._end_connections(), self._loop).result()
    self._pool.shutdown(wait=False, cancel_futures=True)
    self._loop.call_soon_threadsafe(self._loop.stop)
    self._thread.join()
    if is_idle:  # else the last answers still look for it
      self._loop.close()
    return is_idle

  def add(self, connection: http_connection.Connection) -> bool:
    """Connections': whether there is room for another; an idle one makes room if need be."""
    is_room = True
    if len(self._connections) >= self._most_connections:
      idle = next((other for other in self._connections if other.is_idle), None)
      is_room = idle is not None
      if idle is not None:
        idle.abort()
    self._connections[connection] = None
    return is_room

  def remove(self, connection: http_connection.Connection) -> None:
    """Connections': it is no more."""
    self._connections.pop(connection, None)

  def account(self, change: int) -> bool:
    """Connections': bytes of bodies more or less in memory; whether that is within the limit."""
    self._body_bytes += change
    return change <= 0 or self._body_bytes <= _BODIES_AT_ONCE * self.most_body

  def dispatch(
    self, connection: http_connection.Connection, request: rest_messages.Request, keeps_alive: bool
  ) -> None:
    """Connections': has a request answered by a thread of the pool."""
    self._count(1)
    future = self._pool.submit(self._api.answer, request)
    respond = functools.partial(self._respond, connection, request.method, keeps_alive)
    future.add_done_callback(lambda done: self._loop.call_soon_threadsafe(respond, done))

  def _respond(
    self,
    connection: http_connection.Connection,
    method: str,
    keeps_alive: bool,
    done: concurrent.futures.Future,
  ) -> None:
    try:
      if done.cancelled():
        connection.abort()
      else:
        connection.respond(done.result(), method, keeps_alive)
    finally:
      self._count(-1)

  def _count(self, change: int) -> None:
    with self._changed:
      self._under_way += change
      self._changed.notify_all()

  def _run(self) -> None:
    asyncio.set_event_loop(self._loop)
    self._loop.run_forever()

  async def _listen(self) -> None:
    self._loop.set_exception_handler(_log_failure)
    self._listening = await self._loop.create_server(
      lambda: http_connection.Connection(self), sock=self._socket, backlog=_BACKLOG
    )

  def _stop_listening(self) -> None:
    self.is_stopping = True
    self._listening.close()
    for connection in list(self._connections):
      if connection.is_idle:
        connection.close()

  async def _end_connections(self) -> None:
    for connection in list(self._connections):
      connection.close() if not connection.is_busy else connection.abort()
    await asyncio.sleep(0)  # what is closed says so in the loop's next turn


def _bound(options: Options) -> socket.socket:
  where = (options.bind_address, options.port or 0)
  try:
    family, kind, protocol, _, address = socket.getaddrinfo(*where, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
  except OSError as error:
    raise errors.StatusError(
      "UNAVAILABLE", f"Cannot serve REST on {where[0]}:{where[1]}: {error.strerror or error}"
    ) from error
  return made


def _most_connections() -> int:
  """Half of the files that the process may have open."""
  soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
  return _MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(_MOST_CONNECTIONS, soft // 2)


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict) -> None:
  del loop
  error = context.get("exception")
  _log.error("REST server: %s", context["message"], exc_info=error)
