"""The URLs of the REST API: from a request's method and path to what is asked.

Patterns and texts: TensorFlow Serving's (model_servers/http_rest_api_util.cc).
"""

import dataclasses
import re
import urllib.parse

from tensorflow_serving.apis import model_pb2

from serving import errors

_MODEL = r"([^/:]+)"
_VERSION = r"(?:/versions/(\d+)|/labels/([^/:]+))?"
_FLAGS = re.IGNORECASE | re.ASCII
_API = re.compile("/v1/.*", _FLAGS | re.DOTALL)
_CALL = re.compile(f"/v1/models/{_MODEL}{_VERSION}:(classify|regress|predict)", _FLAGS)
_LOOK = re.compile(f"/v1/models(?:/{_MODEL})?{_VERSION}(/metadata)?", _FLAGS)

_INT64_MAX = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Route:
  """What a URL of the API asks for.

  Attributes:
    action: "predict", "classify", "regress", "metadata", "status", or "models" (all models' status).
    spec: the model; empty for "models".
  """

  action: str
  spec: model_pb2.ModelSpec


def is_api(path: str) -> bool:
  """Whether a path belongs to the API; others are not found."""
  return _API.fullmatch(path) is not None


def route(method: str, path: str) -> Route:
  """Reads a request's method and path (without query; characters are the URL's bytes).

  Raises:
    errors.StatusError: INVALID_ARGUMENT for what the API does not have.
  """
  found = None
  if method == "POST":
    found = _CALL.fullmatch(path)
  elif method == "GET":
    found = _LOOK.fullmatch(path)
  if found is None:
    raise errors.StatusError("INVALID_ARGUMENT", f"Malformed request: {method} {path}")
  name, version, label, action = found.groups()
  if name is None:
    if version or label or action:
      raise errors.StatusError("INVALID_ARGUMENT", "Missing model name in request.")
    return Route("models", model_pb2.ModelSpec())
  action = action.lower().lstrip("/") if action else "status"
  return Route(action, _spec(name, version, label))


def _spec(name: str, version: str | None, label: str | None) -> model_pb2.ModelSpec:
  spec = model_pb2.ModelSpec(name=_decoded(name))
  if version is not None:
    # Longer ones are no numbers to Python either.
    if len(version.lstrip("0")) > 19 or int(version) > _INT64_MAX:
      raise errors.StatusError(
        "INVALID_ARGUMENT", f"Failed to convert version: {version} to numeric."
      )
    spec.version.value = int(version)
  if label is not None:
    spec.version_label = _decoded(label)
  return spec


def _decoded(text: str) -> str:
  """Percent-encoding undone."""
  return urllib.parse.unquote_to_bytes(text.encode("latin-1")).decode("utf-8", "replace")
