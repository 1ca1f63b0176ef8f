"""HTTP/1.1 requests from a connection's bytes; knows no sockets.

Strict where leniency lets requests be smuggled past a proxy (RFC 9112, sections 5, 6 and 11): line ends
are CR LF, a header's name ends at the colon, the body's length is said once and in one way.
"""

import re

from serving import rest_messages

_MOST_HEAD = 64 * 2**10
_MOST_CHUNK_LINE = 256
# Chunks cost time each: more than so many have to be so large on average.
_FREE_CHUNKS, _LEAST_CHUNK = 10_000, 64
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/(\d)\.(\d)")
_HEADER = re.compile(rb"(" + _TOKEN + rb"):([^\x00-\x08\x0a-\x1f\x7f]*)")
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_ONCE = ("host", "content-length", "transfer-encoding", "content-encoding", "expect")


class Reader:
  """Takes a connection's bytes and gives its requests.

  Attributes:
    keeps_alive: whether the connection may go on after the last request that was given.
    is_begun: whether part of a request is there.
    wants_continue: whether the client waits for "100 Continue"; the caller resets it.
  """

  def __init__(self, most_body: int):
    """Args:
    most_body: bytes that a request's body may have.
    """
    self.keeps_alive = True
    self.wants_continue = False
    self._most_body = most_body
    self._buffer = bytearray()
    self._looked_at = 0  # where to look on for the end of a line
    self._step = self._read_head
    self._head: rest_messages.Request | None = None
    self._length = 0
    self._chunked = bytearray()
    self._num_chunks = 0

  @property
  def is_begun(self) -> bool:
    return bool(self._buffer) or self._step != self._read_head

  @property
  def has_head(self) -> bool:
    """Whether a request's head is complete, and its body is not."""
    return self._step != self._read_head

  def feed(self, data: bytes) -> None:
    """Takes what the connection brought."""
    self._buffer += data

  def read(self) -> rest_messages.Request | None:
    """The next complete request; None while it is not all there.

    Raises:
      rest_messages.HttpError: if it is none; the connection cannot go on.
    """
    request = None
    while request is None:
      before = self._step
      request = self._step()
      if request is None and self._step == before:
        return None
    return request

  def _read_head(self) -> rest_messages.Request | None:
    while self._buffer.startswith(b"\r\n"):  # left over by careless clients (RFC 9112, 2.2)
      del self._buffer[:2]
    head = self._take_until(b"\r\n\r\n", _MOST_HEAD)
    if head is None:
      return None
    line, *lines = head.split(b"\r\n")
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
      raise rest_messages.HttpError(400, "The request line is malformed")
    method, target, major, minor = (part.decode("latin-1") for part in found.groups())
    if (major, minor) not in (("1", "0"), ("1", "1")):
      raise rest_messages.HttpError(505, f"HTTP/{major}.{minor} is not supported")
    headers = _headers(lines)
    connection = headers.get("connection", "").lower()
    self.keeps_alive = "close" not in connection and (minor == "1" or "keep-alive" in connection)
    path = re.split("[?#]", _ABSOLUTE.sub("", target, count=1), maxsplit=1)[0] or "/"
    self._head = rest_messages.Request(
      method, path, headers.get("origin", ""), headers.get("content-encoding", "")
    )
    self._begin_body(headers, minor)
    return None

  def _begin_body(self, headers: dict[str, str], minor: str) -> None:
    expected = headers.get("expect", "").lower()
    if expected not in ("", "100-continue"):
      raise rest_messages.HttpError(417, f"Expect: {expected} is not supported")
    coding = headers.get("transfer-encoding")
    if coding is None:
      self._length = _content_length(headers.get("content-length", "0"))
      self._check_size(self._length)
      self._step = self._read_body
      has_body = self._length > 0
    else:
      if "content-length" in headers or minor == "0":
        raise rest_messages.HttpError(
          400, "Transfer-Encoding with Content-Length, or in HTTP/1.0, is ambiguous"
        )
      if coding.lower() != "chunked":
        raise rest_messages.HttpError(501, f"Transfer-Encoding: {coding} is not supported")
      self._num_chunks = 0
      self._step = self._read_chunk_line
      has_body = True
    self.wants_continue = bool(expected) and has_body and minor == "1"

  def _read_body(self) -> rest_messages.Request | None:
    body = self._take(self._length)
    return None if body is None else self._complete(body)

  def _read_chunk_line(self) -> None:
    line = self._take_until(b"\r\n", _MOST_CHUNK_LINE)
    if line is None:
      return
    found = _CHUNK_SIZE.fullmatch(line)
    if found is None:
      raise rest_messages.HttpError(400, "A chunk's size is malformed")
    self._length = int(found.group(1), 16)
    self._check_size(self._length + len(self._chunked))
    self._num_chunks += 1
    if self._num_chunks > _FREE_CHUNKS + len(self._chunked) // _LEAST_CHUNK:
      raise rest_messages.HttpError(400, "The body comes in too many and too small chunks")
    self._step = self._read_chunk if self._length else self._read_trailers

  def _read_chunk(self) -> None:
    chunk = self._take(self._length + 2)
    if chunk is None:
      return
    if not chunk.endswith(b"\r\n"):
      raise rest_messages.HttpError(400, "A chunk is longer than its size")
    self._chunked += memoryview(chunk)[:-2]
    self._step = self._read_chunk_line

  def _read_trailers(self) -> rest_messages.Request | None:
    if self._buffer.startswith(b"\r\n"):
      del self._buffer[:2]
    else:
      lines = self._take_until(b"\r\n\r\n", _MOST_HEAD)
      if lines is None:
        return None
      _headers(lines.split(b"\r\n"))
    return self._complete(bytes(self._chunked))

  def _complete(self, body: bytes) -> rest_messages.Request:
    head = self._head
    self._head, self._chunked = None, bytearray()
    self._step = self._read_head
    self.wants_continue = False
    return rest_messages.Request(head.method, head.path, head.origin, head.content_encoding, body)

  def _check_size(self, size: int) -> None:
    if size > self._most_body:
      raise rest_messages.HttpError(
        413, f"The body has {size} bytes or more; at most {self._most_body} are accepted"
      )

  def _take(self, size: int) -> bytes | None:
    if len(self._buffer) < size:
      return None
    taken = bytes(memoryview(self._buffer)[:size])
    del self._buffer[:size]
    return taken

  def _take_until(self, end: bytes, most: int) -> bytes | None:
    """What is before an end; None while that is not there."""
    position = self._buffer.find(end, self._looked_at, most + len(end))
    if position < 0:
      if len(self._buffer) >= most + len(end):
        raise rest_messages.HttpError(431, f"A head or line is longer than {most} bytes")
      self._looked_at = max(len(self._buffer) - len(end) + 1, 0)
      return None
    self._looked_at = 0
    taken = bytes(memoryview(self._buffer)[:position])
    del self._buffer[: position + len(end)]
    return taken


def _headers(lines: list[bytes]) -> dict[str, str]:
  """Lower-case names to values; what may come once only is refused if it comes twice."""
  headers: dict[str, str] = {}
  for line in lines:
    found = _HEADER.fullmatch(line)
    if found is None:
      raise rest_messages.HttpError(400, "A header is malformed")
    name, value = (part.decode("latin-1") for part in found.groups())
    name, value = name.lower(), value.strip(" \t")
    if name in headers:
      if name in _ONCE:
        raise rest_messages.HttpError(400, f"The header {name} comes twice")
      value = f"{headers[name]}, {value}"
    headers[name] = value
  return headers


def _content_length(text: str) -> int:
  if not re.fullmatch("[0-9]{1,18}", text):
    raise rest_messages.HttpError(400, "Content-Length is no number")
  return int(text)
