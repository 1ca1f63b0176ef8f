"""The one error type of the server: a canonical code and a message, as gRPC and TensorFlow share them."""

# Canonical codes by number; gRPC's and TensorFlow's are the same.
_NAMES = (
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
)
CODES = {name: number for number, name in enumerate(_NAMES)}

_MESSAGE_LIMIT = 1024  # TensorFlow Serving's limit (model_servers/grpc_status_util.cc)


class StatusError(Exception):
  """A failure that a client or a log gets to see.

  Attributes:
    code: name of a canonical code, such as "NOT_FOUND".
    message: what went wrong.
  """

  def __init__(self, code: str, message: str):
    super().__init__(f"{code}: {message}")
    self.code = code
    self.message = message

  @property
  def number(self) -> int:
    """The code as a number, 1 to 16."""
    return CODES[self.code]

  @property
  def details(self) -> str:
    """The message as it goes over the wire: cut at 1024 characters."""
    if len(self.message) <= _MESSAGE_LIMIT:
      return self.message
    return self.message[:_MESSAGE_LIMIT] + "...TRUNCATED"

  @classmethod
  def from_number(cls, number: int, message: str) -> "StatusError":
    """The error for a code given as TensorFlow's number; UNKNOWN if it is none of the 16."""
    known = 0 < number < len(_NAMES)
    return cls(_NAMES[number] if known else "UNKNOWN", message)
