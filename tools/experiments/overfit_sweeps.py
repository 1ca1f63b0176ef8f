"""Do the readers, targets, network, losses and metrics of point clouds fit together? Learns a few real frames by heart.

  ./bazelw run //tools/experiments:overfit_sweeps -- --kitti_object=/data/kitti_object --work_dir=/data/overfit
  ./bazelw run //tools/experiments:overfit_sweeps -- --dgp=/data/dgp_scene --work_dir=/data/overfit

Trains on all labelled frames of the folder and evaluates on the same ones, without any augmentation: AP should come
out above 90 %. KITTI's scans train detection alone; three sweeps of a DGP scene train detection and box flow in one
network, with their consistency in the second half. Ends with 1 if AP stays below --least_ap.
"""
# bazel: deps=//tf_taskology:train //serving:model_server //gin:experiments

import os
import sys

from absl import app, flags

from tf_taskology.evaluation import table_formats
from tf_taskology.training import comparison, program, startup

_KITTI = flags.DEFINE_string("kitti_object", None, "Folder of KITTI's object benchmark.")
_SCANS = flags.DEFINE_string("scans", "velodyne", "Its folder of scans, e.g. velodyne_reduced.")
_DGP = flags.DEFINE_string("dgp", None, "Folder of a DGP scene.")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Folder of all runs.", required=True)
_STEPS = flags.DEFINE_integer("steps", 1000, "Steps of training.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch_size", 2, "Samples of KITTI a step.", lower_bound=1)
_BINDINGS = flags.DEFINE_multi_string("gin_binding", [], "Gin binding, after all others.")
_LEAST_AP = flags.DEFINE_float("least_ap", 90.0, "AP in per cent below which this fails.")

_METRIC = "ap_3d_l1"
_BY_HEART = (
  "MIN_POINTS = 1",
  'SPLITS = {"train": (0.0, 1.0), "test": (0.0, 1.0)}',
  "ROTATION = 0.0",
  "point_augmentation.PointAugmentation.scale = 0.0",
  "experiment.ModuleSpec.flip = False",
)


def _fit(name, gin_files, bindings, mode):
  """Trains and evaluates; returns the AP in per cent."""
  steps = f"STEPS = {_STEPS.value}"
  compared = comparison.Comparison(
    os.path.join(_WORK_DIR.value, name),
    gin_files,
    [*bindings, *_BY_HEART, steps, *_BINDINGS.value],
    options={"report_secs": 60.0},
  )
  compared.prepare()
  arms = [comparison.Arm("by heart", mode)]
  results = compared.run(arms, [0])
  report = compared.report(arms, [0], f"Learnt by heart: {name}")
  for table in comparison.overview(results):
    print(f"\n{table_formats.markdown(table)}")
  print(f"Report: {report}")
  (evaluation,) = results[arms[0].name][0]
  return evaluation.scores["detection"].values[_METRIC]


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  if not _KITTI.value and not _DGP.value:
    raise app.UsageError("Nothing to learn: give --kitti_object or --dgp.")
  found = {}
  with program.exit_codes():
    if _KITTI.value:
      bindings = (
        f"KITTI_OBJECT = {_KITTI.value!r}",
        f"kitti_object.KittiObject.scans = {_SCANS.value!r}",
        f"BATCH_SIZE = {_BATCH.value}",
      )
      found["kitti_object"] = _fit(
        "kitti_object", ["gin/sweeps/kitti_object.gin"], bindings, "isolated"
      )
    if _DGP.value:
      files = ["gin/sweeps/shared.gin", "gin/sweeps/dgp.gin"]
      bindings = (
        f"DGP = {_DGP.value!r}",
        "FRAME_STEP = 1",
        "BATCH_SIZE = 1",
        "MEDIATOR_BATCH_SIZE = 1",
        # What helps where labels are few does harm where they say it all: see docs/sweeps.md.
        "box_tracks.BoxTracks.class_weight = 0.0",
        'box_tracks.BoxTracks.teacher = "both"',
        f"RAMP_BEGIN = {_STEPS.value // 2}",
      )
      found["dgp"] = _fit("dgp", files, bindings, "synchronous")
  for name, ap in found.items():
    print(f"{name}: 3D AP {ap:.1f} %")
  sys.exit(int(any(ap < _LEAST_AP.value for ap in found.values())))


if __name__ == "__main__":
  startup.run(main)
