"""Tests of errors of object motion against numbers worked out by hand."""

import numpy as np
from absl.testing import absltest

from tf_taskology.evaluation import object_motion_protocol

_SIZE = (1, 4)  # rows, columns


def _labels():
  """Two frames of four pixels: the first moves by (0, 0, 1) m to the next frame, the last is sky."""
  depth = np.full([1, 2, *_SIZE, 1], 10.0, np.float32)
  depth[..., 3, :] = 0
  there = np.zeros([1, 2, *_SIZE, 3], np.float32)
  there[:, 0, :, 0] = (0, 0, 1)
  back = -there[:, ::-1]
  there[:, 1], back[:, 0] = np.nan, np.nan
  return {"depth": depth, "object_motion": there, "object_motion_back": back}


def _protocol(**kwargs):
  return object_motion_protocol.ObjectMotionProtocol(**kwargs)


class ObjectMotionProtocolTest(absltest.TestCase):
  def test_by_hand(self):
    labels = _labels()
    field = np.zeros([1, 2, *_SIZE, 3], np.float32)
    field[0, 0, 0, 0] = (0, 0, 0.6)  # to the next frame: 0.4 m short
    field[0, 0, 0, 1] = (0.3, 0, 0.4)  # made up, 0.5 m
    field[0, 0, 0, 3] = (9, 9, 9)  # in the sky
    # Back: nothing predicted of (0, 0, -1).
    protocol = _protocol(alignment="none")
    protocol.update(labels, {"motion_field": field})
    result = protocol.result()
    self.assertAlmostEqual(result["moving"], (0.4 + 1.0) / 2)
    self.assertAlmostEqual(result["moving_zero"], 1.0)
    self.assertAlmostEqual(result["background"], 0.5 / 4)
    self.assertAlmostEqual(result["found"], 50.0)
    self.assertAlmostEqual(result["made_up"], 25.0)
    self.assertEqual(list(result), list(protocol.metrics))
    self.assertEqual(protocol.num_images, 2)

  def test_directions_are_kept_apart(self):
    labels = _labels()
    field = np.zeros([1, 2, *_SIZE, 3], np.float32)
    field[0, 0, 0, 0], field[0, 1, 0, 0] = (0, 0, 1), (0, 0, -1)
    protocol = _protocol(alignment="none")
    protocol.update(labels, {"motion_field": field})
    self.assertAlmostEqual(protocol.result()["moving"], 0.0)
    swapped = _protocol(alignment="none")
    swapped.update(labels, {"motion_field": field[:, ::-1]})
    self.assertAlmostEqual(swapped.result()["moving"], 2.0)

  def test_median_alignment(self):
    labels = _labels()
    field = np.zeros([1, 2, *_SIZE, 3], np.float32)
    field[0, 0, 0, 0], field[0, 1, 0, 0] = (0, 0, 0.25), (0, 0, -0.25)
    depth = np.full([1, 2, *_SIZE, 1], 2.5, np.float32)
    depth[..., 3, :] = 100.0  # the sky does not count
    protocol = _protocol()
    self.assertEqual(protocol.outputs, ("motion_field", "depth"))
    protocol.update(labels, {"motion_field": field, "depth": depth})
    self.assertAlmostEqual(protocol.result()["moving"], 0.0)
    self.assertIn("median(true depth)", protocol.description)

  def test_nothing_that_moves_is_not_reported(self):
    labels = _labels()
    for name in ("object_motion", "object_motion_back"):
      labels[name] = np.where(np.isnan(labels[name]), np.nan, 0)
    protocol = _protocol(alignment="none")
    protocol.update(labels, {"motion_field": np.zeros([1, 2, *_SIZE, 3], np.float32)})
    self.assertEqual(list(protocol.result()), ["background", "made_up"])

  def test_errors(self):
    with self.assertRaisesRegex(ValueError, "saw no labelled pixel"):
      _protocol().result()
    with self.assertRaisesRegex(ValueError, "must be .*batch, 2, height.*Received shape"):
      _protocol().update(_labels(), {"motion_field": np.zeros([1, 1, *_SIZE, 3])})
    with self.assertRaisesRegex(ValueError, "min_motion must be above 0"):
      _protocol(min_motion=0)
    with self.assertRaisesRegex(ValueError, "alignment must be 'none' or 'median'.*'scale'"):
      _protocol(alignment="scale")


if __name__ == "__main__":
  absltest.main()
