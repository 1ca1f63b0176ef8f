import time
from unittest import mock

from absl.testing import absltest

from serving import errors, load_failures

_ERROR = errors.StatusError("NOT_FOUND", "nothing there")


class LoadFailuresTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.now = 100.0
    self.enterContext(mock.patch.object(time, "monotonic", lambda: self.now))
    self.failures = load_failures.LoadFailures(
      load_failures.Following(max_retries=2, longest_wait=3.0)
    )

  def test_waits_double_then_grow_to_ten_times_the_limit_and_never_end(self):
    waits = [self.failures.note(1, _ERROR, ("files",))[0].wait for _ in range(8)]
    self.assertEqual(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0])

  def test_version_counts_as_failed_after_its_retries(self):
    given_up = []
    for _ in range(4):
      self.failures.note(1, _ERROR, ("files",))
      given_up.append(self.failures.are_given_up([1]))
    self.assertEqual(given_up, [False, False, True, True])
    self.assertFalse(self.failures.are_given_up([1, 2]))

  def test_is_due_after_the_wait_or_when_files_change(self):
    self.assertTrue(self.failures.is_due(1, ("files",)))
    self.failures.note(1, _ERROR, ("files",))
    self.assertFalse(self.failures.is_due(1, ("files",)))
    self.assertTrue(self.failures.is_due(1, ("other files",)))
    self.assertEqual(self.failures.seconds_to_next(), 1.0)
    self.now += 1.0
    self.assertTrue(self.failures.is_due(1, ("files",)))

  def test_changed_files_begin_anew(self):
    for _ in range(3):
      self.failures.note(1, _ERROR, ("files",))
    failure, is_news = self.failures.note(1, _ERROR, ("other files",))
    self.assertEqual((failure.attempts, failure.wait), (1, 1.0))
    self.assertTrue(is_news)

  def test_same_failure_again_is_no_news(self):
    news = [self.failures.note(1, _ERROR, ("files",))[1] for _ in range(4)]
    self.assertEqual(news, [True, False, True, False])

  def test_forgotten_version_is_tried_at_once(self):
    self.failures.note(1, _ERROR, ("files",))
    self.failures.forget(1)
    self.assertNotIn(1, self.failures)
    self.assertIsNone(self.failures.seconds_to_next())


if __name__ == "__main__":
  absltest.main()
