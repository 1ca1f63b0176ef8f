"""A small collective that learns depth and motion from video: a camera that moves sideways before two walls."""

import numpy as np
import tensorflow as tf

from tf_taskology.consistency import photometric
from tf_taskology.datasets import element, source
from tf_taskology.networks import compact, compact_motion
from tf_taskology.tasks import depth, motion
from tf_taskology.training import experiment, optimization

IMAGE_SIZE = (32, 64)
_FOCAL = 40.0


class WallsSource(source.ImageSource):
  """Above the middle one wall, below it another, nearer or farther; the brightness of their texture tells how far.

  Args:
    count: samples of every split.
    frames: frames of a sample.
    seed: of the walls.
  """

  image_size = IMAGE_SIZE
  labels = ("depth",)

  def __init__(self, count: int = 48, frames: int = 2, seed: int = 0):
    self._count, self._frames, self._seed = count, frames, seed

  @property
  def num_frames(self):
    return self._frames

  @property
  def element_spec(self):
    return self.dataset("train").element_spec

  def num_samples(self, split):
    return self._count

  def describe(self):
    return "walls"

  def dataset(self, split):
    random = np.random.default_rng([self._seed, split == "test"])
    height, width = IMAGE_SIZE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    images, depths, poses = [], [], []
    for _ in range(self._count):
      upper, lower = random.permutation([random.uniform(2, 4), random.uniform(6, 12)])
      distance = np.where(y < height // 2, upper, lower)
      places = np.cumsum([0.0, *np.repeat(random.choice([-0.3, 0.3]), self._frames - 1)])
      waves = random.uniform(-1, 1, [6, 2]) * 5
      phases = random.uniform(0, 6, [6, 3])
      for place in places:
        along, up = (x - width / 2) / _FOCAL * distance + place, (y - height / 2) / _FOCAL
        texture = np.mean(
          [
            np.sin((a * along + b * up)[..., None] + p)
            for (a, b), p in zip(waves, phases, strict=True)
          ],
          axis=0,
        )
        images.append(255 * (1 - distance[..., None] / 16) * (0.6 + 0.8 * texture))
        depths.append(distance[..., None])
        pose = np.eye(4)
        pose[0, 3] = place
        poses.append(pose)

    def frames(values, dtype):
      return np.reshape(values, [self._count, self._frames, *np.shape(values[0])]).astype(dtype)

    camera = np.array([[_FOCAL, 0, width / 2], [0, _FOCAL, height / 2], [0, 0, 1]], np.float32)
    return tf.data.Dataset.from_tensor_slices(
      {
        element.IMAGE: frames(np.clip(images, 0, 255), np.uint8),
        element.INTRINSICS: np.tile(camera, [self._count, self._frames, 1, 1]),
        element.POSE: frames(poses, np.float32),
        element.SAMPLE_ID: [f"walls{i}" for i in range(self._count)],
        element.LABELS: {"depth": frames(depths, np.float32)},
      }
    )


def collective(
  steps: int = 4,
  frames: int = 2,
  names=("depth", "motion"),
  object_motion: bool = True,
  relation: dict | None = None,
  **arguments,
):
  """Depth and motion, which nothing but the photometric loss trains."""
  modules = {
    "depth": experiment.ModuleSpec(
      name="depth",
      tasks=[depth.Depth(mean_depth=5.0)],
      network=compact.Compact(channels=(8, 16, 24), blocks=(0, 1, 1), head_gain=0.1),
      optimization=optimization.Optimization(learning_rate=2e-3),
    ),
    "motion": experiment.ModuleSpec(
      name="motion",
      tasks=[motion.Motion(object_motion=object_motion)],
      network=compact_motion.CompactMotion(channels=(8, 16, 16, 16), bottleneck_channels=32),
      optimization=optimization.Optimization(learning_rate=2e-3),
    ),
  }
  values = dict(
    modules=[modules[name] for name in names],
    training=experiment.Training(steps=steps, steps_per_epoch=2, images_every_epochs=1),
    mediator=experiment.Mediator(source=WallsSource(frames=frames), batch_size=4),
    consistency=[
      photometric.Photometric(
        **{
          "weights": {"depth": 1.0, "rotation": 1.0},
          "preset": "dml",
          "frames": tuple(range(frames)),
          "object_motion": object_motion,
          "occlusion_tolerance": 0.3,
          "term_weights": {"translation_cycle": 0.0},
          "jit_compile": False,
          **(relation or {}),
        }
      )
    ],
    publishing=experiment.Publishing(every_steps=2),
  )
  return experiment.Collective(**{**values, **arguments})
