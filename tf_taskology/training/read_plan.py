"""Reads an experiment's gin files for the launcher, in a process of its own.

Parsing imports TensorFlow; the launcher, which lives as long as the run, stays small without it.

  python -m tf_taskology.training.read_plan RESULT_PATH \\
    '{"gin_files": ["a.gin"], "gin_bindings": [], "work_dir": "/data/run1"}'
"""

import json
import sys

from tf_taskology.training import config, plan as plan_lib, supervision, work_folder


def main(result_path: str, request: str) -> int:
  """Writes the plan as JSON, or what is wrong with the configuration as plain text.

  Returns:
    The exit code: 0, or 2 if the configuration cannot be used.
  """
  fields = json.loads(request)
  try:
    collective = config.parse(fields["gin_files"], fields["gin_bindings"])
    work_folder.claim(fields["work_dir"], config.config_text())
    text, exit_code = plan_lib.LaunchPlan.of(collective).to_json(), 0
  except ValueError as error:
    text, exit_code = str(error), supervision.EXIT_CONFIGURATION
  with open(result_path, "w", encoding="utf-8") as file:
    file.write(text)
  return exit_code


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
