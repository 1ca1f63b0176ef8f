"""Evaluates the newest published models of one run, or of several beside each other.

  ./bazelw run //tf_taskology:evaluate -- --work_dir=/data/isolated --work_dir=/data/collective

Each run is evaluated on what its own configuration (`<work_dir>/config.gin`) names. The numbers go to
`<work_dir>/evaluation.json`, and a table to the terminal; differences are to the first run.
"""
# bazel: deps=//gin:experiments

import pathlib
import sys

from absl import app, flags

from tf_taskology.evaluation import evaluator, runs, spec, table_formats, tables
from tf_taskology.training import config, startup

_WORK_DIR = flags.DEFINE_multi_string("work_dir", None, "Folder of a run; may be repeated.")
_GIN_FILE = flags.DEFINE_multi_string(
  "gin_file",
  [],
  "Configuration in place of each run's own config.gin, e.g. gin/rooms/depth_normals.gin.",
)
_GIN_BINDING = flags.DEFINE_multi_string(
  "gin_binding", [], "Gin binding applied last, e.g. 'TEST_SAMPLES = 50'."
)
_DATASET = flags.DEFINE_multi_string(
  "dataset", [], "Name of an evaluation in the configuration; all by default."
)
_SPLIT = flags.DEFINE_string(
  "split", None, "Split in place of the configured one, e.g. validation."
)
_MAX_SAMPLES = flags.DEFINE_integer(
  "max_samples", None, "Evaluate on the first so many samples only.", lower_bound=1
)
_FORMAT = flags.DEFINE_enum("format", "text", ["text", "markdown"], "How tables are printed.")


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
  results = {}
  try:
    for name, work_dir in zip(runs.names(_WORK_DIR.value), _WORK_DIR.value, strict=True):
      gin_files = _GIN_FILE.value or [str(pathlib.Path(work_dir, "config.gin").absolute())]
      collective = config.parse(gin_files, _GIN_BINDING.value)
      specs = spec.select(collective.evaluation, _DATASET.value)
      results[name] = [evaluator.evaluate_run(work_dir, specs, _SPLIT.value, _MAX_SAMPLES.value)]
  except ValueError as error:
    sys.exit(f"Cannot evaluate: {error}")
  for evaluations in tables.by_data_set(results).values():
    for table in tables.comparison(evaluations):
      if _FORMAT.value == "markdown":
        print(table_formats.markdown(table))
      else:
        print(table_formats.text(table, color=sys.stdout.isatty()))


if __name__ == "__main__":
  flags.mark_flag_as_required("work_dir")
  startup.run(main)
