"""Tests of the report, from evaluated models to the page."""

import pathlib
import re

import tensorflow as tf
from absl.testing import flagsaver

from tests.evaluation import paper_walls, work_folders
from tf_taskology import report as program
from tf_taskology.evaluation import (
  depth_protocol,
  evaluator,
  gallery,
  normals_protocol,
  report,
  runs,
  spec,
)


class ReportTest(tf.test.TestCase):
  def _run(self, name, depth_factor, degrees, **kwargs):
    work_dir = self.create_tempdir(name).full_path
    work_folders.write(work_dir, **kwargs)
    paper_walls.publish(work_dir, depth_factor, degrees, step=60)
    protocols = [depth_protocol.DepthProtocol(), normals_protocol.NormalsProtocol()]
    evaluator.evaluate_run(
      work_dir,
      [spec.EvaluationSpec("walls", paper_walls.source(3), protocols=protocols)],
      num_pictures=2,
    )
    return work_dir

  def _write(self, work_dirs, **kwargs):
    path = pathlib.Path(self.create_tempdir().full_path, "deep", "report.html")
    report.write_report(path, work_dirs, **kwargs)
    self.assertEqual([p.name for p in path.parent.iterdir()], ["report.html"])
    return path.read_text()

  def test_two_runs_beside_each_other(self):
    isolated = self._run(
      "isolated", 1.2, 20.0, mode="isolated", peers=False, consistency_weight=0.0
    )
    collective = self._run("collective", 1.1, 15.0)
    pictures_dir = pathlib.Path(self.create_tempdir().full_path, "pictures")
    page = self._write(
      {"isolated": isolated, "collective": collective},
      title="Walls & doors",
      pictures_dir=pictures_dir,
    )
    self.assertIn("<h1>Walls &amp; doors</h1>", page)
    self.assertIn("walls (test) · normals", page)
    self.assertIn('<td class="better">-0.100 (50.0% better)</td>', page)
    self.assertIn('<td class="better">-5.00 (25.0% better)</td>', page)
    # 2 samples of (4 pictures and 3 legends) + 2 runs x 6 pictures.
    self.assertEqual(page.count("data:image/png;base64,"), 2 * (7 + 2 * 6))
    self.assertIn("abs rel 0.100", page)
    self.assertIn("mean 15.0°", page)
    self.assertIn("1.5 s, 10 steps", page)
    self.assertIn("age of answers from normals", page)
    self.assertIn("collective: what differs from isolated", page)
    self.assertIn(
      "-CONSISTENCY_WEIGHT = 0.0  # &lt;weight&gt;\n+CONSISTENCY_WEIGHT = 0.5  # &lt;weight&gt;",
      page,
    )
    names = sorted(p.name for p in pictures_dir.iterdir())
    self.assertIn("walls-test-1.png", names)
    self.assertIn("depth-staleness.png", names)

  def test_page_is_self_contained(self):
    page = self._write({"run": self._run("run", 1.0, 0.0)})
    self.assertNotRegex(page, "https?://")
    self.assertNotRegex(page, r"<(script|link|iframe)\b")
    self.assertEmpty(
      [u for u in re.findall(r'(?:src|href)="([^"]*)"', page) if not re.match("data:|#", u)]
    )
    self.assertIn("prefers-color-scheme: dark", page)
    self.assertNotIn(str(pathlib.Path(self.create_tempdir().full_path).parent), page)

  def test_seeds_of_one_setting(self):
    seeds = [self._run(f"seed{i}", 1.0 + 0.1 * i, 0.0) for i in range(2)]
    page = self._write({"collective": seeds})
    self.assertIn("collective (n=2)", page)
    self.assertIn("0.050 ± 0.071", page)
    self.assertIn("collective (seed1): depth", page)

  def test_run_before_its_first_report(self):
    work_dir = self.create_tempdir().full_path
    page = self._write({"new": work_dir})
    self.assertIn("Modules: none yet.", page)
    for section in ("Results", "Pictures", "Training", "Curves", "Staleness", "Configuration"):
      self.assertNotIn(f"<h2>{section}", page)

  def test_gallery_shows_samples_that_all_runs_kept(self):
    first = runs.read(self._run("first", 1.0, 0.0)).evaluations[0]
    second = runs.read(self._run("second", 1.0, 0.0)).evaluations[0]
    object.__setattr__(second, "samples", second.samples[1:])
    shown = gallery.galleries({"first": first, "second": second})
    self.assertEqual([g.sample_id for g in shown], ["wall-2"])
    self.assertEqual([row[0].caption for row in shown[0].rows], ["wall-2", "first", "second"])

  def test_errors(self):
    with self.assertRaisesRegex(ValueError, "one run or more"):
      report.write_report("report.html", {})
    with self.assertRaisesRegex(ValueError, "does not exist"):
      report.write_report("report.html", {"a": "/nowhere/at/all"})

  def test_program(self):
    work_dir = self._run("run", 1.0, 0.0)
    output = pathlib.Path(self.create_tempdir().full_path, "page.html")
    with flagsaver.flagsaver(
      run=[f"mine={work_dir}"], output=str(output), title="Mine", pictures_dir=None
    ):
      program.main(["report"])
    self.assertIn("mine: models at step depth 60, normals 60.", output.read_text())
    with (
      flagsaver.flagsaver(run=["mine=/nowhere/at/all"]),
      self.assertRaisesRegex(SystemExit, "Cannot write the report"),
    ):
      program.main(["report"])


if __name__ == "__main__":
  tf.test.main()
