"""Writes one HTML file about a run, or about several beside each other: numbers, pictures, curves, configuration.

  ./bazelw run //tf_taskology:report -- --run=isolated=/data/isolated --run=collective=/data/collective \
    --output=/data/report.html

Evaluate the runs first (`tf_taskology.evaluate`), or the report has no results and pictures. The first run is the
baseline. A name that is given several times stands for several seeds of one setting.
"""

import sys

from absl import app, flags

from tf_taskology.evaluation import report, runs
from tf_taskology.training import startup

_RUN = flags.DEFINE_multi_string("run", None, "name=work_dir, or a work folder; may be repeated.")
_OUTPUT = flags.DEFINE_string("output", "report.html", "The file to write.")
_TITLE = flags.DEFINE_string("title", "TF Taskology", "Heading of the page.")
_PICTURES_DIR = flags.DEFINE_string(
  "pictures_dir", None, "Also write pictures and curves as PNG files into this folder."
)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}")
  try:
    work_dirs = {}
    for flag in _RUN.value:
      name, work_dir = runs.parse_run(flag)
      work_dirs.setdefault(name, []).append(work_dir)
    report.write_report(_OUTPUT.value, work_dirs, _TITLE.value, _PICTURES_DIR.value)
  except ValueError as error:
    sys.exit(f"Cannot write the report: {error}")
  print(f"Wrote {_OUTPUT.value}")


if __name__ == "__main__":
  flags.mark_flag_as_required("run")
  startup.run(main)
