"""Small collectives for tests: an in-memory source with exact labels, a one-layer network."""

import numpy as np
import tensorflow as tf

from tf_taskology.consistency import depth_normals
from tf_taskology.datasets import element, source
from tf_taskology.geometry import surface_normals as normals_geometry
from tf_taskology.tasks import depth, surface_normals
from tf_taskology.training import experiment, optimization

IMAGE_SIZE = (8, 16)


class PlanesSource(source.ImageSource):
  """Tilted planes: colour tells slope and distance, so that a tiny network can learn them.

  Args:
    count: samples of every split.
    with_labels: whether samples have labels.
    seed: of the planes.
    unlabelled: ids of samples whose labels are all missing.
  """

  def __init__(self, count: int = 16, with_labels: bool = True, seed: int = 0, unlabelled=()):
    self._count, self._with_labels = count, with_labels
    self._unlabelled = set(unlabelled)
    random = np.random.default_rng(seed)
    self._slopes = random.uniform(-0.3, 0.3, [count, 2]).astype(np.float32)
    self._distances = random.uniform(1.5, 4.0, [count]).astype(np.float32)

  image_size = IMAGE_SIZE
  num_frames = 1

  @property
  def labels(self):
    return ("depth", "normals") if self._with_labels else ()

  @property
  def element_spec(self):
    return self.dataset("train").element_spec

  def num_samples(self, split):
    return self._count

  def describe(self):
    return "planes"

  def dataset(self, split):
    height, width = IMAGE_SIZE
    k = np.array([[12.0, 0, 7.5], [0, 12.0, 3.5], [0, 0, 1]], np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rays = np.stack([(x - 7.5) / 12, (y - 3.5) / 12], -1)
    samples = []
    for i in range(self._count):
      depth_map = self._distances[i] / (1 - rays @ self._slopes[i])
      shade = np.concatenate([self._slopes[i] * 300 + 128, [self._distances[i] * 50]])
      samples.append((np.clip(np.broadcast_to(shade, [height, width, 3]), 0, 255), depth_map))
    images = np.stack([s[0] for s in samples])[:, None].astype(np.uint8)
    depths = np.stack([s[1] for s in samples])[:, None, :, :, None].astype(np.float32)
    intrinsics = np.broadcast_to(k, [self._count, 1, 3, 3]).copy()
    normals = normals_geometry.depth_to_normals(tf.constant(depths), tf.constant(intrinsics))[
      0
    ].numpy()
    ids = [f"plane{i}" for i in range(self._count)]
    missing = np.array([i in self._unlabelled for i in ids])
    depths[missing] = 0
    normals[missing] = 0
    data = {element.IMAGE: images, element.INTRINSICS: intrinsics, element.SAMPLE_ID: ids}
    if self._with_labels:
      data[element.LABELS] = {"depth": depths, "normals": normals}
    return tf.data.Dataset.from_tensor_slices(data)


def tiny_network(tasks, image_size):
  """Two convolutions at stride 2."""
  image = tf.keras.Input((*image_size, 3), name="image")
  x = tf.keras.layers.Rescaling(1 / 127.5, -1)(image)
  x = tf.keras.layers.Conv2D(8, 3, 2, padding="same", activation="relu")(x)
  outputs = {
    t.name: tf.keras.layers.Conv2D(
      t.raw_channels, 3, padding="same", dtype="float32", name=f"{t.name}_head"
    )(x)
    for t in tasks
  }
  return tf.keras.Model(image, outputs)


def collective(
  steps: int = 20, training: dict | None = None, weights=None, labelled_weights=None, **arguments
):
  """Depth and normals on planes."""
  modules = [
    experiment.ModuleSpec(
      name=task.name,
      tasks=[task],
      network=tiny_network,
      dedicated=PlanesSource(),
      optimization=optimization.Optimization(learning_rate=0.01),
      batch_size=4,
    )
    for task in (depth.Depth(), surface_normals.SurfaceNormals())
  ]
  settings = {"steps_per_epoch": 5, "images_every_epochs": 0, **(training or {})}
  values = dict(
    modules=modules,
    training=experiment.Training(steps=steps, **settings),
    mediator=experiment.Mediator(source=PlanesSource(with_labels=False, seed=1), batch_size=4),
    consistency=[
      depth_normals.DepthNormals(
        weights={"depth": 0.5, "normals": 1.0} if weights is None else weights,
        labelled_weights=labelled_weights,
      )
    ],
    publishing=experiment.Publishing(every_steps=5),
  )
  return experiment.Collective(**{**values, **arguments})
