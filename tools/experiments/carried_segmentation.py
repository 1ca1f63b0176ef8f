"""Do neighbouring frames know anything of a frame's segmentation that its own answer does not?

  ./bazelw run //tools/experiments:carried_segmentation -- --segmentation=/data/B --depth_motion=/data/A

A consistency loss along the flow can teach no more than what is gained by averaging a frame's answer with those of its
neighbours, carried to where its pixels are. This averages the published segmentation of one run along the flow that
the published depth and motion of another predict, along that of their motion with true depth, and along the true flow,
and measures each on video with labels. Where the average is no better than the answer alone, the flow has nothing to
teach.
"""
# bazel: deps=//tf_taskology:train //gin:experiments

import os

from absl import app, flags

from tf_taskology.training import program, startup

_SEGMENTATION = flags.DEFINE_string(
  "segmentation", None, "Work folder of the run whose segmentation is averaged.", required=True
)
_DEPTH_MOTION = flags.DEFINE_string(
  "depth_motion", None, "Work folder of the run whose depth and motion carry it.", required=True
)
_SPLIT = flags.DEFINE_string("split", "test", "Split of the mediator's data; it needs labels.")
_TOLERANCE = flags.DEFINE_float(
  "tolerance",
  0.05,
  "A neighbour has a say where its surface is as deep as expected, up to this share.",
  lower_bound=0.0,
)

_BATCH = 25
_KEYS = ("miou", "miou_movable", "miou_people", "miou_vehicles")
_ALONE, _LEARNT, _TRUE = "each frame alone", "along the predicted flow", "along the true flow"
_TRUE_DEPTH = "the same with true depth"


def _measure(segmentation_dir, depth_motion_dir, split, tolerance) -> dict[str, dict[str, float]]:
  """Scores in per cent by what is averaged."""
  import tensorflow as tf

  from tf_taskology.datasets import observations
  from tf_taskology.evaluation import evaluator, exports, segmentation_protocol
  from tf_taskology.training import config
  from tools.experiments import flow_average

  exported = [
    _export(exports.newest(depth_motion_dir), depth_motion_dir, "depth"),
    _export(exports.newest(depth_motion_dir), depth_motion_dir, "motion"),
    _export(exports.newest(segmentation_dir), segmentation_dir, "segmentation"),
  ]
  models = evaluator.load(exported)
  source = config.parse([os.path.join(depth_motion_dir, "config.gin")]).mediator.source
  missing = sorted({*flow_average.LABELS, "segmentation"} - set(source.labels))
  if missing:
    raise ValueError(
      f"The true flow needs labels. {source.describe()} of {depth_motion_dir} has none for {', '.join(missing)}."
    )
  dataset = source.dataset(split).batch(_BATCH)
  observation = observations.of_element(dataset.unbatch().element_spec)
  protocols = {
    name: segmentation_protocol.SegmentationProtocol()
    for name in (_ALONE, _LEARNT, _TRUE_DEPTH, _TRUE)
  }
  for batch in dataset:
    answers = evaluator.predict(models, observation, batch)
    probabilities = tf.nn.softmax(answers["segmentation"])
    truth, learnt = flow_average.true(batch), flow_average.predicted(batch, answers)
    averaged = {
      _ALONE: probabilities[:, 1],
      _LEARNT: flow_average.average(probabilities, learnt, "learned", tolerance),
      _TRUE_DEPTH: flow_average.average(
        probabilities, flow_average.with_depth(learnt, truth["depth"]), "learned", tolerance
      ),
      _TRUE: flow_average.average(probabilities, truth, "given", tolerance),
    }
    labels = {"segmentation": batch["labels"]["segmentation"][:, 1:2].numpy()}
    for name, value in averaged.items():
      protocols[name].update(labels, {"segmentation": value[:, tf.newaxis].numpy()})
  return {name: p.result() for name, p in protocols.items()}


def _export(published, work_dir, module):
  if module not in published:
    raise ValueError(f"{work_dir} must have a module {module!r}. It has: {sorted(published)}.")
  return published[module]


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  with program.exit_codes():
    scores = _measure(_SEGMENTATION.value, _DEPTH_MOTION.value, _SPLIT.value, _TOLERANCE.value)
  print(f"| % | {' | '.join(_KEYS)} |")
  print(f"| --- |{' --: |' * len(_KEYS)}")
  for name, found in scores.items():
    print(f"| {name} | {' | '.join(f'{found[key]:.1f}' for key in _KEYS)} |")


if __name__ == "__main__":
  startup.run(main)
