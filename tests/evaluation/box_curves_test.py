"""Tests of evaluation/box_curves.py."""

import dataclasses

from absl.testing import absltest

from tests.evaluation import sweep_samples
from tf_taskology.evaluation import box_curves


class BoxCurvesTest(absltest.TestCase):
  def test_charts(self):
    found = sweep_samples.evaluations()
    (chart,) = box_curves.charts(found)
    self.assertEqual(chart.title, "detection: 3D")
    self.assertEqual(list(chart.lines), ["isolated", "together"])
    svg = box_curves.svg(chart, list(found))
    self.assertIn("together: AP 80.0", svg)
    self.assertIn("recall (%)", svg)
    self.assertStartsWith(svg, "<svg")
    self.assertStartsWith(box_curves.png([chart, chart], list(found)), b"\x89PNG")

  def test_a_run_without_curves(self):
    found = sweep_samples.evaluations()
    found["isolated"] = dataclasses.replace(found["isolated"], curves=())
    (chart,) = box_curves.charts(found)
    self.assertEqual(list(chart.lines), ["together"])


if __name__ == "__main__":
  absltest.main()
