"""Milliseconds of rotated non-maximum suppression of 10,000 boxes, and of the overlaps in it.

Boxes are crowded around vehicles as a detector's are: each vehicle has `--per_vehicle` of them. The
graph is the one that an exported detector runs.

  python -m tools.benchmarks.nms
"""

import json
import statistics

from absl import app, flags

from tools.benchmarks import timing

_BOXES = flags.DEFINE_integer("boxes", 10_000, "Boxes of a sweep.", lower_bound=1)
_PER_VEHICLE = flags.DEFINE_integer("per_vehicle", 50, "Boxes of a vehicle.", lower_bound=1)
_MAX_OUTPUTS = flags.DEFINE_integer("max_outputs", 300, "Boxes kept at most.", lower_bound=1)
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns of each computation.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", 2, "Cores that TensorFlow may use.", lower_bound=1)


def _crowd():
  """([1, n, 7] boxes, [1, n] scores)."""
  import numpy as np

  random = np.random.RandomState(0)
  vehicles = -(-_BOXES.value // _PER_VEHICLE.value)
  centre = random.uniform(
    [-75, -75, 0.5, 4, 1.8, 1.5, -3], [75, 75, 1.2, 5, 2.1, 1.8, 3], [vehicles, 7]
  )
  spread = random.normal(0, [0.4, 0.4, 0.1, 0.2, 0.1, 0.1, 0.1], [vehicles, _PER_VEHICLE.value, 7])
  boxes = (centre[:, None] + spread).reshape(-1, 7)[: _BOXES.value]
  return boxes[None].astype(np.float32), random.uniform(0.05, 1, [1, len(boxes)]).astype(np.float32)


def _times(function) -> tuple[float, float]:
  """(median, smallest) milliseconds."""
  found = timing.milliseconds(function, _ROUNDS.value)
  return statistics.median(found), min(found)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  import tensorflow as tf

  from tf_taskology.geometry import box_overlap, box_suppression

  tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
  boxes, scores = (tf.constant(value) for value in _crowd())

  def suppressed(overlap, count):
    @tf.function(autograph=False)
    def run(boxes, scores):
      return box_suppression.suppress(boxes, scores, _MAX_OUTPUTS.value, 0.5, overlap=overlap).valid

    some = boxes[:, :count], scores[:, :count]
    kept = int(tf.reduce_sum(tf.cast(run(*some), tf.int32)))
    return (*_times(lambda: run(*some).numpy()), kept)

  pairs = 1000
  iou = tf.function(lambda a, b: box_overlap.pairs(box_overlap.bev_iou, a, b), autograph=False)
  overlap_ms, _ = _times(lambda: iou(boxes[0, :pairs], boxes[0, :pairs]).numpy())
  rotated, smallest, kept = suppressed("rotated", _BOXES.value)
  aligned, _, _ = suppressed("axis_aligned", _BOXES.value)
  candidates, _, _ = suppressed("rotated", 1000)
  print(f"rotated: {rotated:.1f} ms, axis-aligned: {aligned:.1f} ms, {kept} kept")
  print(f"1000 candidates: {candidates:.1f} ms; {pairs}^2 overlaps: {overlap_ms:.1f} ms")
  result = {
    "benchmark": "nms",
    "value": round(rotated, 1),
    "unit": "ms",
    "boxes": _BOXES.value,
    "kept": kept,
    "min_ms": round(smallest, 1),
    "axis_aligned_ms": round(aligned, 1),
    "candidates_1000_ms": round(candidates, 1),
    "million_overlaps_ms": round(overlap_ms * 1e6 / pairs**2, 1),
  }
  print(json.dumps(result))


if __name__ == "__main__":
  app.run(main)
