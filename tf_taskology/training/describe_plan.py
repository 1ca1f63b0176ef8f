"""Describes an experiment's gin files to programs that are not part of this package, in a process of its own.

  python -m tf_taskology.training.describe_plan RESULT_PATH \\
    '{"gin_files": ["a.gin"], "gin_bindings": [], "several_workers": false}'

Unlike `read_plan` it claims no work folder and leaves nothing behind but the result.
"""

import json
import sys

from tf_taskology.training import config, experiment, plan as plan_lib, supervision

_SEVERAL_WORKERS = "multi_worker_mirrored"


def describe(collective: experiment.Collective, config_text: str) -> dict:
  """What one has to know of a collective to run it elsewhere.

  Returns:
    modules: [{name, peers, outputs, batch_size}]; steps; strategy; tls_root_certificates; mediator: {batch_size,
    num_frames} or None, whose product is the largest request to a peer; config: the configuration in one piece.
  """
  peers = {module.name: module.peers for module in plan_lib.LaunchPlan.of(collective).modules}
  frames = [f for loss in collective.consistency for fs in loss.needs.values() for f in fs]
  mediator = collective.mediator
  return {
    "modules": [
      {
        "name": spec.name,
        "peers": list(peers[spec.name]),
        "outputs": list(spec.outputs),
        "batch_size": spec.batch_size,
      }
      for spec in collective.modules
    ],
    "steps": collective.training.steps,
    "strategy": collective.training.strategy,
    "tls_root_certificates": collective.peering.tls_root_certificates,
    "mediator": mediator
    and {"batch_size": mediator.batch_size, "num_frames": 1 + max(frames, default=0)},
    "config": config_text,
  }


def main(result_path: str, request: str) -> int:
  """Writes the description as JSON, or what is wrong with the configuration as plain text.

  With `several_workers` the collective is described as it is when modules train on several workers.

  Returns:
    The exit code: 0, or 2 if the configuration cannot be used.
  """
  fields = json.loads(request)
  bindings = list(fields["gin_bindings"])
  try:
    collective = config.parse(fields["gin_files"], bindings)
    if fields["several_workers"] and collective.training.strategy != _SEVERAL_WORKERS:
      # Of all modules, for the trainers of a collective share one configuration.
      bindings.append(f'experiment.Training.strategy = "{_SEVERAL_WORKERS}"')
      collective = config.parse(fields["gin_files"], bindings)
    text, exit_code = json.dumps(describe(collective, config.config_text())), 0
  except ValueError as error:
    text, exit_code = str(error), supervision.EXIT_CONFIGURATION
  with open(result_path, "w", encoding="utf-8") as file:
    file.write(text)
  return exit_code


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
