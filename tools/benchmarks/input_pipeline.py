"""Share of a training step that is spent waiting for data: on the rooms world, and on a folder of JPEG and PNG files.

  python -m tools.benchmarks.input_pipeline

Trains the compact network on the batches of a trainer (dedicated and mediator samples, mirrored and augmented) and
reads the clock that the input pipeline itself keeps. The time to read or render everything once, before the first
batch, is printed beside it. The last line of the output is JSON; the goal is a value of at most 0.03.
"""

import json
import os
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import app, flags
from PIL import Image

from tf_taskology.consistency import depth_normals
from tf_taskology.datasets import augmentation, element, rgbd_folder
from tf_taskology.datasets.rooms import rooms_source
from tf_taskology.networks import compact
from tf_taskology.tasks import depth, surface_normals
from tf_taskology.training import experiment, inputs, optimization

_STEPS = flags.DEFINE_integer("steps", 200, "Steps timed at most per data set.", lower_bound=1)
_LIMIT_SECS = flags.DEFINE_float("limit_secs", 8.0, "Seconds timed at most per data set.")
_SAMPLES = flags.DEFINE_integer("samples", 128, "Samples of each data set.", lower_bound=32)

_GOAL = 0.03
_IMAGE_SIZE = (48, 64)
_STORED_SIZE = (240, 320)
_UNTIMED_STEPS = 8  # more than the batches that are held ready


def _write_folder(path: str):
  """A recording in the layout "plain" with pictures that are about as hard to decode as real ones."""
  for name in ("image", "depth"):
    os.makedirs(os.path.join(path, name))
  random = np.random.default_rng(0)
  for index in range(_SAMPLES.value):
    coarse = Image.fromarray(random.integers(0, 256, (30, 40, 3)).astype(np.uint8))
    color = coarse.resize(_STORED_SIZE[::-1], Image.BILINEAR)
    color.save(os.path.join(path, "image", f"{index:04d}.jpg"), quality=95)
    metres = 2 + np.asarray(color)[..., 0] / 255 + random.normal(0, 0.002, _STORED_SIZE)
    millimetres = Image.fromarray(np.round(1000 * metres).astype(np.uint16))
    millimetres.save(os.path.join(path, "depth", f"{index:04d}.png"))
  with open(os.path.join(path, "intrinsics.txt"), "w", encoding="utf-8") as file:
    file.write("290 290 159.5 119.5\n")


def _sources(folder: str) -> dict:
  """Name -> source."""
  recording = os.path.join(folder, "recording")
  _write_folder(recording)
  return {
    "rooms": rooms_source.RoomsSource(
      image_size=_IMAGE_SIZE,
      train=_SAMPLES.value,
      validation=1,
      test=1,
      data_dir=os.path.join(folder, "rooms"),
    ),
    "rgbd_folder": rgbd_folder.RgbdFolder(
      recording, image_size=_IMAGE_SIZE, labels=("depth", "normals"), splits={"train": (0.0, 1.0)}
    ),
  }


def _batches(source, network) -> tf.data.Dataset:
  """What the trainer of a depth module would train on, with peers that answer at once."""
  light = augmentation.ColorAugmentation()
  modules = [
    experiment.ModuleSpec(
      name=name,
      tasks=[task],
      network=network,
      dedicated=source,
      optimization=optimization.Optimization(),
      augmentation=light,
    )
    for name, task in (("depth", depth.Depth()), ("normals", surface_normals.SurfaceNormals()))
  ]
  collective = experiment.Collective(
    modules=modules,
    training=experiment.Training(steps=_STEPS.value),
    mediator=experiment.Mediator(source=source, augmentation=light),
    consistency=[depth_normals.DepthNormals(weights={"depth": 1.0})],
  )
  return inputs.module_batches(collective, modules[0], fetch=lambda dataset: dataset)


def _make_step(task, network):
  model = network([task], _IMAGE_SIZE)
  optimizer = tf.keras.optimizers.Adam(1e-3)
  optimizer.build(model.trainable_variables)

  def predict(part):
    image = tf.cast(element.fold_frames(part[element.AUGMENTED_IMAGE]), tf.float32)
    return task.decode(model(image, training=True)[task.name])["depth"]

  @tf.function
  def step(iterator):
    """Seconds waited for the batch; the batch is taken inside, as Keras does."""
    batch = next(iterator)
    with tf.GradientTape() as tape:
      labels = element.subsample(
        batch["dedicated"][element.LABELS], *model.output_shape[task.name][1:3]
      )
      own = predict(batch["dedicated"])[:, tf.newaxis]
      loss = sum(task.loss(labels, {"depth": own}).values())
      loss += 1e-3 * tf.reduce_mean(tf.abs(predict(batch["mediator"])))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return tf.reduce_mean(batch["waiting_secs"])

  return step


def _measure(source) -> dict[str, float]:
  """Share of waiting, milliseconds of a step, and seconds before the first batch."""
  started = time.perf_counter()
  source.prepare()
  network = compact.Compact()
  iterator = iter(_batches(source, network))
  next(iterator)
  ready_secs = time.perf_counter() - started
  step = _make_step(depth.Depth(), network)
  for _ in range(_UNTIMED_STEPS):
    step(iterator)
  waited, steps = 0.0, 0
  started = time.perf_counter()
  while steps < _STEPS.value and time.perf_counter() - started < _LIMIT_SECS.value:
    waited += float(step(iterator))
    steps += 1
  elapsed = time.perf_counter() - started
  return {
    "waiting_share": round(waited / elapsed, 5),
    "step_ms": round(1000 * elapsed / steps, 1),
    "ready_secs": round(ready_secs, 1),
  }


def main(argv):
  if len(argv) > 1:
    raise app.UsageError(f"unexpected arguments {argv[1:]}; this program takes flags only")
  results = {}
  with tempfile.TemporaryDirectory() as folder:
    for name, source in _sources(folder).items():
      results[name] = _measure(source)
      print(
        f"{name}: {results[name]['waiting_share']:.2%} of {results[name]['step_ms']} ms a step waiting for data; first "
        f"batch after {results[name]['ready_secs']} s",
        flush=True,
      )
  worst = max(result["waiting_share"] for result in results.values())
  line = {
    "benchmark": "input_pipeline",
    "value": worst,
    "unit": "share",
    "goal": _GOAL,
    "data_sets": results,
  }
  print(json.dumps(line))


if __name__ == "__main__":
  app.run(main)
