"""Points a second through the pillars, and milliseconds of each part of a training step.

At the compact size (128 x 128 cells, stride 2, three sweeps) and at the full one (468 x 468, one
sweep; forward only, for a step of it takes many seconds on two cores).

  python -m tools.benchmarks.pillars --nofull
"""

import json
import statistics

from absl import app, flags

from tools.benchmarks import timing

_POINTS = flags.DEFINE_integer("points", 10_000, "Points of a compact sweep.", lower_bound=1)
_FULL_POINTS = flags.DEFINE_integer("full_points", 160_000, "Of a full one.", lower_bound=1)
_FULL = flags.DEFINE_boolean("full", True, "Measure the full size too.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns of each computation.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", 2, "Cores that TensorFlow may use.", lower_bound=1)
_FRAMES = 3


def _ms(function) -> float:
  """Median milliseconds."""
  return statistics.median(timing.milliseconds(function, _ROUNDS.value))


def _inputs(grid, frames, count):
  """A sweep denser near by, as sweeps are."""
  import numpy as np

  random = np.random.RandomState(0)
  reach = 0.98 * grid.x_range[1] * random.uniform(size=[1, frames, count]) ** 2
  angle = random.uniform(-np.pi, np.pi, reach.shape)
  height, intensity = (
    random.uniform(grid.z_range[0], 2, reach.shape),
    random.uniform(size=reach.shape),
  )
  points = np.stack([reach * np.cos(angle), reach * np.sin(angle), height, intensity], axis=-1)
  return {"points": points.astype(np.float32), "num_points": np.full([1, frames], count, np.int32)}


def _layer(model, grid, inputs):
  """Milliseconds of voxelisation and features alone."""
  import tensorflow as tf

  layer = model.get_layer("pillars")
  points = tf.constant(inputs["points"][0])
  counts = tf.constant(inputs["num_points"][0])
  run = tf.function(lambda p, c: tf.reduce_sum(layer(p, c)), autograph=False)
  return _ms(lambda: run(points, counts).numpy())


def _compact():
  """Milliseconds of the parts of a step of detection and flow with one backbone."""
  import numpy as np
  import tensorflow as tf

  from tf_taskology.consistency import box_tracks
  from tf_taskology.geometry import anchors, bev_grid
  from tf_taskology.networks import point_pillars
  from tf_taskology.tasks import box_flow, detection

  grid = bev_grid.BevGrid((-32, 32), (-32, 32), (-1, 3), 0.5)
  network = point_pillars.PointPillars(grid, **point_pillars.COMPACT)
  at = anchors.Anchors(grid, network.stride)
  found, flow, tracks = detection.Detection(at), box_flow.BoxFlow(at), box_tracks.BoxTracks(at)
  model = network([found, flow], _FRAMES)
  optimizer = tf.keras.optimizers.Adam(1e-3)
  inputs = {
    name: tf.constant(value) for name, value in _inputs(grid, _FRAMES, _POINTS.value).items()
  }
  random = np.random.RandomState(1)
  boxes = random.uniform(
    [-30, -30, 0.5, 4, 1.8, 1.5, -3], [30, 30, 1, 5, 2, 1.7, 3], [1, _FRAMES, 30, 7]
  )
  boxes = tf.constant(boxes.astype(np.float32))
  classes, ids = (
    tf.ones([1, _FRAMES, 30], tf.int32),
    tf.tile(tf.range(30)[None, None], [1, _FRAMES, 1]),
  )

  @tf.function(autograph=False)
  def targets():
    given = {"boxes": boxes, "classes": classes, "tracks": ids}
    return {**found.targets(given), **flow.targets(given)}

  labels = targets()
  predict = lambda raw: {**found.decode(raw["detection"]), **flow.decode(raw["box_flow"])}
  forward = tf.function(lambda: predict(model(inputs, training=False)), autograph=False)
  predictions = forward()

  @tf.function(autograph=False)
  def step():
    with tf.GradientTape() as tape:
      predicted = predict(model(inputs, training=True))
      terms = {**found.loss(labels, predicted), **flow.loss(labels, predicted)}
      loss = tf.add_n([*terms.values(), *tracks(predicted, {}).values()])
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return loss

  consistency = tf.function(lambda: tf.add_n(list(tracks(predictions, {}).values())))
  return {
    "pillars_ms": _layer(model, grid, inputs),
    "forward_ms": _ms(lambda: forward()["box_flow"].numpy()),
    "targets_ms": _ms(lambda: targets()["box_flow"].numpy()),
    "consistency_ms": _ms(lambda: consistency().numpy()),
    "step_ms": _ms(lambda: step().numpy()),
  }


def _full():
  """Milliseconds of one sweep at the paper's size."""
  import tensorflow as tf

  from tf_taskology.geometry import anchors, bev_grid
  from tf_taskology.networks import point_pillars
  from tf_taskology.tasks import detection

  grid = bev_grid.BevGrid()
  network = point_pillars.PointPillars(grid, **point_pillars.FULL)
  model = network([detection.Detection(anchors.Anchors(grid))])
  inputs = {
    name: tf.constant(value) for name, value in _inputs(grid, 1, _FULL_POINTS.value).items()
  }
  forward = tf.function(lambda: model(inputs, training=False)["detection"], autograph=False)
  return {
    "pillars_ms": _layer(model, grid, inputs),
    "forward_ms": _ms(lambda: forward().numpy()),
  }


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
  found = {"compact": _compact()}
  if _FULL.value:
    found["full"] = _full()
  for size, parts in found.items():
    print(size + ": " + ", ".join(f"{name} {value:.1f}" for name, value in parts.items()))
  result = {
    "benchmark": "pillars",
    "value": round(_FRAMES * _POINTS.value / found["compact"]["pillars_ms"] * 1000),
    "unit": "points/s",
  }
  for size, parts in found.items():
    result.update({f"{size}_{name}": round(value, 1) for name, value in parts.items()})
  if _FULL.value:
    result["full_points_per_sec"] = round(_FULL_POINTS.value / found["full"]["pillars_ms"] * 1000)
  print(json.dumps(result))


if __name__ == "__main__":
  app.run(main)
