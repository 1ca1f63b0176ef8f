"""What passes between the HTTP server and the REST API: requests, responses, refusals."""

import dataclasses
import time
from collections.abc import Mapping

JSON = "application/json"


class HttpError(Exception):
  """A refusal that has no canonical code, only an HTTP status.

  Attributes:
    status: the HTTP status.
    message: what is wrong.
  """

  def __init__(self, status: int, message: str):
    super().__init__(message)
    self.status = status
    self.message = message


@dataclasses.dataclass(frozen=True)
class Request:
  """A complete request.

  Attributes:
    method: such as "GET", as sent.
    path: of the URL, as sent, without query; every character is a byte.
    origin: the header of that name, or empty.
    content_encoding: the header of that name, or empty.
    body: as sent; chunks joined.
    arrived: time.monotonic() when it was complete.
  """

  method: str
  path: str
  origin: str = ""
  content_encoding: str = ""
  body: bytes = b""
  arrived: float = dataclasses.field(default_factory=time.monotonic)


@dataclasses.dataclass(frozen=True)
class Response:
  """An answer.

  Attributes:
    status: the HTTP status.
    body: its content.
    content_type: of the body.
    headers: others.
  """

  status: int
  body: bytes = b""
  content_type: str = JSON
  headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
