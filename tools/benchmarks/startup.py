"""Seconds from the command to the first training step of every module, with rendered data and caches warm.

  ./bazelw run //tools/benchmarks:startup

Starts the collective of gin/rooms/quickstart.gin (two model servers, two trainers) and ends it when every trainer has
taken a step. The last line is one JSON object.
"""
# bazel: deps=//tf_taskology:collective //gin:experiments

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from absl import app, flags

from tf_taskology.training import config, startup, status

_GIN_FILE = flags.DEFINE_string("gin_file", "gin/rooms/quickstart.gin", "The experiment.")
_RUNS = flags.DEFINE_integer("runs", 2, "Runs; the median counts.", lower_bound=1)
_LIMIT_SECS = 120.0


def measure(gin_file: str, modules: list[str]) -> float:
  """One start: seconds until the last module's first step."""
  with tempfile.TemporaryDirectory() as work_dir:
    started = time.monotonic()
    command = [
      sys.executable,
      "-m",
      "tf_taskology.collective",
      f"--gin_file={gin_file}",
      f"--work_dir={work_dir}",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
      command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
      while not all(_has_stepped(os.path.join(work_dir, m)) for m in modules):
        if process.poll() is not None or time.monotonic() - started > _LIMIT_SECS:
          process.kill()
          raise RuntimeError(
            f"No first step within {_LIMIT_SECS:.0f} s: {process.communicate()[1][-2000:]}"
          )
        time.sleep(0.02)
      return time.monotonic() - started
    finally:
      if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def _has_stepped(module_dir: str) -> bool:
  found = status.read(module_dir)
  return found is not None and found.step > found.initial_step


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  collective = config.parse([_GIN_FILE.value])
  sources = [collective.mediator.source, *(spec.dedicated for spec in collective.modules)]
  for source in sources:
    source.prepare()
  modules = [spec.name for spec in collective.modules]
  seconds = sorted(measure(_GIN_FILE.value, modules) for _ in range(_RUNS.value))
  print(
    json.dumps(
      {
        "benchmark": "startup",
        "value": round(seconds[len(seconds) // 2], 2),
        "unit": "s",
        "runs": [round(s, 2) for s in seconds],
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
      }
    )
  )


if __name__ == "__main__":
  startup.run(main)
