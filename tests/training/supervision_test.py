"""Restarts, back-off and giving up, on a clock that the test turns."""

import signal

from absl.testing import absltest, parameterized

from tf_taskology.training import child, supervision

_SPEC = child.Spec("depth trainer", "/nowhere/log", module="json")


class FakeProcess:
  """A process that ends when the test says so. Its id is above what Linux gives out."""

  def __init__(self, pid):
    self.pid, self.returncode = pid, None

  def poll(self):
    return self.returncode


class FakeStarter:
  def __init__(self):
    self.is_ready, self.is_dead, self.processes = True, False, []

  def ready(self):
    return self.is_ready

  def start(self, spec):
    if self.is_dead:
      raise ConnectionError
    self.processes.append(FakeProcess(2**30 + len(self.processes)))
    return self.processes[-1]


class SupervisorTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.reports, self.progress, self.is_done = [], 0.0, True
    self.starter = FakeStarter()
    limits = supervision.Limits(restarts_per_minute=3, backoff_secs=1.0, max_backoff_secs=3.0)
    self.supervisor = supervision.Supervisor(self.reports.append, limits)
    self.child = supervision.Child(
      name="depth trainer",
      starter=self.starter,
      prepare=lambda now: _SPEC,
      progress=lambda: self.progress,
      explain=lambda code: f"why {code}",
      is_done=lambda: self.is_done,
    )
    self.supervisor.children.append(self.child)
    self.signals = []
    self.enter_context(
      absltest.mock.patch.object(
        supervision.os, "kill", lambda pid, number: self.signals.append(number)
      )
    )

  def die(self, exit_code, now):
    self.starter.processes[-1].returncode = exit_code
    self.supervisor.poll(now)

  def test_exit_code_0_with_the_work_done_is_done(self):
    self.supervisor.poll(0)
    self.die(0, 1)
    self.assertEqual((self.child.state, self.child.restarts), (supervision.State.DONE, 0))

  def test_exit_code_0_with_work_left_is_a_death(self):
    self.is_done = False
    self.supervisor.poll(0)
    self.die(0, 1)
    self.assertEqual(self.child.state, supervision.State.PENDING)

  @parameterized.parameters(2, 3)
  def test_exit_codes_that_end_it_for_good(self, exit_code):
    self.supervisor.poll(0)
    self.die(exit_code, 1)
    self.assertEqual(self.child.state, supervision.State.FAILED)
    self.assertEqual(self.child.message, f"why {exit_code}")

  def test_backoff_doubles_up_to_the_limit_then_it_gives_up(self):
    now = 0.0
    for pause in (1.0, 2.0, 3.0):
      self.supervisor.poll(now)
      self.die(-9, now)
      self.assertEqual(self.child.start_at, now + pause)
      self.supervisor.poll(now + pause - 0.01)
      self.assertEqual(self.child.state, supervision.State.PENDING)
      now += pause
    self.supervisor.poll(now)
    self.die(-9, now)
    self.assertEqual(self.child.state, supervision.State.FAILED)
    self.assertIn("died of signal 9 (SIGKILL) after 3 restarts. why -9", self.child.message)
    self.assertIn(
      f"depth trainer (pid {2**30}) died of signal 9 (SIGKILL); restart 1 in 1 s", self.reports
    )

  def test_old_deaths_are_forgotten_if_there_was_progress(self):
    for i in range(20):
      self.progress += 1
      self.supervisor.poll(100.0 * i)
      self.die(1, 100.0 * i + 50)
      self.assertEqual(self.child.start_at, 100.0 * i + 51)
    self.assertEqual(self.child.restarts, 20)

  def test_old_deaths_count_if_there_was_no_progress(self):
    for i in range(4):
      self.supervisor.poll(100.0 * i)
      self.die(1, 100.0 * i + 50)
    self.assertEqual(self.child.state, supervision.State.FAILED)

  def test_starts_when_the_starter_is_ready(self):
    self.starter.is_ready = False
    self.supervisor.poll(0)
    self.assertEqual(self.child.state, supervision.State.PENDING)
    self.starter.is_ready, self.starter.is_dead = True, True
    self.supervisor.poll(1)
    self.assertEqual(self.child.state, supervision.State.PENDING)
    self.starter.is_dead = False
    self.supervisor.poll(2)
    self.assertEqual(self.child.state, supervision.State.RUNNING)

  def test_end_asks_once_then_kills(self):
    self.supervisor.poll(0)
    for now in (10, 11):
      self.supervisor.end([self.child], now, limit_secs=5)
    self.assertEqual(self.signals, [signal.SIGTERM])
    with absltest.mock.patch.object(supervision.os, "killpg") as kill_group:
      self.supervisor.poll(14.9)
      kill_group.assert_not_called()
      self.supervisor.poll(15)
      kill_group.assert_called_once_with(2**30, signal.SIGKILL)
      self.die(-9, 16)
    self.assertEqual(self.child.state, supervision.State.ENDED)

  def test_what_waits_for_its_restart_ends_at_once(self):
    self.supervisor.poll(0)
    self.die(1, 0)
    self.supervisor.end([self.child], 0.1, 5)
    self.supervisor.poll(10)
    self.assertEqual(self.child.state, supervision.State.ENDED)
    self.assertLen(self.starter.processes, 1)

  def test_restart_in_order_is_no_death(self):
    self.supervisor.poll(0)
    self.supervisor.restart(self.child, 1, limit_secs=5)
    self.assertEqual(self.signals, [signal.SIGTERM])
    self.is_done = False
    self.die(0, 2)
    self.assertEqual((self.child.state, self.child.restarts), (supervision.State.RUNNING, 0))
    self.assertLen(self.starter.processes, 2)

  @parameterized.parameters(
    (-9, "signal 9 (SIGKILL)"), (-11, "signal 11 (SIGSEGV)"), (1, "exit code 1"),
    (-1000, "signal 1000"),
  )  # fmt: skip
  def test_describe_exit(self, code, text):
    self.assertEqual(supervision.describe_exit(code), text)


if __name__ == "__main__":
  absltest.main()
