"""Tests of prediction/progress.py."""

import io

from absl.testing import absltest

from tf_taskology.prediction import progress


class _Terminal(io.StringIO):
  def isatty(self):
    return True


class ProgressTest(absltest.TestCase):
  def show(self, output):
    now = [100.0]
    shown = progress.Progress(1000, "images", output, lambda: now[0])
    for seconds, done in ((1, 10), (11, 110), (12, 120)):
      now[0] = 100.0 + seconds
      shown.update(done, "version 4")
    now[0] = 200.0
    shown.end(1000, "2 unreadable")
    return output.getvalue()

  def test_log(self):
    self.assertEqual(
      self.show(io.StringIO()),
      "110/1000 images | 10.0/s | ETA 1m29s | version 4\n1000/1000 images | 10.0/s | in 1m40s | 2 unreadable\n",
    )

  def test_terminal(self):
    text = self.show(_Terminal())
    self.assertEqual(text.count("\r"), 4)
    self.assertStartsWith(text, "\r10/1000 images | 10.0/s | ETA 1m39s | version 4\x1b[K\r110/")
    self.assertEndsWith(text, "unreadable\x1b[K\n")

  def test_nothing_done_yet(self):
    output = _Terminal()
    progress.Progress(3, "images", output, iter([0.0, 5.0]).__next__).update(0)
    self.assertIn("0/3 images | 0.0/s | ETA unknown", output.getvalue())


if __name__ == "__main__":
  absltest.main()
