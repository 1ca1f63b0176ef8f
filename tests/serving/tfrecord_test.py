import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from serving import errors, tfrecord


class TfrecordTest(parameterized.TestCase):
  @parameterized.parameters(
    (b"", 0),
    (b"123456789", 0xE3069283),  # the check value of CRC-32C's catalogue entry
    (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
  )
  def test_crc32c(self, data, expected):
    self.assertEqual(tfrecord.crc32c(data), expected)

  def setUp(self):
    super().setUp()
    self.path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "records")
    random = np.random.default_rng(0)
    self.records = [random.bytes(size) for size in (0, 3, 255, 256, 257, 1024, 100_003)]
    with tf.io.TFRecordWriter(self.path) as writer:
      for record in self.records:
        writer.write(record)

  def test_reads_what_tensorflow_writes(self):
    self.assertEqual(list(tfrecord.read(self.path)), self.records)

  @parameterized.parameters(3, 9, 12, 20, -5, -1)
  def test_one_wrong_byte_is_noticed(self, position):
    with open(self.path, "r+b") as file:
      content = bytearray(file.read())
      content[position] ^= 0x10
      file.seek(0)
      file.write(content)
    with self.assertRaisesRegex(errors.StatusError, "DATA_LOSS: (corrupted|truncated) record at"):
      list(tfrecord.read(self.path))

  @parameterized.parameters(1, 4, 100_000, 100_015)
  def test_cut_off_file_is_noticed(self, missing):
    os.truncate(self.path, os.path.getsize(self.path) - missing)
    with self.assertRaisesRegex(errors.StatusError, "DATA_LOSS: truncated record at"):
      list(tfrecord.read(self.path))


if __name__ == "__main__":
  tf.test.main()
