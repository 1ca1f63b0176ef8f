import threading
import time

from absl.testing import absltest

from serving import batch_queue, batching_config, errors


class _Recorder:
  """Runs batches: notes their sizes, and holds them back until told to go on."""

  def __init__(self):
    self.sizes = []
    self.go_on = threading.Event()
    self.go_on.set()
    self.begun = threading.Semaphore(0)

  def __call__(self, tasks):
    self.sizes.append([task.size for task in tasks])
    self.begun.release()
    self.go_on.wait(30)
    for task in tasks:
      task.outcome = f"done {task.payload}"


def _queue(recorder, threads=1, **parameters):
  made = batching_config.Parameters(num_batch_threads=threads, **parameters)
  return batch_queue.Queue(batch_queue.Scheduler(threads), made, recorder)


class _Client(threading.Thread):
  """One request in a thread of its own, which has been put into the queue when this returns."""

  def __init__(self, queue, *sizes, timeout=None):
    super().__init__()
    self.tasks = [batch_queue.Task(size, number) for number, size in enumerate(sizes)]
    self.error = None
    self._queue, self._timeout = queue, timeout
    self.start()
    while not self.tasks[-1].queued_at and self.is_alive():
      time.sleep(0.001)
    time.sleep(0.02)

  def run(self):
    try:
      self._queue.run(self.tasks, self._timeout)
    except errors.StatusError as error:
      self.error = error

  def outcomes(self):
    self.join(30)
    return [task.outcome for task in self.tasks]


