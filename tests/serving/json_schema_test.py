"""Tests of json_schema.py."""

import json

from absl.testing import absltest, parameterized

from tests.serving import json_schema

_SCHEMA = {
  "type": "object",
  "required": ["a"],
  "additionalProperties": False,
  "propertyNames": {"pattern": "^[a-z]"},
  "properties": {
    "a": {"$ref": "#/definitions/small"},
    "b": {"type": "array", "minItems": 1, "items": {"enum": ["x", "y"]}},
    "c": {"type": ["string", "null"], "pattern": "^x", "maxLength": 3},
    "d": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "boolean"}},
    "e": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
  },
  "definitions": {"small": {"type": "integer", "minimum": 1, "maximum": 3}},
}


class JsonSchemaTest(parameterized.TestCase):
  def errors(self, value, schema=_SCHEMA):
    path = self.create_tempfile(content=json.dumps(schema)).full_path
    return json_schema.Schema(path).errors(value)

  def test_good(self):
    value = {"a": 2, "b": ["x", "y"], "c": None, "d": {"k": True}, "e": "text"}
    self.assertEmpty(self.errors(value))
    self.assertEmpty(self.errors({"a": 1, "c": "xy", "e": 5}))

  @parameterized.parameters(
    ({}, "$: lacks 'a'"),
    ({"a": 4}, "$.a: 4 is not in [1, 3]"),
    ({"a": True}, "$.a: True is no integer"),
    ({"a": "1"}, "$.a: '1' is no integer"),
    ({"a": 1, "z": 1}, "$: has no field 'z'"),
    ({"a": 1, "b": []}, "$.b: has 0 items; expected 1 or more"),
    ({"a": 1, "b": ["x", "z"]}, "$.b[1]: 'z' is none of ['x', 'y']"),
    ({"a": 1, "c": "abc"}, "$.c: 'abc' does not match '^x'"),
    ({"a": 1, "c": "xabc"}, "$.c: 'xabc' has more than 3 characters"),
    ({"a": 1, "d": {}}, "$.d: has 0 fields; expected 1 or more"),
    ({"a": 1, "d": {"k": 1}}, "$.d.k: 1 is no boolean"),
    ({"a": 1, "e": []}, "$.e: [] matches 0 of 2 schemas; expected 1"),
  )
  def test_bad(self, value, error):
    self.assertEqual(self.errors(value), [error])

  def test_unknown_keywords_are_not_passed_over(self):
    with self.assertRaisesRegex(ValueError, "unknown keywords in the schema of .*'maximumLength'"):
      self.errors("x", {"type": "string", "maximumLength": 3})


if __name__ == "__main__":
  absltest.main()
