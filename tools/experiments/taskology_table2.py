"""Table 2 of Taskology on sweeps: detection with few labels, with and without consistency with box flow, several seeds.

  ./bazelw run //tools/experiments:taskology_table2 -- --work_dir=/data/table2 --seeds=3

For every share of labels, detection and box flow first learn apart until --start_steps. From there detection goes on
alone, or both go on together: as peers of one another through model servers, or with all labels in one process, as in
the paper. All arms of a share end at the same step; a seed chooses initial weights and which samples keep their labels.
What is finished in the work folder is not done again.
"""
# bazel: deps=//tf_taskology:train //serving:model_server //gin:experiments

import sys

from absl import app, flags

from tf_taskology.evaluation import table_formats
from tf_taskology.training import comparison, program, startup

_WORK_DIR = flags.DEFINE_string("work_dir", None, "Folder of all runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Number of seeds: 0, 1, ....", lower_bound=1)
_START_STEPS = flags.DEFINE_integer(
  "start_steps", 1200, "Steps trained apart before the arms part.", lower_bound=1
)
_STEPS = flags.DEFINE_integer("steps", 2000, "Step at which all arms end.", lower_bound=2)
_SHARES = flags.DEFINE_list("shares", ["5", "20", "100"], "Percent of labels, e.g. 5,20.")
_WITHHELD = flags.DEFINE_enum(
  "withheld", "samples", ["samples", "boxes"], "What the share is of: samples, or their vehicles."
)
_BINDINGS = flags.DEFINE_multi_string("gin_binding", [], "Gin binding for all arms.")
_SPLIT = flags.DEFINE_string(
  "split", None, "Split in place of test, e.g. validation to choose settings on."
)

_TOGETHER = "gin/sweeps/detection_flow.gin"
_ALONE = "gin/sweeps/detection.gin"
_ALL = 100.0
_KEYS = {"detection": ["ap_3d_l1", "aph_3d_l1", "ap_bev_l1", "aph_bev_l1", "ap_3d_l2"]}


def _arms(share: float, start_steps: int, steps: int) -> list[comparison.Arm]:
  """The arms of one share of labels, in percent; the first is where the others begin."""
  common = (f"LABELLED_SHARE = {share / 100}", f"DECAY_STEPS = {steps}")
  start, alone, together = (f"{share:g} % {what}" for what in ("start", "alone", "with flow"))
  end = (*common, f"STEPS = {steps}", f"RAMP_BEGIN = {start_steps}")
  return [
    comparison.Arm(start, "isolated", (*common, f"STEPS = {start_steps}"), (_TOGETHER,)),
    comparison.Arm(alone, "isolated", (*common, f"STEPS = {steps}"), (_ALONE,), start),
    comparison.Arm(
      together, "synchronous" if share == _ALL else "distributed", end, (_TOGETHER,), start
    ),
  ]


def _parse_shares(words: list[str]) -> list[float]:
  try:
    shares = [float(word) for word in words]
  except ValueError as error:
    raise program.UsageError(f"--shares must be numbers, in percent: {error}.") from error
  if not shares or not all(0 < share <= _ALL for share in shares):
    raise program.UsageError(f"--shares must be above 0 and at most 100. Received: {words}.")
  return shares


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  seeds = range(_SEEDS.value)
  with program.exit_codes():
    shares = _parse_shares(_SHARES.value)
    compared = comparison.Comparison(
      _WORK_DIR.value,
      [_TOGETHER],
      bindings=[*_BINDINGS.value, f"WITHHELD = {_WITHHELD.value!r}"],
      options={"report_secs": 60.0},
      split=_SPLIT.value,
    )
    compared.prepare()
    arms = [a for share in shares for a in _arms(share, _START_STEPS.value, _STEPS.value)]
    try:
      results = compared.run(arms, seeds)
    except comparison.Failed as error:
      print(f"Error: {error}", file=sys.stderr)
      sys.exit(error.exit_code)
    shown = [arm for arm in arms if arm.start]
    compared.report(shown, seeds, "Table 2 of Taskology on sweeps")
  found = {arm.name: results[arm.name] for arm in shown}
  names = list(found)
  pairs = list(zip(names[::2], names[1::2], strict=True))  # alone, with flow
  for table in comparison.overview(found, _KEYS) + comparison.paired(found, pairs, _KEYS):
    print(f"\n{table_formats.markdown(table)}")


if __name__ == "__main__":
  startup.run(main)
