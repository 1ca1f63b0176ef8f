"""One HTTP connection: bytes in, requests to a pool of threads, responses out.

All methods run in the server's event loop. A slow client costs its connection, never a thread.
"""

import asyncio
import email.utils
import http
import time
from collections.abc import Callable

from serving import http_reading, json_output, rest_messages

_IDLE_SECONDS = 75.0  # between requests
_HEAD_SECONDS = 20.0  # for a request's head, and between two looks at its body
_LEAST_PROGRESS = 50_000  # bytes of body between two looks
_BODY_SECONDS = 600.0  # for a whole body
_WRITE_SECONDS = 30.0  # between two looks at whether an answer is taken up
_LINGER_SECONDS = 2.0  # so that a client that still sends can read why it was refused
_SMALL = 1 << 16  # bytes of a request that are not counted, and of an answer sent in one piece


class Connection(asyncio.Protocol):
  """A connection of `owner`, which is a rest_server.RestServer.

  Attributes:
    is_busy: whether a request is being answered.
  """

  def __init__(self, owner):
    self.is_busy = False
    self._owner = owner
    self._reader = http_reading.Reader(owner.most_body)
    self._transport: asyncio.Transport | None = None
    self._timer: asyncio.TimerHandle | None = None
    self._received = 0  # bytes of the request that is being read
    self._counted = 0  # of these, accounted for with the owner
    self._begun = 0.0
    self._is_refused = False
    self._is_writing = False  # whether the last answer is not all sent
    self._has_ended = False  # the client sends no more

  @property
  def is_idle(self) -> bool:
    """Whether no request is being read or answered."""
    return not self.is_busy and not (self._reader.is_begun or self._is_refused or self._is_writing)

  def connection_made(self, transport: asyncio.Transport) -> None:
    self._transport = transport
    transport.set_write_buffer_limits(0)
    if self._owner.add(self):
      self._set_timer(_IDLE_SECONDS, self.close)
    else:
      self._refuse(rest_messages.HttpError(503, "Too many connections"))

  def connection_lost(self, error: Exception | None) -> None:
    self._cancel_timer()
    self._account(0)
    self._transport = None
    self._owner.remove(self)

  def data_received(self, data: bytes) -> None:
    if self._is_refused:
      return
    if not self._reader.is_begun:
      self._begun = time.monotonic()
      self._received = 0
      self._set_timer(_HEAD_SECONDS, self._look)
    self._received += len(data)
    self._reader.feed(data)
    if self._received > _SMALL and not self._account(self._received):
      self._refuse(rest_messages.HttpError(503, "Too many large requests at once"))
    elif not (self.is_busy or self._is_writing):
      self._advance()

  def eof_received(self) -> bool:
    self._has_ended = True
    return self.is_busy  # whoever sends no more may still wait for an answer

  def resume_writing(self) -> None:
    """All that was written has been taken up."""
    if self._is_writing:
      self._go_on()

  def close(self) -> None:
    """Ends the connection; what is already written is still sent."""
    self._cancel_timer()
    if self._transport is not None:
      self._transport.close()

  def abort(self) -> None:
    """Ends the connection at once."""
    if self._transport is not None:
      self._transport.abort()

  def respond(self, response: rest_messages.Response, method: str, keeps_alive: bool) -> None:
    """Sends the answer to the request that made this connection busy."""
    self.is_busy = False
    self._account(0)
    if self._transport is None or self._transport.is_closing():
      return
    keeps_alive = keeps_alive and not self._has_ended and not self._owner.is_stopping
    self._write(response, method, keeps_alive)
    left = self._transport.get_write_buffer_size()
    if left:
      self._set_timer(_WRITE_SECONDS, lambda: self._look_at_writing(left))
    if not keeps_alive:
      self._transport.close()
    elif left:
      self._is_writing = True  # `resume_writing` comes when all is taken up
    else:
      self._go_on()

  def _go_on(self) -> None:
    """To the next request, which may have come already."""
    self._is_writing = False
    self._begun = time.monotonic()
    self._set_timer(_HEAD_SECONDS if self._reader.is_begun else _IDLE_SECONDS, self.close)
    self._transport.resume_reading()
    self._advance()

  def _advance(self) -> None:
    try:
      request = self._reader.read()
    except rest_messages.HttpError as error:
      self._refuse(error)
      return
    if request is not None:
      self.is_busy = True
      self._cancel_timer()
      self._transport.pause_reading()
      self._owner.dispatch(self, request, self._reader.keeps_alive)
    elif self._reader.wants_continue:
      self._reader.wants_continue = False
      self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

  def _look(self, seen: int = 0) -> None:
    """Gives up on a request that comes too slowly."""
    is_slow = not self._reader.has_head or self._received - seen < _LEAST_PROGRESS
    if is_slow or time.monotonic() - self._begun > _BODY_SECONDS:
      self._refuse(rest_messages.HttpError(408, "The request did not arrive in time"))
    else:
      received = self._received
      self._set_timer(_HEAD_SECONDS, lambda: self._look(received))

  def _look_at_writing(self, before: int) -> None:
    """Gives up on a client that takes nothing of its answer."""
    left = self._transport.get_write_buffer_size()
    if left >= before:
      self.abort()
    else:
      self._set_timer(_WRITE_SECONDS, lambda: self._look_at_writing(left))

  def _refuse(self, error: rest_messages.HttpError) -> None:
    """Answers with an error and ends the connection, for what follows cannot be understood."""
    self._is_refused = True
    self._reader = http_reading.Reader(0)
    self._account(0)
    body = json_output.error(error.message)
    self._write(rest_messages.Response(error.status, body), "", keeps_alive=False)
    if self._transport.can_write_eof():
      self._transport.write_eof()
    self._set_timer(_LINGER_SECONDS, self.abort)

  def _write(self, response: rest_messages.Response, method: str, keeps_alive: bool) -> None:
    try:
      reason = http.HTTPStatus(response.status).phrase
    except ValueError:
      reason = "Client Closed Request"  # 499, nginx's
    lines = [
      f"HTTP/1.1 {response.status} {reason}",
      f"Content-Type: {response.content_type}",
      f"Date: {email.utils.formatdate(usegmt=True)}",
      f"Content-Length: {len(response.body)}",
      *(f"{name}: {value}" for name, value in response.headers.items()),
    ]
    lines.append(f"Connection: {'keep-alive' if keeps_alive else 'close'}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if method == "HEAD":
      self._transport.write(head)
    elif len(response.body) <= _SMALL:
      self._transport.write(head + response.body)
    else:
      self._transport.write(head)
      self._transport.write(response.body)

  def _account(self, size: int) -> bool:
    """Says how much memory the request takes; whether there is as much."""
    is_enough = self._owner.account(size - self._counted)
    self._counted = size
    return is_enough

  def _set_timer(self, seconds: float, action: Callable[[], None]) -> None:
    self._cancel_timer()
    self._timer = asyncio.get_running_loop().call_later(seconds, action)

  def _cancel_timer(self) -> None:
    if self._timer is not None:
      self._timer.cancel()
      self._timer = None
