import os
import tempfile

import numpy as np
import psutil
import tensorflow as tf
from absl.testing import absltest

from tests.serving import exports, server_process

_FLOATS = 4_000_000  # 16 MB there, 16 MB back


class MemoryTest(absltest.TestCase):
  def test_large_requests_leave_nothing_behind(self):
    folder = self.enterContext(tempfile.TemporaryDirectory())
    exports.export(os.path.join(folder, "1"))
    server = self.enterContext(server_process.Server(f"--model_base_path={folder}"))
    server.wait_until_ready()
    small = exports.request(x=np.ones([1, 1], np.float32))
    for _ in range(20):
      server.predict(small)
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    large = exports.request(x=np.ones([_FLOATS, 1], np.float32))
    for _ in range(4):
      server.predict(large, metadata=[("x-tensor-content", "1")])
    grown = lambda: process.memory_info().rss - before
    server_process.wait_for(lambda: grown() < 50e6, "large requests' memory to be returned")
    self.assertLess(grown(), 50e6)


if __name__ == "__main__":
  tf.test.main()
