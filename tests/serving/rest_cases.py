"""Requests over REST that fail, with TensorFlow Serving's statuses and messages.

Sources: tensorflow/serving, model_servers/http_rest_api_util.cc, http_rest_api_handler.cc,
util/json_tensor.cc.
"""

_DEFAULT = "/v1/models/default:predict"


def document(*lines: str) -> str:
  """How a message begins that quotes a document of those lines."""
  return "JSON Value: {\n" + "".join(f"    {line}\n" for line in lines) + "} "


_PARSE = "JSON Parse error: "
# name, body, message
PARSE_FAILURES = (
  ("empty", b"", f"{_PARSE}The document is empty"),
  ("word", b"x", f"{_PARSE}Invalid value. at offset: 0"),
  ("no_object", b"[1]", "JSON Value: [\n    1\n] Is not object"),
  ("string", b'"a"', 'JSON Value: "a" Is not object'),
  ("no_name", b"{1", f"{_PARSE}Missing a name for object member. at offset: 1"),
  (
    "no_colon",
    b'{"a" 1}',
    f"{_PARSE}Missing a colon after a name of object member. at offset: 5",
  ),
  (
    "open_list",
    b'{"instances": [1.0, 2.0}',
    f"{_PARSE}Missing a comma or ] after an array element. at offset: 23",
  ),
  (
    "open_object",
    b'{"instances": [1.0]',
    f"{_PARSE}Missing a comma or }} after an object member. at offset: 19",
  ),
  (
    "something_after",
    b"{} {}",
    f"{_PARSE}The document root must not be followed by other values. at offset: 3",
  ),
  ("no_utf8_outside_strings", b'{"inputs": \xff}', f"{_PARSE}Invalid value. at offset: 11"),
)

# name, method, path, status, message
URL_FAILURES = (
  ("put", "PUT", "/v1/models/default", 400, "Malformed request: PUT /v1/models/default"),
  ("get_call", "GET", _DEFAULT, 400, f"Malformed request: GET {_DEFAULT}"),
  ("post_status", "POST", "/v1/models/default", 400, "Malformed request: POST /v1/models/default"),
  (
    "no_method",
    "POST",
    "/v1/models/default:run",
    400,
    "Malformed request: POST /v1/models/default:run",
  ),
  ("other", "GET", "/v1/other", 400, "Malformed request: GET /v1/other"),
  ("query", "GET", "/v1/other?a=b", 400, "Malformed request: GET /v1/other"),
  (
    "label_and_version",
    "GET",
    "/v1/models/default/versions/1/labels/x",
    400,
    "Malformed request: GET /v1/models/default/versions/1/labels/x",
  ),
  (
    "version_too_big",
    "GET",
    "/v1/models/default/versions/99999999999999999999",
    400,
    "Failed to convert version: 99999999999999999999 to numeric.",
  ),
  (
    "version_no_number",
    "GET",
    "/v1/models/default/versions/x",
    400,
    "Malformed request: GET /v1/models/default/versions/x",
  ),
  (
    "unknown_version_status",
    "GET",
    "/v1/models/default/versions/7",
    404,
    "Could not find version 7 of model default",
  ),
  (
    "unknown_model_status",
    "GET",
    "/v1/models/nope",
    404,
    "Could not find any versions of model nope",
  ),
  (
    "unknown_model_metadata",
    "GET",
    "/v1/models/nope/metadata",
    404,
    "Servable not found for request: Latest(nope)",
  ),
  (
    "unknown_model",
    "POST",
    "/v1/models/nope:predict",
    404,
    "Servable not found for request: Latest(nope)",
  ),
  (
    "unknown_version",
    "POST",
    "/v1/models/default/versions/7:predict",
    404,
    "Servable not found for request: Specific(default, 7)",
  ),
  (
    "unknown_label",
    "POST",
    "/v1/models/default/labels/stable:predict",
    400,
    "Unrecognized servable version label: stable",
  ),
)

# name, method, document, message
EXAMPLE_FAILURES = (
  (
    "no_examples",
    {"context": {}},
    document('"context": {}')
    + "When method is classify, key 'examples' is expected and was not found",
  ),
  (
    "no_list",
    {"examples": 1},
    document('"examples": 1') + "Expecting 'examples' value to be an list/array",
  ),
  (
    "empty",
    {"examples": []},
    document('"examples": []') + "'examples' value is an empty array",
  ),
  ("no_object", {"examples": [1]}, "Example must be JSON object but got JSON Number"),
  (
    "null",
    {"examples": [{"x": None}]},
    "Feature: x has element with unexpected JSON type: Null",
  ),
  (
    "list_in_list",
    {"examples": [{"x": [[1.0]]}]},
    "Feature: x has element with unexpected JSON type: Array",
  ),
  (
    "mixed",
    {"examples": [{"x": [1.0, 2]}]},
    "Unexpected element type in feature: x expecting type: float",
  ),
  (
    "uint64",
    {"examples": [{"x": 2**63}]},
    "Feature: x has uint64 element. Only int64 is supported.",
  ),
)
