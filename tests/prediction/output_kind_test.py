"""Tests of prediction/output_kind.py."""

import numpy as np
from absl.testing import absltest, parameterized

from tf_taskology.evaluation import pictures
from tf_taskology.prediction import model, output_kind

_KIND = output_kind.Kind


class OutputKindTest(parameterized.TestCase):
  @parameterized.parameters(
    ("depth", "float32", (-1, -1, -1, 1), _KIND.DEPTH),
    ("inverse_depth_0", "float16", (-1, 24, 32, 1), _KIND.DEPTH),
    ("depth", "float32", (-1, 24, 32), _KIND.DEPTH),
    ("normals", "float32", (-1, -1, -1, 3), _KIND.NORMALS),
    ("disparity", "float32", (-1, -1, -1, 1), _KIND.SCALAR),
    ("motion", "float32", (-1, -1, -1, 3), _KIND.ARRAY),
    ("logits", "float32", (-1, -1, -1, 19), _KIND.ARRAY),
    ("segmentation", "float16", (-1, -1, -1, 19), _KIND.SEGMENTATION),
    ("motion_field", "float32", (-1, -1, -1, 3), _KIND.MOTION),
    ("rotation", "float32", (-1, 1, 1, 3), _KIND.VECTOR),
    ("translation", "float32", (-1, -1, -1, 3), _KIND.VECTOR),
    ("exposure", "float32", (-1, 1, 1, 1), _KIND.VECTOR),
    ("classes", "uint8", (-1, -1, -1, 1), _KIND.ARRAY),
    ("depth", "float32", None, _KIND.ARRAY),
    ("step", "int64", (-1,), _KIND.STAMP),
    ("published_at", "float64", (-1,), _KIND.STAMP),
  )
  def test_kinds(self, name, dtype, shape, kind):
    self.assertEqual(output_kind.kinds({name: model.Tensor(dtype, shape)}), {name: kind})

  def test_depth_with_a_scale(self):
    depth = np.linspace(1, 5, 24 * 32, dtype=np.float16).reshape(24, 32, 1)
    limits = output_kind.Range(1.0, 5.0)
    picture = output_kind.draw(_KIND.DEPTH, depth, limits)
    np.testing.assert_array_equal(picture[:24], pictures.colorize_depth(depth, 1.0, 5.0))
    self.assertGreater(picture.shape[0], 40)
    bar = picture[24 + 5]
    np.testing.assert_array_equal(bar[0], picture[0, 0])  # the scale begins with the nearest
    np.testing.assert_array_equal(bar[-1], picture[23, -1])
    flat = output_kind.draw(_KIND.DEPTH, depth[..., 0], limits)
    np.testing.assert_array_equal(flat, picture)

  def test_own_range_leaves_out_extremes(self):
    depth = np.full([20, 20, 1], 2.0, np.float32)
    depth[0, 0], depth[0, 1], depth[1:] = 1e6, np.nan, np.linspace(1, 3, 20)[:, np.newaxis]
    picture = output_kind.draw(_KIND.DEPTH, depth)
    np.testing.assert_array_equal(picture[0, 1], [128, 128, 128])
    self.assertGreater(len(np.unique(picture[5], axis=0)), 15)

  def test_normals(self):
    normals = np.zeros([2, 3, 3], np.float32)
    normals[..., 2] = -1
    np.testing.assert_array_equal(
      output_kind.draw(_KIND.NORMALS, normals), np.full([2, 3, 3], (128, 128, 255))
    )

  def test_any_scalar(self):
    values = np.linspace(-3, 3, 400, dtype=np.float32).reshape(20, 20, 1)
    picture = output_kind.draw(_KIND.SCALAR, values)
    self.assertGreater(int(picture[0, 0, 0]), int(picture[0, 0, 2]))  # low is red
    self.assertGreater(int(picture[19, 19, 2]), int(picture[19, 19, 0]))
    self.assertFalse(np.all(picture[:20] == 128, axis=-1).any())  # nothing is "missing"
    output_kind.draw(_KIND.SCALAR, np.full([4, 4, 1], np.nan))

  def test_segmentation(self):
    logits = np.zeros([2, 3, 19], np.float32)
    logits[0, :, 13], logits[1, :, 0] = 1, 1
    np.testing.assert_array_equal(
      output_kind.classes(logits)[..., 0], np.array([[13] * 3, [0] * 3])
    )
    picture = output_kind.draw(_KIND.SEGMENTATION, logits)
    np.testing.assert_array_equal(picture[:, 0], [[0, 0, 142], [128, 64, 128]])

  def test_motion(self):
    field = np.zeros([4, 4, 3], np.float16)
    field[0, 0] = (0, 0, 1)  # ahead: red
    picture = output_kind.draw(_KIND.MOTION, field)
    self.assertEqual(picture[0, 0, 0], 255)
    np.testing.assert_array_equal(picture[1:], np.zeros([3, 4, 3]))

  def test_no_picture(self):
    self.assertIsNone(output_kind.draw(_KIND.VECTOR, np.zeros([1, 1, 3])))
    self.assertIsNone(output_kind.draw(_KIND.ARRAY, np.zeros([2, 2, 5])))
    self.assertIsNone(output_kind.draw(_KIND.STAMP, np.zeros([])))


if __name__ == "__main__":
  absltest.main()
