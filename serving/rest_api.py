"""TensorFlow Serving's REST API: which answer a request gets.

Codes, texts and layout are TensorFlow Serving's (model_servers/http_server.cc, http_rest_api_handler.cc,
g3doc/api_rest.md). More than it has: the list of all models, `/healthz`, `/readyz`, and the version that
answered, in a header.
"""

import logging
import time

from serving import (
  errors,
  inference as inference_lib,
  json_output,
  metrics as metrics_lib,
  rest_calls,
  rest_messages,
  rest_routes,
)

_log = logging.getLogger("serving")

# Canonical code: HTTP status (model_servers/http_server.cc).
_HTTP_STATUSES = {
  "CANCELLED": 499,
  "UNKNOWN": 500,
  "INVALID_ARGUMENT": 400,
  "DEADLINE_EXCEEDED": 504,
  "NOT_FOUND": 404,
  "ALREADY_EXISTS": 409,
  "PERMISSION_DENIED": 403,
  "RESOURCE_EXHAUSTED": 429,
  "FAILED_PRECONDITION": 400,
  "ABORTED": 409,
  "OUT_OF_RANGE": 400,
  "UNIMPLEMENTED": 501,
  "INTERNAL": 500,
  "UNAVAILABLE": 503,
  "DATA_LOSS": 500,
  "UNAUTHENTICATED": 401,
}
_CORS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Methods": "POST, GET",
  "Access-Control-Allow-Headers": "Content-Type",
  "Access-Control-Expose-Headers": rest_calls.VERSION_HEADER,
}
# As libevent has it, which is TensorFlow Serving's HTTP library.
_NOT_FOUND = (
  b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"
)
_TEXT = "text/plain"


class Api:
  """Answers complete requests, from many threads.

  Attributes:
    is_stopping: set it once the server begins to stop: it is not ready any more.
  """

  def __init__(
    self,
    inference: inference_lib.Inference,
    metrics: metrics_lib.Metrics,
    timeout_ms: int = 30_000,
    cors: bool = False,
    metrics_path: str | None = None,
  ):
    """Args:
    inference: what runs models.
    metrics: what to show, and where requests are counted.
    timeout_ms: for a request from its arrival on; 0 or less is unlimited.
    cors: tell browsers that any page may call.
    metrics_path: where to show the metrics; None nowhere.
    """
    self.is_stopping = False
    self._models = inference.models
    self._calls = rest_calls.Calls(inference)
    self._metrics = metrics
    self._timeout = timeout_ms / 1e3 if timeout_ms > 0 else None
    self._headers = _CORS if cors else {}
    self._metrics_path = metrics_path

  def answer(self, request: rest_messages.Request) -> rest_messages.Response:
    """The response to a request; whatever happens, there is one."""
    try:
      return self._answer(request)
    except rest_messages.HttpError as error:
      return self._error(error.status, error.message)
    except errors.StatusError as error:
      return self._error(_HTTP_STATUSES[error.code], error.message)
    except MemoryError:
      return self._error(_HTTP_STATUSES["RESOURCE_EXHAUSTED"], "Out of memory")
    except Exception as error:
      _log.exception("%s %s failed", request.method, request.path)
      return self._error(_HTTP_STATUSES["INTERNAL"], f"{type(error).__name__}: {error}")

  def _error(self, status: int, message: str) -> rest_messages.Response:
    return rest_messages.Response(status, json_output.error(message), headers=self._headers)

  def _answer(self, request: rest_messages.Request) -> rest_messages.Response:
    if request.path == self._metrics_path:
      return rest_messages.Response(200, self._metrics.text().encode(), _TEXT)
    if request.path == "/healthz":
      return rest_messages.Response(200, b"ok\n", _TEXT)
    if request.path == "/readyz":
      if self.is_stopping:
        return rest_messages.Response(503, b"stopping\n", _TEXT)
      is_ready, text = self._calls.readiness()
      return rest_messages.Response(200 if is_ready else 503, text.encode(), _TEXT)
    if not rest_routes.is_api(request.path):
      return rest_messages.Response(404, _NOT_FOUND, "text/html")
    if request.method == "OPTIONS":
      if "http://" in request.origin or "https://" in request.origin:
        return rest_messages.Response(200, headers=self._headers)
      raise errors.StatusError("FAILED_PRECONDITION", "Origin header is missing in CORS preflight")
    return self._counted(request)

  def _counted(self, request: rest_messages.Request) -> rest_messages.Response:
    """The answer to a request to the API, which is counted, JSON and all."""
    name = api = ""
    status = "INTERNAL"
    try:
      route = rest_routes.route(request.method, request.path)
      name = route.spec.name
      api = route.action if request.method == "POST" else ""
      body, headers = self._calls.answer(route, request, self._deadline(request))
      status = "OK"
      return rest_messages.Response(200, body, headers=self._headers | headers)
    except errors.StatusError as error:
      status = error.code
      raise
    except rest_messages.HttpError:
      status = "INVALID_ARGUMENT"
      raise
    finally:
      # Names that are no model's are counted together: anybody can invent them.
      known = name if self._models.is_configured(name) else ""
      seconds = time.monotonic() - request.arrived
      self._metrics.answered(known, api, "REST", status, seconds)

  def _deadline(self, request: rest_messages.Request) -> float | None:
    return None if self._timeout is None else request.arrived + self._timeout
