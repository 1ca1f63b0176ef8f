"""Trains a collective on this machine: a trainer and a model server per module, kept running.

  ./bazelw run //tf_taskology:collective -- --gin_file=gin/rooms/depth_normals.gin --work_dir=/data/run1

Ctrl-C or SIGTERM saves and ends everything; the same command goes on from there. On several machines,
start the pieces by hand: docs/several_machines.md.
"""
# bazel: deps=:train //serving:model_server

import sys

from absl import app, flags

from tf_taskology.training import commands, launcher, plan, startup, supervision

_GIN_FILE = flags.DEFINE_multi_string(
  "gin_file", [], "Gin file of the experiment. May be given several times."
)
_GIN_BINDING = flags.DEFINE_multi_string(
  "gin_binding", [], 'Gin binding, e.g. "STEPS = 500". Beats the files. May be given several times.'
)
_WORK_DIR = flags.DEFINE_string(
  "work_dir", None, "Folder of the run; a run that it holds goes on.", required=True
)
_MODE = flags.DEFINE_enum(
  "mode",
  "distributed",
  plan.MODES,
  "distributed: a trainer and a model server per module. isolated: trainers only, no consistency."
  " synchronous: one trainer for all modules, nothing is stale.",
)
_PEER = flags.DEFINE_multi_string(
  "peer", [], "A model served elsewhere that modules need: name=host:port[,host:port]."
)
_MODEL_SERVER_BINARY = flags.DEFINE_string(
  "model_server_binary",
  "auto",
  "TensorFlow Serving's server: a path, or a name on PATH. embedded: our own, which speaks the same"
  " protocol. auto: tensorflow_model_server if it is on PATH, else our own.",
)
_START_METHOD = flags.DEFINE_enum(
  "start_method",
  "forkserver",
  commands.START_METHODS,
  "forkserver: import TensorFlow once, fork trainers. subprocess: a new interpreter for each.",
)
_THREADS = flags.DEFINE_integer(
  "threads",
  None,
  "CPU threads of each trainer and model server; 0: TensorFlow's choice. Unset: the CPUs divided by"
  " the trainers.",
  lower_bound=0,
)
_REPORT_SECS = flags.DEFINE_float(
  "report_secs",
  10.0,
  "Seconds between the lines about each module when the output is no terminal.",
  lower_bound=0.1,
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  try:
    options = commands.Options(
      work_dir=_WORK_DIR.value,
      gin_files=tuple(_GIN_FILE.value),
      gin_bindings=tuple(_GIN_BINDING.value),
      mode=_MODE.value,
      peers=tuple(_PEER.value),
      model_server_binary=_MODEL_SERVER_BINARY.value,
      start_method=_START_METHOD.value,
      threads=_THREADS.value,
      report_secs=_REPORT_SECS.value,
    )
    result = launcher.launch(options)
  except ValueError as error:
    result = launcher.RunResult(supervision.EXIT_CONFIGURATION, str(error))
  if result.message:
    print(f"Error: {result.message}", file=sys.stderr)
  sys.exit(result.exit_code)


if __name__ == "__main__":
  startup.run(main)
