"""Compressed request bodies."""

import zlib

from serving import rest_messages

_MOST_BYTES = 100 * 2**20  # TensorFlow Serving's limit
_GZIP = 16 + zlib.MAX_WBITS


def decoded(request: rest_messages.Request) -> bytes:
  """A request's body, uncompressed if it says that it is compressed.

  Raises:
    rest_messages.HttpError: 415 for another compression than gzip, 400 if the body is none, 413 if
      it is more than 100 MB uncompressed.
  """
  coding = request.content_encoding.strip().lower()
  if coding in ("", "identity"):
    return request.body
  if coding not in ("gzip", "x-gzip"):
    raise rest_messages.HttpError(
      415, f"Content-Encoding is {coding!r}; this server knows gzip only"
    )
  unpacker = zlib.decompressobj(_GZIP)
  try:
    body = unpacker.decompress(request.body, _MOST_BYTES + 1)
  except zlib.error as error:
    raise rest_messages.HttpError(400, f"The body is no gzip data: {error}") from error
  if len(body) > _MOST_BYTES:
    raise rest_messages.HttpError(413, f"The body is more than {_MOST_BYTES} bytes uncompressed")
  if not unpacker.eof or unpacker.unused_data:
    where = "something follows its end" if unpacker.eof else "it ends too early"
    raise rest_messages.HttpError(400, f"The body is no gzip data: {where}")
  return body
