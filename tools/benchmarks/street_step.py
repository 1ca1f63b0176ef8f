"""Where the step of a trainer on video goes: networks, losses, waiting for data, waiting for peers.

  python -m tools.benchmarks.street_step

The depth module of gin/streets/depth_motion.gin trains on streets rendered for the purpose, with the photometric
loss; its peer, motion, answers from a model server on the same cores, as in a collective. Parts are timed by leaving
out: the networks alone, then with the losses on a batch at hand, then with the pipeline. They take turns, for the
machine's speed varies. The last line of the output is JSON.
"""

# bazel: data=//gin:experiments

import contextlib
import json
import os
import statistics
import tempfile
import time

import tensorflow as tf
from absl import app, flags

from tf_taskology.peers import publishing
from tf_taskology.training import building, config, inputs, peering
from tools.benchmarks import served

_SAMPLES = flags.DEFINE_integer("samples", 32, "Samples that are rendered.", lower_bound=8)
_STEPS = flags.DEFINE_integer("steps", 10, "Steps timed in a turn.", lower_bound=1)
_LIMIT_SECS = flags.DEFINE_float("limit_secs", 8.0, "No round starts after so many seconds.")

_GIN_FILE = "gin/streets/depth_motion.gin"
_UNTIMED_STEPS = 11  # more than the batches that a stage holds ready


def _collective(folder: str):
  """The configuration, on a few samples of its world, and past the ramp of depth's weight."""
  source = "streets_source.StreetsSource"
  bindings = [
    f"{source}.train = {_SAMPLES.value}",
    f"{source}.validation = 1",
    f"{source}.test = 1",
    f"{source}.data_dir = {folder!r}",
    "DEPTH_RAMP_BEGIN = 0",
    "DEPTH_RAMP_LENGTH = 1",
  ]
  return config.parse([_GIN_FILE], bindings)


class _Trainer:
  """The depth module with the ways to run its step that are compared, each: steps -> seconds per step."""

  def __init__(self, module, batches):
    self._module = module
    self._batches = iter(batches)
    self._train = module.make_train_function()
    self._at_hand = iter(tf.data.Dataset.from_tensors(next(self._batches)).repeat())
    self.waited_secs = 0.0
    self.steps = 0
    self._networks_alone = tf.function(self._networks, reduce_retracing=True)

  def networks(self, steps: int) -> float:
    """Predictions and gradients alone, on a batch at hand."""
    return _secs_per_step(lambda: self._networks_alone(next(self._at_hand)), steps)

  def losses_too(self, steps: int) -> float:
    """The whole step, on a batch at hand."""
    return _secs_per_step(lambda: self._train(self._at_hand), steps)

  def pipeline_too(self, steps: int) -> float:
    """The whole step, on batches of the pipeline with the peer's answers."""

    def step():
      self._module.reset_metrics()
      self.waited_secs += float(self._train(self._batches)["waiting_secs"])

    self.steps += steps
    return _secs_per_step(step, steps)

  def _networks(self, batch):
    module = self._module
    with tf.GradientTape() as tape:
      own = module.predict_parts(batch, training=True)
      total = tf.add_n([tf.reduce_mean(x) for part in own.values() for x in part.values()])
    variables = module.network.trainable_variables
    module.optimizer.apply_gradients(
      (0.0 * gradient, variable)
      for gradient, variable in zip(tape.gradient(total, variables), variables, strict=True)
      if gradient is not None
    )


def _secs_per_step(step, steps: int) -> float:
  started = time.perf_counter()
  for _ in range(steps):
    step()
  return (time.perf_counter() - started) / steps


@contextlib.contextmanager
def _served(folder: str, module):
  """A model server with the module as version 0, for a `with` block; its address."""
  export_dir = os.path.join(folder, "exports", module.name)
  publisher = publishing.Publisher(export_dir)
  publisher.check_writable()
  publisher.publish(module.network, module.tasks, 0)
  with served.server(folder, export_dir, f"--model_name={module.name}") as server:
    yield server.address


def _measure(folder: str) -> dict:
  collective = _collective(folder)
  collective.mediator.source.prepare()
  depth, motion = (building.build(collective, spec, False) for spec in collective.modules)
  with _served(folder, motion) as address:
    peers = peering.Peers(
      collective,
      collective.modules[:1],
      {motion.name: [address]},
      folder,
      depth.output_size,
      lambda: 0,
    )
    peers.stage.check()
    try:
      batches = inputs.module_batches(collective, collective.modules[0], fetch=peers.stage)
      trainer = _Trainer(depth, batches)
      ways = {name: getattr(trainer, name) for name in ("networks", "losses_too", "pipeline_too")}
      for way in ways.values():
        way(_UNTIMED_STEPS)
      trainer.waited_secs, trainer.steps = 0.0, 0
      before = peers.records()[motion.name]["waiting_secs"]
      times = {name: [] for name in ways}
      started = time.monotonic()
      while time.monotonic() - started < _LIMIT_SECS.value:
        for name, way in ways.items():
          times[name].append(way(_STEPS.value))
      for_peers = peers.records()[motion.name]["waiting_secs"] - before
    finally:
      peers.stage.close()
  return _report(times, trainer, for_peers)


def _report(times, trainer, for_peers_secs):
  step, losses_too, networks = (
    statistics.median(times[name]) for name in ("pipeline_too", "losses_too", "networks")
  )
  for_peers = for_peers_secs / trainer.steps
  for_data = max(0.0, trainer.waited_secs / trainer.steps - for_peers)
  parts = {
    "networks": networks,
    "losses": max(0.0, losses_too - networks),
    "waiting_for_data": for_data,
    "waiting_for_peers": for_peers,
  }
  # The rest: the pipeline's and the model server's own work on the same cores.
  parts["others_on_the_cores"] = max(0.0, step - sum(parts.values()))
  shares = {name: round(secs / step, 3) for name, secs in parts.items()}
  return {
    "benchmark": "street_step",
    "value": shares["networks"],
    "unit": "share of the step spent in networks",
    "step_ms": round(1000 * step, 1),
    "shares": shares,
    "rounds": len(times["networks"]),
  }


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  with tempfile.TemporaryDirectory() as folder:
    report = _measure(folder)
  for name, share in report["shares"].items():
    print(f"{name.replace('_', ' '):>22}: {share:6.1%} of {report['step_ms']} ms a step")
  print(json.dumps(report))


if __name__ == "__main__":
  app.run(main)
