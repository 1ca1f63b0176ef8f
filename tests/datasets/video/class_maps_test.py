"""Tests of datasets/video/class_maps.py."""

import numpy as np
from absl.testing import absltest

from tf_taskology.datasets.video import class_maps


class ClassMapTest(absltest.TestCase):
  def test_maps(self):
    mapped = class_maps.ClassMap({0: "sky", 4: "car", 5: None}).apply(
      np.array([[4, 0], [5, 4]]), ""
    )
    np.testing.assert_array_equal(mapped, [[13, 10], [255, 13]])
    self.assertEqual(mapped.dtype, np.uint8)

  def test_numbers_outside_are_named(self):
    with self.assertRaisesRegex(ValueError, r"'a.png'.*\[3, 200\].*Known are: 0-1, 4\."):
      class_maps.ClassMap({0: "sky", 1: "car", 4: None}).apply(np.array([0, 3, 200, 4]), "a.png")

  def test_unknown_names_are_refused(self):
    with self.assertRaisesRegex(ValueError, r"\['carr'\] are no road classes"):
      class_maps.ClassMap({0: "carr"})


if __name__ == "__main__":
  absltest.main()
