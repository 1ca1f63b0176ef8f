"""What can go wrong with a call, as exceptions with the server's code and message."""


class ServingError(Exception):
  """A call that failed.

  Attributes:
    code: gRPC's name of the status, such as "NOT_FOUND".
    message: the server's own words, or gRPC's where no server answered.
    where: the model and the address, for people.
  """

  def __init__(self, code: str, message: str, where: str):
    super().__init__(f"{where}: {code}: {message}")
    self.code = code
    self.message = message
    self.where = where


class InvalidRequest(ServingError):
  """The server refused the request: INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE. The same again would not help."""


class NotFound(ServingError):
  """The server knows no such model or version, or has none that serves: NOT_FOUND."""


class Unavailable(ServingError):
  """Nobody answers at the address, or the server is too busy: UNAVAILABLE, after the retries."""


class DeadlineExceeded(ServingError):
  """The answer did not come in time: DEADLINE_EXCEEDED."""


class AccessDenied(ServingError):
  """The server does not let this client in: UNAUTHENTICATED, PERMISSION_DENIED."""


class MalformedAnswer(ServingError):
  """The answer is not what the protocol says: it cannot be decoded, or lacks something. The code is DATA_LOSS."""


_BY_CODE = {
  "INVALID_ARGUMENT": InvalidRequest,
  "FAILED_PRECONDITION": InvalidRequest,
  "OUT_OF_RANGE": InvalidRequest,
  "NOT_FOUND": NotFound,
  "UNAVAILABLE": Unavailable,
  "DEADLINE_EXCEEDED": DeadlineExceeded,
  "UNAUTHENTICATED": AccessDenied,
  "PERMISSION_DENIED": AccessDenied,
  "DATA_LOSS": MalformedAnswer,
}


def of_code(code: str, message: str, where: str) -> ServingError:
  """The exception for a status; plain `ServingError` for the rarer ones."""
  return _BY_CODE.get(code, ServingError)(code, message, where)
