"""Milliseconds of the photometric loss: one direction, one scale, forward and backward.

The warp, sampling, occlusion, RGB and weighted SSIM terms of Depth from Videos in the Wild on
[8, 128, 416, 3], with gradients for depth, rotation and translation; and the same with a motion
field, and with gradients for the sampled frame's depth too.

A shared machine makes milliseconds mean little. So a fixed computation runs in turns with the loss: a
3x3 convolution 64 -> 64 on [8, 96, 128, 64], forward and both gradients, which takes 76 ms on two
quiet cores where a compiled PyTorch loss takes 52. `quiet_ms` is the ratio of the processor time of
both, times 76; it says what to expect of two quiet cores as long as both use them equally well.

  python -m tools.benchmarks.photometric
"""

import json
import statistics
import time

from absl import app, flags

_ROUNDS = flags.DEFINE_integer("rounds", 15, "Turns of each computation.", lower_bound=1)
_THREADS = flags.DEFINE_integer("threads", 2, "Cores that TensorFlow may use.", lower_bound=1)

_SIZE = (8, 128, 416)
_REFERENCE_MS = 76.0  # of the convolution, on the machine where the others were measured
_COMPILED_PYTORCH_MS = 52.0
_GOAL_MS = 40.0


def _inputs():
  """Smooth random frames and depths of about what a car sees; a small motion."""
  import numpy as np
  import tensorflow as tf

  random = np.random.RandomState(0)

  def smooth(channels):
    coarse = random.uniform(size=[_SIZE[0], _SIZE[1] // 8, _SIZE[2] // 8, channels])
    return tf.image.resize(coarse.astype(np.float32), _SIZE[1:], "bicubic")

  intrinsics = np.array([[300, 0, 208], [0, 300, 64], [0, 0, 1]], np.float32)
  tensor = lambda value: tf.constant(value.astype(np.float32))
  return {
    "depth": 5 + 5 * smooth(1)[..., 0],
    "target_depth": 5 + 5 * smooth(1)[..., 0],
    "angles": tensor(random.normal(0, 0.01, [_SIZE[0], 3])),
    "translation": tensor(random.normal(0, 0.2, [_SIZE[0], 1, 1, 3])),
    "field": tensor(random.normal(0, 0.01, [*_SIZE, 3])),
    "image": smooth(3),
    "target_image": smooth(3),
    "intrinsics": tf.constant(np.tile(intrinsics, (_SIZE[0], 1, 1))),
  }


def _loss_step(inputs, watched):
  """() -> (loss, gradients with respect to what is watched), under XLA."""
  import tensorflow as tf

  from tf_taskology.consistency import photometric_presets
  from tf_taskology.geometry import motion_warp, rgbd, rotations

  weights = photometric_presets.PRESETS["dvw"].weights

  def loss(values):
    translation = values["translation"]
    if "field" in watched:
      translation += values["field"]
    moved = motion_warp.move(
      values["depth"],
      rotations.matrix_from_angles(values["angles"]),
      translation,
      values["intrinsics"],
    )
    compared = rgbd.compare(moved, values["image"], values["target_image"], values["target_depth"])
    return (
      weights["rgb"] * compared.rgb
      + weights["ssim"] * compared.ssim
      + weights["depth"] * compared.depth
    )

  @tf.function(jit_compile=True, autograph=False)
  def step(values):
    arguments = {name: values[name] for name in watched}
    with tf.GradientTape() as tape:
      tape.watch(arguments)
      value = loss({**values, **arguments})
    return value, tape.gradient(value, arguments)

  return lambda: step(inputs)


def _convolution_step():
  """The fixed computation."""
  import tensorflow as tf

  x = tf.random.stateless_normal([8, 96, 128, 64], [1, 2])
  kernel = tf.random.stateless_normal([3, 3, 64, 64], [3, 4], stddev=0.05)

  @tf.function(autograph=False)
  def step(x, kernel):
    with tf.GradientTape() as tape:
      tape.watch([x, kernel])
      y = tf.nn.conv2d(x, kernel, 1, "SAME")
      value = tf.reduce_sum(y * y)
    return value, tape.gradient(value, [x, kernel])

  return lambda: step(x, kernel)


def _time(step) -> tuple[float, float]:
  """Milliseconds on the clock, and of processor time."""
  started, used = time.perf_counter(), time.process_time()
  value, gradients = step()
  value.numpy()
  for gradient in gradients.values() if isinstance(gradients, dict) else gradients:
    gradient.numpy()
  return 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used)


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"Unexpected arguments: {argv[1:]}.")
  import tensorflow as tf

  tf.config.threading.set_intra_op_parallelism_threads(_THREADS.value)
  inputs = _inputs()
  pair = ("depth", "angles", "translation")
  steps = {
    "convolution": _convolution_step(),
    "pair": _loss_step(inputs, pair),
    "with motion field": _loss_step(inputs, (*pair, "field")),
    "with gradient for the sampled depth": _loss_step(inputs, (*pair, "target_depth")),
  }
  for step in steps.values():
    step()
  times = {name: [] for name in steps}
  for _ in range(_ROUNDS.value):
    for name, step in steps.items():
      times[name].append(_time(step))
  found = {}
  for name, pairs in times.items():
    wall, processor = zip(*pairs, strict=True)
    found[name] = {
      "ms": statistics.median(wall),
      "min_ms": min(wall),
      "processor_ms": statistics.median(processor),
    }
  for values in found.values():
    ratio = values["processor_ms"] / found["convolution"]["processor_ms"]
    values["quiet_ms"] = _REFERENCE_MS * ratio
  for name, values in found.items():
    print(name + ": " + ", ".join(f"{key} {value:.1f}" for key, value in values.items()))
  result = {
    "benchmark": "photometric",
    "value": round(found["pair"]["ms"], 1),
    "unit": "ms",
    "goal": _GOAL_MS,
    "compiled_pytorch_ms": _COMPILED_PYTORCH_MS,
    "min_ms": round(found["pair"]["min_ms"], 1),
    "quiet_ms": round(found["pair"]["quiet_ms"], 1),
    "ratio_to_convolution": round(found["pair"]["ms"] / found["convolution"]["ms"], 3),
  }
  print(json.dumps(result))


if __name__ == "__main__":
  app.run(main)
