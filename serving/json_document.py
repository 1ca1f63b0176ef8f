"""A request's body as a JSON document: reading it, and what TensorFlow Serving says when it is none.

Codes and texts: util/json_tensor.cc and rapidjson's error/en.h. Strings may hold any bytes, as there:
those that are not UTF-8 come as surrogates (`surrogateescape`) and go out as the bytes they were.
"""

import dataclasses
import json
import re

import numpy as np

from serving import errors, json_numbers

_SHOWN = 1000  # characters of a value that an error message quotes
_BACKWARDS = 100_000  # brackets to look at to say whether an error is in a list or an object

# json's messages, by how they begin: rapidjson's.
_TEXTS = (
  ("Expecting value", "Invalid value."),
  ("Expecting property name", "Missing a name for object member."),
  ("Illegal trailing comma", "Missing a name for object member."),
  ("Expecting ':'", "Missing a colon after a name of object member."),
  ("Unterminated string", "Missing a closing quotation mark in string."),
  ("Invalid control character", "Invalid encoding in string."),
  ("Invalid \\escape", "Invalid escape character in string."),
  ("Invalid \\uXXXX", "Incorrect hex digit after \\u escape in string."),
  ("Extra data", "The document root must not be followed by other values."),
)
_NUMBER_TOO_BIG = "Number too big to be stored in double."
_LONE_SURROGATE = re.compile(
  r"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|[c-fC-F][0-9a-fA-F]{2})"
)
# A number that has an exponent or many digits; each run of digits is looked at once.
_MAYBE_BIG = re.compile(r"(?<![0-9.])(?=([0-9.]+))\1(?:[eE]\+?[0-9]{2,}|(?<=[0-9.]{309}))")

# Bytes that a document's parts may take in memory; an object is a hash table of its own.
_BYTES_A_CHARACTER = 9
_BYTES_A_LIST = 90
_BYTES_AN_OBJECT = 260


@dataclasses.dataclass(frozen=True)
class Document:
  """A parsed body.

  Attributes:
    text: the body, bytes that are not UTF-8 as surrogates.
    value: the JSON object.
    infinities: how often the tokens Infinity and -Infinity occur; other infinite values come from
      numbers that are too big.
  """

  text: str
  value: dict
  infinities: int

  def check_finite(self, values: np.ndarray) -> None:
    """Refuses numbers that were too big for double precision, which Python reads as infinity.

    Raises:
      errors.StatusError: INVALID_ARGUMENT.
    """
    if not self.infinities and np.isinf(values).any():
      raise self.too_big()

  def too_big(self) -> errors.StatusError:
    """The error for a number that double precision cannot hold."""
    for match in _MAYBE_BIG.finditer(self.text):
      if match.group().count(".") < 2 and float(match.group()) == float("inf"):
        return parse_error(_NUMBER_TOO_BIG, self.text, match.start())
    return parse_error(_NUMBER_TOO_BIG, self.text, 0)

  def encode(self, text: str) -> bytes:
    """A string of the document as bytes.

    Raises:
      errors.StatusError: INVALID_ARGUMENT for half of a surrogate pair.
    """
    try:
      return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
      found = _LONE_SURROGATE.search(self.text)
      position = found.start() if found else 0
      message = "The surrogate pair in string is invalid."
      raise parse_error(message, self.text, position) from error


def memory_estimate(body: bytes) -> int:
  """About how many bytes of memory reading a body takes at most."""
  return (
    _BYTES_A_CHARACTER * len(body)
    + _BYTES_A_LIST * body.count(b"[")
    + _BYTES_AN_OBJECT * body.count(b"{")
  )


def parse(body: bytes) -> Document:
  """Reads a body.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it is no JSON object.
  """
  if not body:
    raise errors.StatusError("INVALID_ARGUMENT", "JSON Parse error: The document is empty")
  text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
  infinities = 0

  def constant(token: str) -> float:
    nonlocal infinities
    infinities += token != "NaN"
    return float(token)

  try:
    value = json.loads(text, parse_constant=constant)
  except RecursionError as error:
    raise errors.StatusError(
      "INVALID_ARGUMENT", "JSON Parse error: Lists and objects are nested too deeply"
    ) from error
  except json.JSONDecodeError as error:
    raise parse_error(_rapidjson_text(error), text, error.pos) from error
  except ValueError as error:  # Python refuses integers of more than 4300 digits
    found = re.search("(?<![0-9])[0-9]{4300}", text)
    raise parse_error(_NUMBER_TOO_BIG, text, found.start() if found else 0) from error
  if type(value) is not dict:
    raise value_error(value, "Is not object")
  return Document(text, value, infinities)


def parse_error(message: str, text: str, position: int) -> errors.StatusError:
  """The error for text that is no JSON, at a character's position."""
  offset = len(text[:position].encode("utf-8", "surrogatepass"))
  return errors.StatusError("INVALID_ARGUMENT", f"JSON Parse error: {message} at offset: {offset}")


def value_error(value: object, message: str) -> errors.StatusError:
  """The error for a value that does not belong where it is."""
  return errors.StatusError("INVALID_ARGUMENT", f"JSON Value: {show(value)} {message}")


def show(value: object) -> str:
  """A value as error messages quote it; long ones are cut."""
  if type(value) is float:
    is_float = abs(value) <= float(np.finfo(np.float32).max)
    return json_numbers.text(float(np.float32(value))) if is_float else json_numbers.text(value, 17)
  made = ""
  try:
    for piece in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value):
      made += piece
      if len(made) > _SHOWN:
        return made[:_SHOWN] + "..."
  except RecursionError:
    return made[:_SHOWN] + "..."
  return made


def type_name(value: object) -> str:
  """rapidjson's name for a value's type."""
  if value is None:
    return "Null"
  if type(value) is bool:
    return "True" if value else "False"
  names = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}
  return names[type(value)]


def _rapidjson_text(error: json.JSONDecodeError) -> str:
  """rapidjson's message for json's."""
  text, position = error.doc, error.pos
  if position == len(text) and not text.strip(" \t\r\n"):
    return "The document is empty."
  if error.msg.startswith("Expecting ','"):
    following = text[position : position + 1]
    if following == ".":
      return "Miss fraction part in number."
    if following in ("e", "E"):
      return "Miss exponent in number."
    if _is_in_object(text, position):
      return "Missing a comma or } after an object member."
    return "Missing a comma or ] after an array element."
  for begin, message in _TEXTS:
    if error.msg.startswith(begin):
      return message
  return "Unspecific syntax error."


def _is_in_object(text: str, position: int) -> bool:
  """Whether the innermost bracket open at a position is a brace; strings may mislead it."""
  depth = 0
  for _ in range(_BACKWARDS):
    position = max(text.rfind(bracket, 0, position) for bracket in "[]{}")
    if position < 0:
      break
    depth += 1 if text[position] in "]}" else -1
    if depth < 0:
      return text[position] == "{"
  return False
