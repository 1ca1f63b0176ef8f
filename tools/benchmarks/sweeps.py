"""Scans a second that the sweeps world renders, in this process and with one process for each CPU.

python -m tools.benchmarks.sweeps
"""

from absl import app, flags

from tf_taskology.datasets.sweeps import render
from tools.benchmarks import rendering

_EXAMPLES = flags.DEFINE_integer("examples", 48, "Examples of three scans.", lower_bound=16)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  job = render.Job()
  rendering.report("sweeps", render, job, _EXAMPLES.value, "scans/s", rays=job.sensor.rays)


if __name__ == "__main__":
  app.run(main)
