"""Endless random and malformed REST requests; everything follows from one seed."""

import json
import random
from collections.abc import Iterator

from tests.serving import hostile_requests

# Statuses for requests of which it is not known what is wrong; none may be the server's own error.
SANE = frozenset({200, 400, 404, 405, 408, 411, 413, 414, 429, 431, 501})

_PATHS = (
  "/v1/models/default:predict",
  "/v1/models/default/versions/1:predict",
  "/v1/models/default:classify",
  "/v1/models/default:regress",
  "/v1/models/default",
  "/v1/models/default/metadata",
  "/v1/models/nope:predict",
  "/v1/models/default/versions/99999999999999999999:predict",
  "/v1/models/%64efault:predict",
  "/v1/models",
  "/v1/models/default/labels/x:predict",
  "/",
  "/../../etc/passwd",
)


def requests(seed: int) -> Iterator[tuple[str, str, bytes, frozenset[int] | None]]:
  """Random (verb, path, body, statuses that are right or None for any but a server's error)."""
  rng = random.Random(seed)
  good = json.dumps({"instances": [[2.0]]}).encode()
  while True:
    verb = rng.choices(("POST", "GET", "PUT", "OPTIONS"), (12, 3, 1, 1))[0]
    path = rng.choices(_PATHS, (30, *[2] * (len(_PATHS) - 1)))[0]
    if rng.random() < 0.1:
      path = hostile_requests.mutated(rng, path.encode()).decode("latin-1")
      path = "/" + "".join(c for c in path if "!" <= c <= "~").lstrip("/")
    way = rng.random()
    right = None
    if way < 0.1:
      body = good
      right = frozenset({200}) if (verb, path) == ("POST", _PATHS[0]) else None
    elif way < 0.4:
      body = hostile_requests.mutated(rng, good)
    elif way < 0.5:
      body = rng.randbytes(rng.randrange(300))
    elif way < 0.55:
      body = b"[" * rng.choice((10, 1000, 100_000))
    else:
      body = json.dumps(_json_body(rng)).encode()
    yield verb, path, body, right


def _json_body(rng: random.Random):
  value = _json_value(rng, 3)
  return rng.choice(
    (
      {"instances": value},
      {"inputs": value},
      {"instances": [{"x": value}]},
      {"inputs": {"x": value, "a": 1}},
      {"signature_name": rng.choice(("image", "join", "types", "nope", 3)), "instances": value},
      {"examples": value},
      value,
    )
  )


def _json_value(rng: random.Random, depth: int):
  kind = rng.randrange(8 if depth else 6)
  if kind == 0:
    return rng.choice((0, 1, -1, 2**31, 2**63, 10**30))
  if kind == 1:
    return rng.choice((1.5, -0.0, 1e38, 1e300, float("nan"), float("inf")))
  if kind == 2:
    return rng.choice(("", "x", "\u00e9", "\x00", "1"))
  if kind == 3:
    return rng.choice((None, True, False))
  if kind == 4:
    return {"b64": rng.choice(("AAAA", "!", "A", 7))}
  if kind == 5:
    return {}
  if kind == 6:
    return [_json_value(rng, depth - 1) for _ in range(rng.randrange(4))]
  return [[rng.random()]] * rng.randrange(1, 4)
