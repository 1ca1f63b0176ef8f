"""Frames a second that the streets world renders, in this process and with one process for each CPU.

python -m tools.benchmarks.streets
"""

from absl import app, flags

from tf_taskology.datasets.streets import render
from tools.benchmarks import rendering

_EXAMPLES = flags.DEFINE_integer("examples", 48, "Examples of three frames.", lower_bound=16)
_HEIGHT = flags.DEFINE_integer("height", 64, "Rows of a frame.", lower_bound=16)
_WIDTH = flags.DEFINE_integer("width", 192, "Columns of a frame.", lower_bound=16)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  job = render.Job("street", _HEIGHT.value, _WIDTH.value, frames=3, seed=0)
  size = f"{job.height}x{job.width}"
  rendering.report("streets", render, job, _EXAMPLES.value, "frames/s", size=size)


if __name__ == "__main__":
  app.run(main)
