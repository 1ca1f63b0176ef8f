"""Labels from simulated rooms, a folder of RGB-D frames without labels: what does the collective gain on those frames?

  ./bazelw run //tools/experiments:own_frames -- --frames=/data/kitchen --work_dir=/data/own_frames

Compares, on the depth that the folder's sensor measured and never trained on, the isolated pair, the collective with
colour alone and, if the folder has camera poses (--poses), the collective that also compares two views. Look at the
folder with //tf_taskology:check_data first.
"""
# bazel: deps=//tf_taskology:train //serving:model_server //gin:experiments

from absl import app, flags

from tf_taskology.evaluation import table_formats
from tf_taskology.training import comparison, program, startup

_FRAMES = flags.DEFINE_string("frames", None, "Folder of RGB-D frames.", required=True)
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Folder of all runs.", required=True)
_POSES = flags.DEFINE_bool(
  "poses", False, "The folder has camera poses: add the arm that uses them."
)
_SEEDS = flags.DEFINE_integer("seeds", 1, "Number of seeds: 0, 1, ....", lower_bound=1)
_START_STEPS = flags.DEFINE_integer("start_steps", 1200, "Steps trained alone.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 2000, "Step at which all arms end.", lower_bound=2)

_GIN_FILE = "gin/rooms/rgbd_folder.gin"


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  decay = f"DECAY_STEPS = {_STEPS.value}"
  end = (decay, f"STEPS = {_STEPS.value}", f"RAMP_BEGIN = {_START_STEPS.value}")
  start = comparison.Arm("start", "isolated", (decay, f"STEPS = {_START_STEPS.value}"))
  arms = [
    comparison.Arm("isolated", "isolated", end, start=start.name),
    comparison.Arm("collective, colour alone", "distributed", end, start=start.name),
  ]
  if _POSES.value:
    views = ("MATCHED_WEIGHT = 10.0", "MEDIATOR_FRAMES = 2")
    arms.append(
      comparison.Arm("collective, two views", "distributed", end + views, start=start.name)
    )
  seeds = range(_SEEDS.value)
  with program.exit_codes():
    compared = comparison.Comparison(
      _WORK_DIR.value, [_GIN_FILE], [f"FRAMES = {_FRAMES.value!r}"], options={"report_secs": 60.0}
    )
    compared.prepare()
    for seed in seeds:
      compared.train(start, seed)
    results = compared.run(arms, seeds)
    report = compared.report(arms, seeds, "Own frames: isolated against collective")
  for table in comparison.overview(results):
    print(f"\n{table_formats.markdown(table)}")
  print(f"Report: {report}")


if __name__ == "__main__":
  startup.run(main)
