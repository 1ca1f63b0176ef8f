"""Trains one module of a collective, or with --mode=synchronous all of them in this process.

The launcher (//tf_taskology:collective) starts this for every module. By hand, for instance on several machines:

  ./bazelw run //tf_taskology:train -- --gin_file=gin/rooms/depth_normals.gin --work_dir=/data/run1 \
    --module=depth --peer=normals=10.0.0.2:8500

Training resumes from the last checkpoint in the work folder. SIGTERM and Ctrl-C save and end it.
"""
# bazel: deps=//gin:experiments

import os

from absl import app, flags, logging

from tf_taskology.training import (
  config,
  experiment,
  program,
  startup,
  strategy,
  trainer,
  work_folder,
)

_GIN_FILE = flags.DEFINE_multi_string(
  "gin_file", [], "Gin file of the experiment. May be given several times."
)
_GIN_BINDING = flags.DEFINE_multi_string(
  "gin_binding", [], 'Gin binding, e.g. "STEPS = 500". Beats the files.'
)
_WORK_DIR = flags.DEFINE_string(
  "work_dir", None, "Folder of the run: checkpoints, exports, logs.", required=True
)
_MODE = flags.DEFINE_enum(
  "mode",
  "distributed",
  experiment.MODES,
  "distributed: one module, peers behind model servers. synchronous: all modules in this process. "
  "isolated: one module, no consistency.",
)
_MODULE = flags.DEFINE_string(
  "module", None, "Name of the module to train, e.g. depth. Not for --mode=synchronous."
)
_PEER = flags.DEFINE_multi_string(
  "peer",
  [],
  "A peer's model servers, e.g. normals=10.0.0.2:8500 or, replicas, normals=10.0.0.2:8500,10.0.0.3:8500.",
)
_THREADS = flags.DEFINE_integer(
  "threads", 0, "CPU threads for TensorFlow's operations; 0: its own choice.", lower_bound=0
)

_EXIT_CODE_IF_STOPPED = flags.DEFINE_integer(
  "exit_code_if_stopped",
  0,
  "Exit code when it is told to end before its last step; other than 0 for process managers that take 0 for done.",
  lower_bound=0,
  upper_bound=255,
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  with program.exit_codes():
    strategy.set_threads(_THREADS.value)
    collective = config.parse(_GIN_FILE.value, _GIN_BINDING.value)
    targets = program.parse_peers(_PEER.value)
    program.check_module(collective, _MODE.value, _MODULE.value, targets)
    work_dir = os.path.abspath(os.path.expanduser(_WORK_DIR.value))
    work_folder.claim(work_dir, config.config_text())
    result = trainer.train(
      collective, work_dir=work_dir, mode=_MODE.value, module=_MODULE.value, peer_targets=targets
    )
    logging.info("%s at step %d.", "Stopped" if result.stopped else "Done", result.step)
  program.end(_EXIT_CODE_IF_STOPPED.value if result.stopped else 0)


if __name__ == "__main__":
  startup.run(main)
