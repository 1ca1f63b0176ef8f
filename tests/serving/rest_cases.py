"""Requests over REST that fail, with TensorFlow Serving's statuses and messages.

Sources: tensorflow/serving, model_servers/http_rest_api_util.cc, http_rest_api_handler.cc,
util/json_tensor.cc.
"""

_DEFAULT = "/v1/models/default:predict"
_ROW = "Failed to process element: "
_OF = " of 'instances' list. Error: INVALID_ARGUMENT: "


def _document(*lines: str) -> str:
  return "JSON Value: {\n" + "".join(f"    {line}\n" for line in lines) + "} "


# name, signature, what is added to the document, status, message
PREDICT_FAILURES = (
  ("nothing", "", {}, 400, "Missing 'inputs' or 'instances' key"),
  (
    "both",
    "",
    {"inputs": 1, "instances": 2},
    400,
    _document('"inputs": 1,', '"instances": 2')
    + "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
  ),
  (
    "instances_no_list",
    "",
    {"instances": 1},
    400,
    _document('"instances": 1') + "Excepting 'instances' to be an list/array",
  ),
  (
    "no_instance",
    "",
    {"instances": []},
    400,
    _document('"instances": []') + "No values in 'instances' array",
  ),
  (
    "signature_no_string",
    "",
    {"signature_name": 5},
    400,
    _document('"signature_name": 5')
    + "not formatted correctly. 'signature_name' key must be a string value.",
  ),
  (
    "unknown_signature",
    "nope",
    {"inputs": 1},
    400,
    'Serving signature name: "nope" not found in signature def',
  ),
  (
    "string_for_float_in_rows",
    "",
    {"instances": [1.0, "x"]},
    400,
    f'{_ROW}1{_OF}JSON Value: "x" Type: String is not of expected type: float',
  ),
  (
    "string_for_float",
    "",
    {"inputs": ["x"]},
    400,
    'JSON Value: "x" Type: String is not of expected type: float',
  ),
  (
    "null",
    "",
    {"inputs": [None]},
    400,
    "JSON Value: null Type: Null is not of expected type: float",
  ),
  (
    "bool_for_float",
    "",
    {"inputs": [1.5, True]},
    400,
    "JSON Value: true Type: True is not of expected type: float",
  ),
  (
    "bool_for_int",
    "echo_int32",
    {"inputs": [1, False]},
    400,
    "JSON Value: false Type: False is not of expected type: int32",
  ),
  (
    "number_for_bool",
    "echo_bool",
    {"inputs": [True, 1]},
    400,
    "JSON Value: 1 Type: Number is not of expected type: bool",
  ),
  (
    "fraction_for_int",
    "echo_int32",
    {"inputs": [1, 1.5]},
    400,
    "JSON Value: 1.5 Type: Number is not of expected type: int32",
  ),
  (
    "whole_float_for_int",
    "echo_int64",
    {"inputs": [1.0]},
    400,
    "JSON Value: 1.0 Type: Number is not of expected type: int64",
  ),
  (
    "too_large_for_int32",
    "echo_int32",
    {"inputs": [2**31]},
    400,
    "JSON Value: 2147483648 Type: Number is not of expected type: int32",
  ),
  (
    "negative_for_uint64",
    "echo_uint64",
    {"inputs": [-1]},
    400,
    "JSON Value: -1 Type: Number is not of expected type: uint64",
  ),
  (
    "integer_inexact_as_float",
    "",
    {"inputs": [2**24 + 1]},
    400,
    "Cannot convert JSON value: 16777217 to float without loss of precision.",
  ),
  (
    "too_large_for_float",
    "",
    {"inputs": [1e39]},
    400,
    "Cannot convert JSON value: 1e+39 to float without loss of precision.",
  ),
  (
    "number_for_string",
    "echo_string",
    {"inputs": [1]},
    400,
    "JSON Value: 1 Type: Number is not of expected type: string",
  ),
  (
    "object_for_float",
    "",
    {"inputs": [{"b64": "eA=="}]},
    400,
    'JSON Value: {\n    "b64": "eA=="\n} Type: Object is not of expected type: float',
  ),
  (
    "no_base64_object",
    "echo_string",
    {"inputs": [{"b65": "eA=="}]},
    400,
    'JSON Value: {\n    "b65": "eA=="\n} not formatted correctly for base64 data',
  ),
  ("no_base64", "echo_string", {"inputs": [{"b64": "?"}]}, 400, "Unable to base64 decode"),
  (
    "ragged_size",
    "",
    {"inputs": [[1, 2], [3]]},
    400,
    "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
  ),
  (
    "ragged_level",
    "",
    {"inputs": [[1], 2]},
    400,
    "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
  ),
  (
    "deeper_list",
    "",
    {"inputs": [1, [2]]},
    400,
    "Encountered list at unexpected level: 1 expected < 1",
  ),
  (
    "rows_of_unequal_size",
    "",
    {"instances": [[1, 2], [3]]},
    400,
    f"{_ROW}1{_OF}Expecting tensor size: 2 but got: 1",
  ),
  (
    "rows_of_unequal_shape",
    "",
    {"instances": [[1], 3]},
    400,
    f"{_ROW}1{_OF}Expecting shape [1] but got: []",
  ),
  (
    "objects_and_lists",
    "",
    {"instances": [{"x": 1}, 2]},
    400,
    "Expecting object but got list at item 1 of input list",
  ),
  (
    "lists_and_objects",
    "",
    {"instances": [1, {"x": 2}]},
    400,
    "Expecting value/list but got object at item 1 of input list",
  ),
  (
    "plain_list_for_several_inputs",
    "named",
    {"instances": [1]},
    400,
    "instances is a plain list, but expecting list of objects as multiple input tensors required "
    "as per tensorinfo_map",
  ),
  (
    "plain_value_for_several_inputs",
    "named",
    {"inputs": [1]},
    400,
    "inputs is a plain value/list, but expecting an object as multiple input tensors required as "
    "per tensorinfo_map",
  ),
  (
    "key_missing_in_row",
    "named",
    {"instances": [{"text": "a"}]},
    400,
    f'{_ROW}0 of \'instances\' list. JSON object: {{\n    "text": "a"\n}} keys must be equal to: '
    "pair,text",
  ),
  (
    "unknown_key_in_row",
    "",
    {"instances": [{"x": 1, "z": 2}]},
    400,
    f"{_ROW}0 key: z{_OF}JSON object: does not have named input: z",
  ),
  (
    "wrong_type_in_row_object",
    "",
    {"instances": [{"x": "a"}]},
    400,
    f'{_ROW}0 key: x{_OF}JSON Value: "a" Type: String is not of expected type: float',
  ),
  (
    "key_missing_in_inputs",
    "named",
    {"inputs": {"text": ["a"]}},
    400,
    "Missing named input: pair in 'inputs' object.",
  ),
  (
    "half",
    "echo_half",
    {"inputs": [1]},
    501,
    "Conversion of JSON Value: 1 to type: half",
  ),
  (
    "complex",
    "echo_complex64",
    {"inputs": [1]},
    501,
    "Conversion of JSON Value: 1 to type: complex64",
  ),
  (
    "outputs_without_batch",
    "scalar",
    {"instances": [1.0]},
    400,
    "Tensor name: sum has no shape information ",
  ),
  (
    "outputs_of_unequal_batch",
    "uneven",
    {"instances": [1.0]},
    400,
    "Tensor name: b has inconsistent batch size: 2 expecting: 1",
  ),
)

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
    _document('"context": {}')
    + "When method is classify, key 'examples' is expected and was not found",
  ),
  (
    "no_list",
    {"examples": 1},
    _document('"examples": 1') + "Expecting 'examples' value to be an list/array",
  ),
  (
    "empty",
    {"examples": []},
    _document('"examples": []') + "'examples' value is an empty array",
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
