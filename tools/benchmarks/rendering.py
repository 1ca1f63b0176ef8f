"""How fast a world is rendered: what the benchmarks of the worlds share."""

import json
import time

from tf_taskology.datasets.rendering import workers


def report(name: str, renderer, job, examples: int, unit: str, **facts) -> None:
  """Renders in this process alone and with one process for each CPU; prints a line and one JSON object.

  Args:
    name: of the benchmark.
    renderer: module that renders, see `datasets.rendering.workers`.
    job: what it renders.
    examples: how many, each of `job.frames`.
    unit: of the value, "frames/s" for instance.
    **facts: that go into the JSON object too.
  """

  def rate(num_workers: int) -> float:
    started = time.perf_counter()
    count = sum(1 for _ in workers.render_split(renderer, job, "train", examples, num_workers))
    return count * job.frames / (time.perf_counter() - started)

  alone, together = rate(1), rate(0)
  described = ", ".join(f"{key} {value}" for key, value in facts.items())
  print(f"{name} ({described}): {alone:.1f} {unit} alone, {together:.1f} with all CPUs")
  result = {"benchmark": name, "value": round(together, 1), "unit": unit}
  print(json.dumps({**result, "one_process": round(alone, 1), **facts}))
