"""Tests of what charts hold, and of how they are drawn."""

from absl.testing import absltest

from tests.evaluation import work_folders
from tf_taskology.evaluation import charts, plots, runs


class ChartsTest(absltest.TestCase):
  def _read(self):
    isolated, collective = (
      self.create_tempdir(name).full_path for name in ("isolated", "collective")
    )
    work_folders.write(isolated, mode="isolated", peers=False)
    work_folders.write(collective)
    return {"isolated": [runs.read(isolated)], "collective": [runs.read(collective)]}

  def test_losses_begin_with_the_total_and_hold_validation(self):
    loss, term = charts.losses(self._read(), "depth")
    self.assertEqual((loss.title, term.title), ("loss", "depth/term"))
    self.assertEqual([(line.name, line.dashed) for line in loss.lines],
                     [("isolated", False), ("collective", False), ("isolated", True), ("collective", True)])  # fmt: skip
    self.assertEqual(loss.lines[1].steps, (20, 40, 60))
    self.assertEqual(loss.lines[1].values[:2], (5.0, 2.5))

  def test_staleness_is_of_runs_with_peers_only(self):
    seconds, steps = charts.staleness(self._read(), "normals")
    self.assertEqual((seconds.unit, steps.unit), ("s", "steps"))
    self.assertEqual(seconds.lines, (charts.Line("collective", (20, 40, 60), (1.5, 1.5, 1.5)),))
    self.assertEqual(steps.lines[0].values, (10, 10, 10))

  def test_waiting_is_in_percent(self):
    speed, waiting = charts.speed(self._read(), "depth")
    self.assertEqual(speed.lines[0].values, (8.0,) * 3)
    self.assertEqual(waiting.lines[0].values, (12.5,) * 3)

  def test_svg_takes_its_ink_from_the_page_and_has_no_links(self):
    lines = (
      charts.Line("a", tuple(range(1000)), (1.0,) * 1000),
      charts.Line("b", (5,), (2.0,), dashed=True),
    )
    text = plots.svg(charts.Chart("loss <x>", "s", lines, smooth=True), ["b", "a"])
    self.assertTrue(text.startswith("<svg"))
    self.assertIn("currentColor", text)
    self.assertIn(plots.COLORS[1], text)  # "a" is the second run
    self.assertIn("loss &lt;x&gt;", text)
    self.assertNotIn("http", text)
    self.assertNotIn("#010203", text)
    self.assertLess(len(text), 60_000)

  def test_png_of_several_charts(self):
    read = self._read()
    data = plots.png(charts.losses(read, "depth"), list(read))
    self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
  absltest.main()
