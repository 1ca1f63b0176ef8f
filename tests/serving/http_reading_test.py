import time

import numpy as np
from absl.testing import absltest, parameterized

from serving import http_reading, rest_messages

_POST = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\n"


def _read_all(data: bytes, most_body: int = 1000, step: int | None = None) -> list:
  """The requests in a connection's bytes, fed in pieces."""
  reader = http_reading.Reader(most_body)
  requests = []
  for start in range(0, len(data), step or len(data)):
    reader.feed(data[start : start + (step or len(data))])
    while (request := reader.read()) is not None:
      requests.append(request)
  return requests


class HttpReadingTest(parameterized.TestCase):
  @parameterized.parameters(None, 1, 3, 7)
  def test_reads_one_after_the_other(self, step):
    data = (
      b"\r\nGET /a?b=c#d HTTP/1.1\r\nOrigin:  http://x \r\n\r\n"
      + _POST
      + b"content-length: 5\r\nContent-Encoding: gzip\r\n\r\nhello"
      + _POST
      + b"Transfer-Encoding: chunked\r\n\r\n4\r\nwith\r\n3;x=y\r\n in\r\n0\r\nA: b\r\n\r\n"
      + _POST
      + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
      + b"GET http://host:1/p?q HTTP/1.0\r\n\r\n"
    )
    got = _read_all(data, step=step)
    self.assertEqual(
      [(request.method, request.path, request.body) for request in got],
      [
        ("GET", "/a", b""),
        ("POST", "/v1/models/m:predict", b"hello"),
        ("POST", "/v1/models/m:predict", b"with in"),
        ("POST", "/v1/models/m:predict", b"a"),
        ("GET", "/p", b""),
      ],
    )
    self.assertEqual(got[0].origin, "http://x")
    self.assertEqual(got[1].content_encoding, "gzip")

  @parameterized.named_parameters(
    ("no_http", b"hello\r\n\r\n", 400),
    ("http_09", b"GET /\r\n\r\n", 400),
    ("http_2", b"PRI * HTTP/2.0\r\n\r\n", 505),
    ("space_in_target", b"GET /a b HTTP/1.1\r\n\r\n", 400),
    ("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ("line_feed_in_head", b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400),
    ("carriage_return", b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", 400),
    ("nul", b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", 400),
    ("folded", b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
    ("space_before_colon", b"GET / HTTP/1.1\r\nA : b\r\n\r\n", 400),
    ("no_colon", b"GET / HTTP/1.1\r\nA\r\n\r\n", 400),
    ("two_lengths", _POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ("same_length_twice", _POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    ("length_list", _POST + b"Content-Length: 1, 1\r\n\r\na", 400),
    ("negative_length", _POST + b"Content-Length: -1\r\n\r\n", 400),
    ("signed_length", _POST + b"Content-Length: +1\r\n\r\n", 400),
    ("hexadecimal_length", _POST + b"Content-Length: 0x1\r\n\r\n", 400),
    ("huge_length", _POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    ("large_body", _POST + b"Content-Length: 1001\r\n\r\n", 413),
    (
      "length_and_chunks",
      _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ),
    ("chunks_in_http_10", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("other_coding", _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ("chunked_twice", _POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 501),
    ("odd_chunked", _POST + b"Transfer-Encoding: xchunked\r\n\r\n", 501),
    ("chunk_size", _POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ("negative_chunk", _POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
    ("chunk_prefix", _POST + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400),
    ("huge_chunk", _POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n", 400),
    ("large_chunk", _POST + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
    ("chunk_too_long", _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc", 400),
    ("long_chunk_line", _POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 1000, 431),
    (
      "chunks_too_large",
      _POST
      + b"Transfer-Encoding: chunked\r\n\r\n"
      + b"C8\r\n"
      + b"a" * 200
      + b"\r\n"
      + (b"C8\r\n" + b"a" * 200 + b"\r\n") * 5,
      413,
    ),
    ("bad_trailer", _POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA\r\n\r\n", 400),
    ("expectation", _POST + b"Expect: tea\r\nContent-Length: 1\r\n\r\na", 417),
    ("long_head", b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000, 431),
    ("long_line", b"GET /" + b"a" * 70_000, 431),
  )
  def test_refuses(self, data, status):
    for step in (None, 1000):
      with self.assertRaises(rest_messages.HttpError) as caught:
        _read_all(data, step=step)
      self.assertEqual(caught.exception.status, status)

  @parameterized.parameters(
    ("HTTP/1.1", b"", True),
    ("HTTP/1.1", b"Connection: close\r\n", False),
    ("HTTP/1.0", b"", False),
    ("HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
  )
  def test_says_whether_the_connection_goes_on(self, version, header, expected):
    reader = http_reading.Reader(10)
    reader.feed(f"GET / {version}\r\n".encode() + header + b"\r\n")
    self.assertIsNotNone(reader.read())
    self.assertEqual(reader.keeps_alive, expected)

  def test_knows_who_waits_to_continue(self):
    reader = http_reading.Reader(10)
    reader.feed(_POST + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
    self.assertIsNone(reader.read())
    self.assertTrue(reader.wants_continue)
    reader.feed(b"ab")
    self.assertEqual(reader.read().body, b"ab")
    self.assertFalse(reader.wants_continue)

  @parameterized.named_parameters(
    ("spaces_in_header", b"GET / HTTP/1.1\r\nA:" + b" " * 60_000 + b"\0\r\n\r\n"),
    ("tiny_chunks", _POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 300_000),
    ("byte_by_byte_head", b"GET /" + b"a" * 60_000),
  )
  def test_hostile_bytes_take_little_time(self, data):
    begin = time.thread_time()
    try:
      _read_all(data, most_body=10**6, step=1 if data.startswith(b"GET /a") else None)
    except rest_messages.HttpError as error:
      self.assertEqual(error.status, 400)
    self.assertLess(time.thread_time() - begin, 1.5)

  def test_random_bytes_are_requests_or_refused(self):
    rng = np.random.default_rng(0)
    good = _POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nwith\r\n0\r\n\r\n"
    for _ in range(3000):
      data = bytearray(good)
      for position in rng.integers(0, len(data), rng.integers(1, 4)):
        data[position] = rng.integers(0, 256)
      try:
        self.assertLessEqual(len(_read_all(bytes(data))), 2)
      except rest_messages.HttpError as error:
        self.assertIn(error.status, (400, 413, 431, 501, 505))


if __name__ == "__main__":
  absltest.main()
