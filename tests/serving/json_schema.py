"""Checks values against JSON schemas: the keywords that tests/serving/schemas/ uses, and no other."""

import json
import re
from collections.abc import Iterator

_TYPES = {
  "object": dict,
  "array": list,
  "string": str,
  "integer": int,
  "number": (int, float),
  "boolean": bool,
  "null": type(None),
}
_KNOWN = {
  "$comment", "$ref", "definitions", "type", "enum", "pattern", "maxLength", "minimum", "maximum", "items", "minItems",
  "properties", "required", "additionalProperties", "propertyNames", "minProperties", "oneOf",
}  # fmt: skip


class Schema:
  """A schema file.

  Args:
    path: a JSON file.
  """

  def __init__(self, path: str):
    with open(path, encoding="utf-8") as file:
      self._root = json.load(file)

  def definitions(self) -> list[str]:
    """Names of the file's definitions."""
    return list(self._root["definitions"])

  def errors(self, value, definition: str | None = None) -> list[str]:
    """What is wrong with a value, each with its place; by the whole schema or by one definition.

    Raises:
      ValueError: the schema has a keyword that is not known here.
    """
    schema = {"$ref": f"#/definitions/{definition}"} if definition else self._root
    return list(self._errors(schema, value, "$"))

  def _errors(self, schema, value, place) -> Iterator[str]:
    unknown = set(schema) - _KNOWN
    if unknown:
      raise ValueError(f"unknown keywords in the schema of {place}: {sorted(unknown)}")
    if "$ref" in schema:
      name = schema["$ref"].removeprefix("#/definitions/")
      yield from self._errors(self._root["definitions"][name], value, place)
      return
    if "type" in schema and not _is_of_type(value, schema["type"]):
      yield f"{place}: {value!r} is no {schema['type']}"
      return
    if "enum" in schema and value not in schema["enum"]:
      yield f"{place}: {value!r} is none of {schema['enum']}"
    if "oneOf" in schema:
      matches = sum(not list(self._errors(each, value, place)) for each in schema["oneOf"])
      if matches != 1:
        yield f"{place}: {value!r} matches {matches} of {len(schema['oneOf'])} schemas; expected 1"
    yield from _number_errors(schema, value, place)
    if isinstance(value, str):
      yield from _text_errors(schema, value, place)
    elif isinstance(value, list):
      yield from self._list_errors(schema, value, place)
    elif isinstance(value, dict):
      yield from self._object_errors(schema, value, place)

  def _list_errors(self, schema, value, place):
    if len(value) < schema.get("minItems", 0):
      yield f"{place}: has {len(value)} items; expected {schema['minItems']} or more"
    for index, item in enumerate(value):
      yield from self._errors(schema.get("items", {}), item, f"{place}[{index}]")

  def _object_errors(self, schema, value, place):
    if len(value) < schema.get("minProperties", 0):
      yield f"{place}: has {len(value)} fields; expected {schema['minProperties']} or more"
    for name in schema.get("required", ()):
      if name not in value:
        yield f"{place}: lacks {name!r}"
    others = schema.get("additionalProperties", {})
    for name, item in value.items():
      yield from self._errors(schema.get("propertyNames", {}), name, f"{place} (name)")
      if name in schema.get("properties", {}):
        yield from self._errors(schema["properties"][name], item, f"{place}.{name}")
      elif others is False:
        yield f"{place}: has no field {name!r}"
      else:
        yield from self._errors(others, item, f"{place}.{name}")


def _is_of_type(value, types):
  names = types if isinstance(types, list) else [types]
  if isinstance(value, bool):
    return "boolean" in names
  return any(isinstance(value, _TYPES[name]) for name in names)


def _number_errors(schema, value, place):
  if isinstance(value, (int, float)) and not isinstance(value, bool):
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    if not low <= value <= high:
      yield f"{place}: {value!r} is not in [{low}, {high}]"


def _text_errors(schema, value, place):
  if not re.search(schema.get("pattern", ""), value):
    yield f"{place}: {value!r} does not match {schema['pattern']!r}"
  if len(value) > schema.get("maxLength", len(value)):
    yield f"{place}: {value!r} has more than {schema['maxLength']} characters"
