"""Tests of evaluation/box_report.py and of the page that it is part of."""

import dataclasses
import pathlib

from absl.testing import absltest

from tests.evaluation import sweep_samples
from tf_taskology.evaluation import box_report, evaluation, report


class BoxReportTest(absltest.TestCase):
  def test_sections(self):
    found = sweep_samples.evaluations()
    text = box_report.sweeps([found])
    self.assertIn("<h2>Sweeps</h2>", text)
    self.assertIn("drives (test)", text)
    self.assertEqual(text.count("<img"), 6)
    self.assertIn("1 found, 1 missed, 1 wrong", text)
    self.assertNotIn("http", text)
    self.assertIn("Precision and recall", box_report.curves([found], list(found)))

  def test_nothing_to_show(self):
    found = {
      name: dataclasses.replace(e, sweeps=(), curves=())
      for name, e in sweep_samples.evaluations().items()
    }
    self.assertEqual(box_report.sweeps([found]), "")
    self.assertEqual(box_report.curves([found], list(found)), "")

  def test_the_report_shows_them(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    for name, found in sweep_samples.evaluations().items():
      (folder / name).mkdir()
      evaluation.write(folder / name, [found])
    runs = {name: folder / name for name in ("isolated", "together")}
    report.write_report(folder / "report.html", runs, pictures_dir=folder / "pictures")
    text = (folder / "report.html").read_text()
    self.assertLess(text.index("<h2>Sweeps</h2>"), text.index("<h2>Precision and recall</h2>"))
    names = sorted(path.name for path in (folder / "pictures").iterdir())
    self.assertEqual(names, ["drives-test-curves.png", "drives-test-sweep-0.png"])


if __name__ == "__main__":
  absltest.main()
