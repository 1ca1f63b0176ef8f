"""Reads an experiment's gin files for the launcher, in a process of its own.

Parsing imports TensorFlow; the launcher, which lives as long as the run, stays small without it.

  python -m tf_taskology.training.read_plan RESULT_PATH \\
    '{"gin_files": ["a.gin"], "gin_bindings": [], "work_dir": "/data/run1"}'
"""

import json
import sys

from tf_taskology.training import answering, config, plan as plan_lib, work_folder


def main(result_path: str, request: str) -> int:
  """Writes the plan as JSON and returns the exit code; see `answering.answer`."""
  fields = json.loads(request)

  def make() -> str:
    collective = config.parse(fields["gin_files"], fields["gin_bindings"])
    work_folder.claim(fields["work_dir"], config.config_text())
    return plan_lib.LaunchPlan.of(collective).to_json()

  return answering.answer(result_path, make)


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
