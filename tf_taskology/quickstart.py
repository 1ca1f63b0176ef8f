"""The main job on a small scale, in minutes: do depth and surface normals that hold each other to the truth beat the same two networks trained alone?

  ./bazelw run //tf_taskology:quickstart

Renders a small world, trains the isolated pair and, from the same start and for the same number of steps, the
collective (two trainers, two model servers), compares them on images of the domain that had no labels, and writes a
report. A second call goes on where the first ended; --work_dir starts elsewhere.
"""
# bazel: deps=:train //serving:model_server //gin:experiments

import os
import sys
import time

from absl import app, flags

from tf_taskology.training import comparison, program, startup

_WORK_DIR = flags.DEFINE_string(
  "work_dir",
  None,
  "Folder of the runs and the report. Default: taskology_runs/quickstart where you are.",
)
_GIN_FILE = flags.DEFINE_string("gin_file", "gin/rooms/quickstart.gin", "The experiment.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of initial weights and data order.", lower_bound=0)
_START_STEPS = flags.DEFINE_integer(
  "start_steps", 1200, "Steps that both train alone, without consistency.", lower_bound=1
)
_STEPS = flags.DEFINE_integer("steps", 2000, "Step at which training ends.", lower_bound=2)
_REPORT_SECS = flags.DEFINE_float(
  "report_secs", 10.0, "Seconds between progress lines when there is no terminal."
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  started = time.monotonic()
  work_dir = os.path.abspath(_WORK_DIR.value or os.path.join("taskology_runs", "quickstart"))
  decay = f"DECAY_STEPS = {_STEPS.value}"
  start = comparison.Arm("start", "isolated", (decay, f"STEPS = {_START_STEPS.value}"))
  steps = (decay, f"STEPS = {_STEPS.value}", f"RAMP_BEGIN = {_START_STEPS.value}")
  arms = [
    comparison.Arm("isolated", "isolated", steps, start=start.name),
    comparison.Arm("collective", "distributed", steps, start=start.name),
  ]
  with program.exit_codes():
    compared = comparison.Comparison(
      work_dir, [_GIN_FILE.value], options={"report_secs": _REPORT_SECS.value}
    )
    compared.prepare()
    compared.train(start, _SEED.value)
    results = compared.run(arms, [_SEED.value])
    report = compared.report(
      arms, [_SEED.value], "Depth and surface normals: isolated against collective"
    )
  comparison.print_tables(results, sys.stdout)
  print(
    f"\nBoth trained {_STEPS.value} steps. Everything took {(time.monotonic() - started) / 60:.1f} minutes."
  )
  print(f"Report: {report}")


if __name__ == "__main__":
  startup.run(main)
