"""Protocol buffers in text form, from files."""

import sys

from google.protobuf import message, text_format

from serving import errors


def read(path: str, into: message.Message) -> None:
  """Reads a file into a message.

  Raises:
    errors.StatusError: INVALID_ARGUMENT if it does not parse, in TensorFlow Serving's words;
      NOT_FOUND for no file.
  """
  try:
    with open(path, "rb") as file:
      content = file.read()
  except OSError as error:
    raise errors.StatusError("NOT_FOUND", f"{path}; {error.strerror}") from error
  try:
    text_format.Parse(content.decode(), into)
  except (text_format.ParseError, UnicodeDecodeError) as error:
    # The line that TensorFlow Serving's own tests look for.
    kind = into.DESCRIPTOR.full_name
    print(f"Error parsing text-format {kind}: {error}", file=sys.stderr, flush=True)
    raise errors.StatusError("INVALID_ARGUMENT", f"Invalid protobuf file: '{path}'") from error
