"""Rendering with several processes: failures are reported, nothing is left behind."""

import psutil
from absl.testing import absltest

from tf_taskology.datasets.rendering import workers
from tf_taskology.datasets.rooms import render


class WorkersTest(absltest.TestCase):
  def test_a_worker_that_fails_is_reported(self):
    job = render.Job("sensor", 16, 24)
    with self.assertRaisesRegex(RuntimeError, "ended with code 1 while it rendered nosuch"):
      list(workers.render_split(render, job, "nosuch", 32, num_workers=2))

  def test_stopping_early_ends_the_workers(self):
    job = render.Job("simulated", 16, 24)
    examples = workers.render_split(render, job, "train", 4000, num_workers=2)
    next(examples)
    children = psutil.Process().children()
    self.assertNotEmpty(children)
    examples.close()
    self.assertEmpty(psutil.wait_procs(children, timeout=10)[1])


if __name__ == "__main__":
  absltest.main()
