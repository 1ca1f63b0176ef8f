"""Table 3 of Taskology on rooms: isolated, augmented, synchronous and distributed training, several seeds.

  ./bazelw run //tools/experiments:taskology_table3 -- --work_dir=/data/table3 --seeds=5

Every arm of a seed starts from the same isolated pair and ends at the same step; the strongly augmented pair is
trained with its augmentation from its own first step. "plain" is eq. 6 as printed, "agreement" weighs its pixels, "two
views" and "matched depth" are agreement with a relation for depth that reads camera poses. What is finished in the work folder is not done again.
"""
# bazel: deps=//tf_taskology:train //serving:model_server //gin:experiments

import statistics
import sys

from absl import app, flags

from tf_taskology.evaluation import runs, table_formats
from tf_taskology.training import comparison, program, startup

_WORK_DIR = flags.DEFINE_string("work_dir", None, "Folder of all runs.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 5, "Number of seeds: 0, 1, ....", lower_bound=1)
_START_STEPS = flags.DEFINE_integer(
  "start_steps", 1200, "Steps trained alone before the arms part.", lower_bound=1
)
_STEPS = flags.DEFINE_integer("steps", 2000, "Step at which all arms end.", lower_bound=2)
_ARMS = flags.DEFINE_list("arms", None, "Only these arms, and where they start; all by default.")
_SPLIT = flags.DEFINE_string(
  "split", None, "Split in place of test, e.g. validation to choose settings on."
)

_AGREEMENT = "gin/rooms/depth_normals.gin"
_MATCHED = "gin/rooms/matched_depth.gin"
_PLAIN = "gin/rooms/plain.gin"
_TWO_VIEWS = "gin/rooms/two_views.gin"
_STRONG = "gin/rooms/strong_augmentation.gin"
_KEYS = {
  "depth": ["abs_rel", "scaled_abs_rel", "delta_1"],
  "normals": ["mean", "median", "within_11.25", "within_22.5"],
}


def _arms(start_steps: int, steps: int) -> list[comparison.Arm]:
  """All arms; those named "start…" are where others begin."""
  decay = f"DECAY_STEPS = {steps}"
  begin = (decay, f"STEPS = {start_steps}")
  end = (decay, f"STEPS = {steps}", f"RAMP_BEGIN = {start_steps}")

  def arm(name, mode, gin_file, start="start"):
    return comparison.Arm(name, mode, end, (gin_file,), start)

  return [
    comparison.Arm("start", "isolated", begin, (_AGREEMENT,)),
    comparison.Arm("start with strong augmentation", "isolated", begin, (_STRONG,)),
    arm("isolated", "isolated", _AGREEMENT),
    arm("two views distributed", "distributed", _TWO_VIEWS),
    arm("isolated with strong augmentation", "isolated", _STRONG, "start with strong augmentation"),
    arm("plain synchronous", "synchronous", _PLAIN),
    arm("plain distributed", "distributed", _PLAIN),
    arm("agreement distributed", "distributed", _AGREEMENT),
    arm("agreement synchronous", "synchronous", _AGREEMENT),
    arm("matched depth distributed", "distributed", _MATCHED),
    arm(
      "agreement with strong augmentation",
      "distributed",
      _STRONG,
      "start with strong augmentation",
    ),
  ]


def _staleness(folders) -> str:
  """Mean staleness of all peers over a run's second half, in seconds and own steps."""
  secs, steps = [], []
  for folder in folders:
    for lines in runs.read(folder).history.values():
      for line in lines[len(lines) // 2 :]:
        for peer in line["peers"].values():
          if peer.get("staleness_secs") is not None:
            secs.append(peer["staleness_secs"])
            steps.append(peer["staleness_steps"])
  return f"{statistics.mean(secs):.1f} s, {statistics.mean(steps):.0f} steps" if secs else "none"


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  arms = _arms(_START_STEPS.value, _STEPS.value)
  if _ARMS.value:
    wanted = [a for a in arms if a.name in _ARMS.value]
    arms = [a for a in arms if a in wanted or a.name in {w.start for w in wanted}]
  seeds = range(_SEEDS.value)
  with program.exit_codes():
    compared = comparison.Comparison(
      _WORK_DIR.value, [_AGREEMENT], options={"report_secs": 60.0}, split=_SPLIT.value
    )
    compared.prepare()
    results = compared.run(arms, seeds)
    shown = {name: found for name, found in results.items() if not name.startswith("start")}
    compared.report([a for a in arms if a.name in shown], seeds, "Table 3 of Taskology on rooms")
  for table in comparison.overview(shown, _KEYS):
    print(f"\n{table_formats.markdown(table)}")
  for arm in arms:
    if arm.mode == "distributed":
      print(
        f"Staleness, {arm.name}: {_staleness([compared.run_dir(arm, seed) for seed in seeds])}",
        file=sys.stdout,
      )


if __name__ == "__main__":
  startup.run(main)
