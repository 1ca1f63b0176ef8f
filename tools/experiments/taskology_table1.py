"""Table 1 of Taskology on streets: A to E, in order, several seeds.

  ./bazelw run //tools/experiments:taskology_table1 -- --work_dir=/data/table1 --seeds=3

A learns depth and motion from video, B segmentation from stills; C is A with B's segmentation frozen as a peer, D is B
with C's depth and motion frozen as peers, and in E all three learn together through model servers. Every arm of a seed
starts from the same networks, trained apart until --start_steps, and ends at the same step. What is finished in the
work folder is not done again.
"""
# bazel: deps=//tf_taskology:train //serving:model_server //gin:experiments

import sys

from absl import app, flags

from tf_taskology.evaluation import table_formats
from tf_taskology.training import comparison, program, startup

_WORK_DIR = flags.DEFINE_string("work_dir", None, "Folder of all runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Number of seeds: 0, 1, ....", lower_bound=1)
_START_STEPS = flags.DEFINE_integer(
  "start_steps", 1200, "Steps trained before the arms part; 0: each from scratch.", lower_bound=0
)
_STEPS = flags.DEFINE_integer("steps", 2000, "Step at which all arms end.", lower_bound=2)
_ARMS = flags.DEFINE_list(
  "arms", None, "Only these, by letter, and those they need; all by default."
)
_BINDINGS = flags.DEFINE_multi_string("gin_binding", [], "Gin binding for all arms.")
_SPLIT = flags.DEFINE_string(
  "split", None, "Split in place of test, e.g. validation to choose settings on."
)

_START = "start"
_JOINT = "gin/streets/joint.gin"
_APART = (
  "MASK = None",
  "DEPTH_IGNORES_UNMOVED = False",
  "SEGMENTATION_FLOW_WEIGHT = 0.0",
  "FLOW_SEGMENTATION_WEIGHT = 0.0",
)
_A, _B, _C = "A depth, motion", "B segmentation", "C depth, motion; B frozen"
_D, _E = "D segmentation; C frozen", "E all together"
_PAIRS = ((_A, _C), (_A, _E), (_B, _D), (_B, _E))
_KEYS = {
  "depth": ["scaled_abs_rel", "scaled_delta_1"],
  "segmentation": ["miou", "miou_movable", "miou_people", "miou_vehicles"],
}


def _arms(start_steps: int, steps: int) -> list[comparison.Arm]:
  """All arms, each after those it needs."""
  begin = (f"STEPS = {start_steps}", f"DECAY_STEPS = {steps}", *_APART)
  ramp = (f"FLOW_BEGIN = {start_steps}",)
  start = _START if start_steps else None

  def arm(name, mode, gin_file, bindings=(), exports=None):
    return comparison.Arm(
      name,
      mode,
      (f"STEPS = {steps}", *bindings),
      (f"gin/streets/{gin_file}.gin",),
      start,
      exports or {},
    )

  arms = [
    arm(_A, "distributed", "depth_motion"),
    arm(_B, "isolated", "segmentation"),
    arm(_C, "distributed", "depth_motion_masked", (), {"SEGMENTATION": (_B, "segmentation")}),
    arm(
      _D,
      "distributed",
      "segmentation_carried",
      ramp,
      {"DEPTH": (_C, "depth"), "MOTION": (_C, "motion")},
    ),
    arm(_E, "distributed", "joint", ramp),
  ]
  return [comparison.Arm(_START, "distributed", begin, (_JOINT,)), *arms] if start else arms


def _chosen(arms: list[comparison.Arm], letters: list[str]) -> list[comparison.Arm]:
  """The arms of these letters with all that they need, in order.

  Raises:
    ValueError: there is no such letter.
  """
  known = {arm.name[0] for arm in arms if arm.name != _START}
  unknown = sorted(set(letters) - known)
  if unknown:
    raise ValueError(f"--arms must be letters of {sorted(known)}. Received: {unknown}.")
  wanted = set()
  for arm in reversed(arms):
    if arm.name[0] in letters or arm.name in wanted:
      wanted |= {arm.name, arm.start, *(other for other, _ in arm.exports.values())}
  return [arm for arm in arms if arm.name in wanted]


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  seeds = range(_SEEDS.value)
  with program.exit_codes():
    arms = _arms(_START_STEPS.value, _STEPS.value)
    if _ARMS.value:
      arms = _chosen(arms, _ARMS.value)
    compared = comparison.Comparison(
      _WORK_DIR.value,
      [_JOINT],
      bindings=_BINDINGS.value,
      options={"report_secs": 60.0},
      split=_SPLIT.value,
    )
    compared.prepare()
    try:
      results = compared.run(arms, seeds)
    except comparison.Failed as error:
      print(f"Error: {error}", file=sys.stderr)
      sys.exit(error.exit_code)
    shown = [arm for arm in arms if arm.name != _START]
    compared.report(shown, seeds, "Table 1 of Taskology on streets")
  found = {arm.name: results[arm.name] for arm in shown}
  pairs = [(one, other) for one, other in _PAIRS if one in found and other in found]
  for table in comparison.overview(found, _KEYS) + comparison.paired(found, pairs, _KEYS):
    print(f"\n{table_formats.markdown(table)}")


if __name__ == "__main__":
  startup.run(main)