class BatchQueueTest(absltest.TestCase):
  def test_lone_request_is_run_at_once_in_its_own_thread(self):
    threads = []
    queue = _queue(
      lambda tasks: threads.append(threading.current_thread()),
      batch_timeout_micros=60_000_000,
    )
    begin = time.monotonic()
    for _ in range(5):
      queue.run([batch_queue.Task(1, None)], None)
    self.assertLess(time.monotonic() - begin, 5.0)
    self.assertEqual(threads, [threading.current_thread()] * 5)

  def test_requests_that_come_meanwhile_are_run_together(self):
    recorder = _Recorder()
    queue = _queue(recorder)
    recorder.go_on.clear()
    clients = [_Client(queue, 1) for _ in range(4)]
    recorder.go_on.set()
    for client in clients:
      self.assertEqual(client.outcomes(), ["done 0"])
    self.assertEqual(recorder.sizes, [[1], [1, 1, 1]])

  def test_batches_are_no_larger_than_allowed(self):
    recorder = _Recorder()
    queue = _queue(recorder, max_batch_size=4)
    recorder.go_on.clear()
    clients = [_Client(queue, size) for size in (1, 2, 2, 1, 4)]
    recorder.go_on.set()
    for client in clients:
      client.outcomes()
    self.assertEqual(recorder.sizes, [[1], [2, 2], [1], [4]])

  def test_several_threads_run_batches_at_the_same_time(self):
    recorder = _Recorder()
    queue = _queue(recorder, threads=2)
    recorder.go_on.clear()
    clients = [_Client(queue, 1) for _ in range(3)]
    self.assertEqual(recorder.sizes, [[1], [1]])
    recorder.go_on.set()
    for client in clients:
      client.outcomes()
    self.assertEqual(recorder.sizes, [[1], [1], [1]])

  def test_waits_for_as_many_as_were_seen(self):
    recorder = _Recorder()
    queue = _queue(recorder, threads=2, batch_timeout_micros=30_000_000)
    recorder.go_on.clear()
    first = _Client(queue, 1)
    second = _Client(queue, 1)  # another one is under way: there may be more
    self.assertEqual(recorder.sizes, [[1]])
    third = _Client(queue, 1)
    self.assertEqual(recorder.sizes, [[1]])
    recorder.go_on.set()
    first.outcomes()
    fourth = _Client(queue, 1)  # now all three that were seen at once wait
    for client in (second, third, fourth):
      self.assertEqual(client.outcomes(), ["done 0"])
    self.assertEqual(recorder.sizes, [[1], [1, 1, 1]])

  def test_timeout_ends_the_wait_and_with_it_the_hope_for_others(self):
    recorder = _Recorder()
    queue = _queue(recorder, threads=2, batch_timeout_micros=100_000)
    recorder.go_on.clear()
    first = _Client(queue, 1)
    second = _Client(queue, 1)
    recorder.go_on.set()
    first.outcomes()
    second.outcomes()
    self.assertEqual(recorder.sizes, [[1], [1]])
    begin = time.monotonic()
    _Client(queue, 1).outcomes()
    self.assertLess(time.monotonic() - begin, 0.09)

  def test_full_queue(self):
    recorder = _Recorder()
    queue = _queue(recorder, max_batch_size=2, max_enqueued_batches=1)
    recorder.go_on.clear()
    clients = [_Client(queue, 1) for _ in range(3)]
    refused = _Client(queue, 1)
    refused.join(30)
    self.assertEqual(
      (refused.error.code, refused.error.message),
      (
        "UNAVAILABLE",
        "The batch scheduling queue to which this task was submitted is full; currently 1 batches "
        "enqueued and max_enqueued_batches is 1",
      ),
    )
    recorder.go_on.set()
    for client in clients:
      self.assertEqual(client.outcomes(), ["done 0"])

  def test_too_late(self):
    recorder = _Recorder()
    queue = _queue(recorder)
    recorder.go_on.clear()
    first = _Client(queue, 1)
    late = _Client(queue, 1, timeout=0.05)
    error = late.outcomes()[0]
    self.assertEqual(
      (error.code, error.message),
      ("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue"),
    )
    recorder.go_on.set()
    self.assertEqual(first.outcomes(), ["done 0"])
    self.assertEqual(recorder.sizes, [[1]])
    self.assertEqual(_Client(queue, 1).outcomes(), ["done 0"])

  def test_next_request_keeps_the_time_when_the_first_is_too_late(self):
    recorder = _Recorder()
    queue = _queue(recorder, threads=2, batch_timeout_micros=300_000)
    recorder.go_on.clear()
    first = _Client(queue, 1)
    late, other = _Client(queue, 1, timeout=0.1), _Client(queue, 1)
    self.assertIsInstance(late.outcomes()[0], errors.StatusError)
    recorder.begun.acquire()
    self.assertTrue(recorder.begun.acquire(timeout=10))
    recorder.go_on.set()
    self.assertEqual(first.outcomes() + other.outcomes(), ["done 0"] * 2)

  def test_parts_of_a_large_request(self):
    recorder = _Recorder()
    queue = _queue(
      recorder, max_batch_size=10, max_execution_batch_size=2, enable_large_batch_splitting=True
    )
    recorder.go_on.clear()
    first = _Client(queue, 1)
    large = _Client(queue, 2, 2, 1)
    small = _Client(queue, 1)
    recorder.go_on.set()
    self.assertEqual(first.outcomes(), ["done 0"])
    self.assertEqual(large.outcomes(), ["done 0", "done 1", "done 2"])
    self.assertEqual(small.outcomes(), ["done 0"])
    self.assertEqual(recorder.sizes, [[1], [2], [2], [1, 1]])

  def test_error_of_a_batch_reaches_all_and_frees_the_place(self):
    def fail(tasks):
      raise RuntimeError(f"{len(tasks)} tasks")

    queue = _queue(fail)
    for _ in range(3):
      task = batch_queue.Task(1, None)
      with self.assertRaisesRegex(RuntimeError, "1 tasks"):
        queue.run([task], None)

  def test_many_clients(self):
    recorder = _Recorder()
    queue = _queue(recorder, threads=2, max_batch_size=3, batch_timeout_micros=1000)
    failures = []

    def work():
      for number in range(100):
        task = batch_queue.Task(1, number)
        queue.run([task], 20.0)
        if task.outcome != f"done {number}":
          failures.append(task.outcome)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join(60)
      self.assertFalse(thread.is_alive())
    self.assertEmpty(failures)
    self.assertEqual(sum(map(sum, recorder.sizes)), 800)


if __name__ == "__main__":
  absltest.main()
