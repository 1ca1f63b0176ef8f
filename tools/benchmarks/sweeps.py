"""Scans a second that the sweeps world renders, in this process and with one process for each CPU.

python -m tools.benchmarks.sweeps
"""

import json
import time

from absl import app, flags

from tf_taskology.datasets.rendering import workers
from tf_taskology.datasets.sweeps import render

_EXAMPLES = flags.DEFINE_integer("examples", 48, "Examples of three scans.", lower_bound=16)


def _rate(job: render.Job, num_workers: int) -> float:
  started = time.perf_counter()
  count = sum(1 for _ in workers.render_split(render, job, "train", _EXAMPLES.value, num_workers))
  return count * job.frames / (time.perf_counter() - started)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  job = render.Job()
  alone, together = _rate(job, 1), _rate(job, 0)
  print(f"{job.sensor.rays} rays a scan: {alone:.1f} scans/s alone, {together:.1f} with all CPUs")
  result = {
    "benchmark": "sweeps",
    "value": round(together, 1),
    "unit": "scans/s",
    "one_process": round(alone, 1),
    "rays": job.sensor.rays,
  }
  print(json.dumps(result))


if __name__ == "__main__":
  app.run(main)
