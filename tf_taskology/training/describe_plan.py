"""Describes an experiment's gin files to programs that are not part of this package, in a process of its own.

  python -m tf_taskology.training.describe_plan RESULT_PATH \\
    '{"gin_files": ["a.gin"], "gin_bindings": [], "several_workers": false}'

Unlike `read_plan` it claims no work folder and leaves nothing behind but the result.
"""

import json
import sys

from tf_taskology.consistency import consistency_loss
from tf_taskology.datasets import observations
from tf_taskology.training import answering, config, experiment, plan as plan_lib

_SEVERAL_WORKERS = "multi_worker_mirrored"


def describe(collective: experiment.Collective, config_text: str) -> dict:
  """What one has to know of a collective to run it elsewhere.

  Returns:
    modules: [{name, peers, outputs, batch_size, strategy, cpu_share}]; steps; strategy (of modules without their own);
    tls_root_certificates; mediator: {batch_size, num_frames} or None, whose product is the largest request to a peer
    (pairs count as frames there, and a sequence as one); config: the configuration in one piece.
  """
  peers = {module.name: module.peers for module in plan_lib.LaunchPlan.of(collective).modules}
  frames = max(1, consistency_loss.frames_read(collective.consistency))
  answers = [
    observations.of_tasks(spec.tasks).count(spec.takes, frames)
    for spec in collective.modules
    if frames > 1
  ]
  mediator = collective.mediator
  return {
    "modules": [
      {
        "name": spec.name,
        "peers": list(peers[spec.name]),
        "outputs": list(spec.outputs),
        "batch_size": spec.batch_size,
        "strategy": collective.strategy_of(spec),
        "cpu_share": float(spec.cpu_share),
      }
      for spec in collective.modules
    ],
    "steps": collective.training.steps,
    "strategy": collective.training.strategy,
    "tls_root_certificates": collective.peering.tls_root_certificates,
    "mediator": mediator
    and {"batch_size": mediator.batch_size, "num_frames": max(answers, default=1)},
    "config": config_text,
  }


def main(result_path: str, request: str) -> int:
  """Writes the description as JSON and returns the exit code; see `answering.answer`.

  With `several_workers` the collective is described as it is when modules train on several workers.
  """
  fields = json.loads(request)

  def make() -> str:
    bindings = list(fields["gin_bindings"])
    collective = config.parse(fields["gin_files"], bindings)
    if fields["several_workers"] and collective.training.strategy != _SEVERAL_WORKERS:
      # Of all modules, for the trainers of a collective share one configuration.
      bindings.append(f'experiment.Training.strategy = "{_SEVERAL_WORKERS}"')
      collective = config.parse(fields["gin_files"], bindings)
    return json.dumps(describe(collective, config.config_text()))

  return answering.answer(result_path, make)


if __name__ == "__main__":
  sys.exit(main(*sys.argv[1:]))
