"""Tests of tables: exact text in every format."""

from absl.testing import absltest

from tf_taskology.evaluation import evaluation, protocol, table_formats, tables

_METRICS = {
  "abs_rel": protocol.Metric("abs rel", "", higher_is_better=False),
  "delta_1": protocol.Metric("δ < 1.25", "%", higher_is_better=True),
}


def _evaluation(abs_rel, delta_1, num_images=10, notes=()):
  scores = evaluation.Scores(
    "as it is", _METRICS, {"abs_rel": abs_rel, "delta_1": delta_1}, num_images
  )
  return evaluation.Evaluation("rooms", "test", {"depth": 1}, num_images, {"depth": scores}, notes)


class TablesTest(absltest.TestCase):
  def test_comparison_as_text(self):
    [table] = tables.comparison(
      {"isolated": [_evaluation(0.25, 55.2)], "collective": [_evaluation(0.2, 55.0)]}
    )
    self.assertEqual(
      table_formats.text(table),
      "rooms (test) · depth\n"
      "──────────────  ────────  ──────────  ─────────────────────\n"
      "                isolated  collective             difference\n"
      "──────────────  ────────  ──────────  ─────────────────────\n"
      "abs rel ↓          0.250       0.200  -0.050 (20.0% better)\n"
      "δ < 1.25 (%) ↑      55.2        55.0      -0.2 (0.4% worse)\n"
      "──────────────  ────────  ──────────  ─────────────────────\n"
      "depth: as it is; 10 images.\n"
      "One seed per run: a small difference can be chance.\n"
      "isolated: models at step depth 1.\n"
      "collective: models at step depth 1.\n",
    )

  def test_colors_only_when_asked_for(self):
    [table] = tables.comparison({"a": [_evaluation(0.25, 50)], "b": [_evaluation(0.2, 50)]})
    self.assertNotIn("\033", table_formats.text(table))
    self.assertIn("\033[32m-0.050 (20.0% better)\033[0m", table_formats.text(table, color=True))

  def test_markdown_and_html(self):
    [table] = tables.comparison({"a|b": [_evaluation(0.25, 50)], "<c>": [_evaluation(0.3, 60)]})
    markdown = table_formats.markdown(table)
    self.assertIn("|  | a\\|b | <c> | difference |\n| --- | --: | --: | --: |", markdown)
    self.assertIn("| abs rel ↓ | **0.250** | 0.300 | +0.050 (20.0% worse) |", markdown)
    html = table_formats.as_html(table)
    self.assertIn("<th>&lt;c&gt;</th>", html)
    self.assertIn('<td class="worse">+0.050 (20.0% worse)</td>', html)
    self.assertIn("δ &lt; 1.25 (%) ↑", html)

  def test_seeds(self):
    runs = {
      "isolated": [_evaluation(0.24, 50.0), _evaluation(0.26, 54.0)],
      "collective": [_evaluation(0.25, 60.0), _evaluation(0.23, 64.0)],
    }
    [table] = tables.comparison(runs)
    self.assertEqual(table.header, ("", "isolated (n=2)", "collective (n=2)", "difference"))
    abs_rel, delta = table.rows
    # sd of (0.24, 0.26) with n - 1 is 0.01414; the root of both variances is 0.02 > 0.01.
    self.assertEqual([c.text for c in abs_rel[1:3]], ["0.250 ± 0.014", "0.240 ± 0.014"])
    self.assertEqual(abs_rel[3], tables.Cell("-0.010 (4.0% better, within sd)", "unclear"))
    self.assertEqual(delta[3], tables.Cell("+10.0 (19.2% better)", "better"))
    self.assertIn(
      "± is the standard deviation over seeds; within sd: not larger than both runs' together.",
      table.notes,
    )

  def test_headlines_are_the_first_metric_of_each_direction(self):
    abs_rel, delta = tables.headlines({"a": [_evaluation(0.2, 50)], "b": [_evaluation(0.1, 40)]})
    self.assertEqual(
      (abs_rel.label, abs_rel.run, abs_rel.value), ("depth: abs rel ↓", "b", "0.100")
    )
    self.assertEqual(delta.difference, tables.Cell("-10.0 (20.0% worse)", "worse"))
    self.assertEqual(tables.headlines({"a": [_evaluation(0.2, 50)]})[0].difference.text, "")

  def test_three_runs_are_compared_to_the_first(self):
    runs = {name: [_evaluation(value, 50)] for name, value in [("a", 0.2), ("b", 0.1), ("c", 0.3)]}
    [table] = tables.comparison(runs)
    self.assertEqual(table.header[4:], ("b vs a", "c vs a"))
    self.assertEqual([c.tone for c in table.rows[0][4:]], ["better", "worse"])
    self.assertEqual(table.rows[1][4].text, "about equal")

  def test_what_looks_equal_is_neither_best_nor_better(self):
    [table] = tables.comparison({"a": [_evaluation(0.2, 50)], "b": [_evaluation(0.2001, 50.01)]})
    for row in table.rows:
      self.assertEqual([cell.tone for cell in row], ["", "", "", ""])
      self.assertEqual(row[3].text, "about equal")

  def test_overview_has_runs_as_rows(self):
    runs = {"a": [_evaluation(0.2, 50)], "b": [_evaluation(0.1, 40)]}
    table = tables.overview(runs, {"depth": ["delta_1"]})
    self.assertEqual(table.header, ("run", "seeds", "depth: δ < 1.25 (%) ↑"))
    self.assertEqual(
      table.rows[0], (tables.Cell("a"), tables.Cell("1"), tables.Cell("50.0", "best"))
    )
    with self.assertRaisesRegex(ValueError, "has no metric"):
      tables.overview(runs, {"depth": ["mean"]})

  def test_pairs_are_compared_seed_by_seed(self):
    # Seeds differ by more than runs do, but one run wins in every seed.
    runs = {
      "a": [_evaluation(0.2, 30), _evaluation(0.3, 50), _evaluation(0.2, 70)],
      "b": [_evaluation(0.2, 31), _evaluation(0.2, 52), _evaluation(0.3, 73)],
    }
    table = tables.paired(runs, [("a", "b")])
    self.assertEqual(table.header[:2], ("difference", "seeds"))
    self.assertEqual(
      table.rows,
      (
        (
          tables.Cell("b vs a"),
          tables.Cell("3"),
          tables.Cell("+0.000 ± 0.100 (1 of 3)", "unclear"),
          tables.Cell("+2.0 ± 1.0 (3 of 3)", "better"),
        ),
      ),
    )
    [row] = tables.paired({name: seeds[1:2] for name, seeds in runs.items()}, [("a", "b")]).rows
    self.assertEqual(row[2:], (tables.Cell("-0.100", "better"), tables.Cell("+2.0", "better")))
    runs["c"] = [evaluation.Evaluation("rooms", "test", {"depth": 1}, 10, {}, ())] * 3
    [row] = tables.paired(runs, [("a", "c")]).rows  # it has another task
    self.assertEqual([cell.text for cell in row[2:]], ["n/a", "n/a"])
    with self.assertRaisesRegex(ValueError, "'b' has 2 seeds and 'a' 3"):
      tables.paired({"a": runs["a"], "b": runs["b"][:2]}, [("a", "b")])

  def test_runs_that_were_not_evaluated_alike_are_told(self):
    runs = {
      "a": [_evaluation(0.2, 50)],
      "b": [_evaluation(0.1, 40, num_images=9, notes=["normals: no labels"])],
    }
    [table] = tables.comparison(runs)
    self.assertIn(
      "depth: the runs were not evaluated alike; evaluate them again before comparing.", table.notes
    )
    self.assertIn("b: skipped normals: no labels.", table.notes)

  def test_by_data_set_keeps_runs_apart(self):
    grouped = tables.by_data_set(
      {"a": [[_evaluation(0.2, 50)], [_evaluation(0.3, 50)]], "b": [[_evaluation(0.1, 1)]]}
    )
    self.assertEqual(list(grouped), [("rooms", "test")])
    self.assertEqual([len(seeds) for seeds in grouped["rooms", "test"].values()], [2, 1])


if __name__ == "__main__":
  absltest.main()
