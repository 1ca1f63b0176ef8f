"""Renders a split with several processes, in order.

The processes are programs of their own, not forks: the caller usually runs TensorFlow, whose
threads a fork would break, and multiprocessing's spawn would import the caller's main program.
"""

# bazel: deps=:worker

import os
import pickle
import subprocess
import sys
import types
from collections.abc import Iterator

_CHUNK = 8  # examples for each message: large enough to hide the pipe, small enough for progress
_MODULE = "tf_taskology.datasets.rendering.worker"


def _start(renderer: types.ModuleType, job, split: str, count: int, worker: int, workers: int):
  environment = dict(os.environ)
  environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(p) for p in sys.path)
  # One process a core: threads inside of them would only compete.
  environment.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
  process = subprocess.Popen(
    [sys.executable, "-m", _MODULE],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    env=environment,
  )
  request = (renderer.__name__, job, split, count, worker, workers, _CHUNK)
  pickle.dump(request, process.stdin)
  process.stdin.close()
  return process


def render_split(
  renderer: types.ModuleType, job, split: str, count: int, num_workers: int = 0
) -> Iterator[dict]:
  """Yields the examples 0..count-1 of a split, the same whatever the number of workers.

  Args:
    renderer: a world's module with `render(job, split, index)`, which gives one example.
    job: the data set; can be pickled.
    split: one of the renderer's SPLITS.
    count: number of examples.
    num_workers: processes; 0 means one for each CPU, 1 renders in this process.

  Raises:
    RuntimeError: a worker ended before its share was done; its own message is on standard error.
  """
  workers = min(num_workers or os.cpu_count() or 1, max(1, count // _CHUNK))
  if workers == 1:
    for index in range(count):
      yield renderer.render(job, split, index)
    return
  processes = [_start(renderer, job, split, count, worker, workers) for worker in range(workers)]
  try:
    for number in range(-(-count // _CHUNK)):
      process = processes[number % workers]
      try:
        examples = pickle.load(process.stdout)
      except (EOFError, pickle.UnpicklingError) as error:
        raise RuntimeError(
          f"worker {number % workers} of {workers} ended with code {process.wait()} while it "
          f"rendered {split} examples from {number * _CHUNK}; see its message above"
        ) from error
      yield from examples
  finally:
    for process in processes:
      process.stdout.close()
      process.kill()
      process.wait()
