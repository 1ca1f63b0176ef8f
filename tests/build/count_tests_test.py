"""Tests of the count of test cases that CI prints."""

import pathlib

from absl.testing import absltest, parameterized

from tools.dev import count_tests

_SUITE = """<testsuites><testsuite name="T">
  <testcase name="test_a" status="run"></testcase>
  <testcase name="test_b" status="run"></testcase>
  <testcase name="test_c" status="run"><failure message="no"/></testcase>
  <testcase name="test_d" status="run"><error message="no"/></testcase>
  <testcase name="test_e" status="notrun" result="suppressed"></testcase>
  <testcase name="test_session" status="notrun" result="suppressed"></testcase>
</testsuite></testsuites>"""


def _result(label, status, xml: pathlib.Path | None, **run):
  outputs = [{"name": "test.xml", "uri": xml.as_uri()}] if xml else []
  key = {"testResult": {"label": label, "run": 1, "shard": 1, **run}}
  return {"id": key, "testResult": {"status": status, "testActionOutput": outputs}}


class CountTestsTest(parameterized.TestCase):
  def _xml(self, text):
    return pathlib.Path(self.create_tempfile(content=text).full_path)

  def _counts(self, events):
    counts = count_tests.count_run(events)
    return counts.passed, counts.failed, counts.skipped

  def test_cases_are_counted_without_tensorflows_own(self):
    counts = count_tests.count_cases(_SUITE)
    self.assertEqual((counts.passed, counts.failed, counts.skipped), (2, 2, 1))

  @parameterized.named_parameters(
    ("passing", "", (1, 0, 0)),
    ("failing", '<failure message="no"/>', (0, 1, 0)),
  )
  def test_sub_tests_belong_to_their_case(self, content, expected):
    xml = f"""<testsuite>
      <testcase name="test_a" classname="T" status="run"/>
      <testcase name="test_a [one]" classname="T" status="run"/>
      <testcase name="test_a [two]" classname="T" status="run">{content}</testcase>
    </testsuite>"""
    counts = count_tests.count_cases(xml)
    self.assertEqual((counts.passed, counts.failed, counts.skipped), expected)

  def test_shards_add_up(self):
    xml = self._xml(_SUITE)
    events = [_result("//a:b", "FAILED", xml, shard=shard) for shard in (1, 2)]
    self.assertEqual(self._counts(events), (4, 4, 2))

  def test_last_attempt_counts(self):
    passing = self._xml('<testsuite><testcase name="test_a" status="run"/></testsuite>')
    events = [
      _result("//a:b", "FAILED", self._xml(_SUITE), attempt=1),
      _result("//a:b", "FLAKY", passing, attempt=2),
    ]
    self.assertEqual(self._counts(events), (1, 0, 0))

  @parameterized.named_parameters(
    ("no_xml", None),
    ("half_an_xml", "<testsuites><testsuite"),
    ("nothing_failed_in_it", '<testsuite><testcase name="test_a" status="notrun"/></testsuite>'),
  )
  def test_target_that_died_is_a_failure(self, text):
    xml = self._xml(text) if text else None
    self.assertEqual(self._counts([_result("//a:b", "TIMEOUT", xml)])[:2], (0, 1))

  def test_target_that_was_not_built_is_a_failure(self):
    events = [
      {"id": {"targetCompleted": {"label": "//a:b"}}, "completed": {"success": True}},
      {"id": {"targetCompleted": {"label": "//a:c"}}, "aborted": {"reason": "ANALYSIS_FAILURE"}},
    ]
    self.assertEqual(self._counts(events), (0, 1, 0))


if __name__ == "__main__":
  absltest.main()
