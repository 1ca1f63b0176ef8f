"""A small collective that learns detection and box flow: vehicles of points on a flat field."""

import numpy as np
import tensorflow as tf

from tf_taskology.consistency import box_tracks
from tf_taskology.datasets import element, source
from tf_taskology.geometry import anchors, bev_grid
from tf_taskology.networks import point_pillars
from tf_taskology.tasks import box_decoding, box_flow, detection
from tf_taskology.training import experiment, optimization

GRID = bev_grid.BevGrid((-12, 12), (-12, 12), (-1, 3), 1.0)
ANCHORS = anchors.Anchors(GRID)
_SIZE = (4.7, 2.1, 1.7)  # metres
_PLACES = ((-6, -6), (-6, 6), (6, -6), (6, 6))  # where vehicles may be, roughly
_POINTS_EACH = 60
_GROUND = 60


class FieldSource(source.Source):
  """One to three vehicles that drive on along their headings; all sweeps in one frame of reference.

  Args:
    count: samples of every split.
    frames: sweeps of a sample.
    seed: of the vehicles.
  """

  labels = ("boxes", "classes", "tracks", "box_points")

  def __init__(self, count: int = 16, frames: int = 2, seed: int = 0):
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
    return "field"

  def dataset(self, split):
    random = np.random.default_rng([self._seed, split == "test"])
    samples = [_sample(random, self._frames) for _ in range(self._count)]
    stacked = {name: np.stack([s[name] for s in samples]) for name in samples[0]}
    points, counts = stacked.pop("points"), stacked.pop("num_points")
    return tf.data.Dataset.from_tensor_slices(
      {
        "points": points,
        "num_points": counts,
        element.SAMPLE_ID: [f"field{i}" for i in range(self._count)],
        element.LABELS: stacked,
      }
    )


def _sample(random, frames):
  num = random.integers(1, 4)
  boxes = np.zeros([frames, 4, 7], np.float32)
  places = random.permutation(np.array(_PLACES, float))[:num] + random.uniform(-1.5, 1.5, [num, 2])
  heading = random.choice([0, np.pi / 2, 3.0, -np.pi / 2], num) + random.uniform(-0.1, 0.1, num)
  step = random.uniform(0, 2, num)
  clouds = np.zeros([frames, _GROUND + 4 * _POINTS_EACH, 4], np.float32)
  for frame in range(frames):
    along = np.stack([np.cos(heading), np.sin(heading)], -1)
    boxes[frame, :num, :2] = places + frame * step[:, None] * along
    boxes[frame, :num, 2] = 0.5 * _SIZE[2]
    boxes[frame, :num, 3:6] = _SIZE
    boxes[frame, :num, 6] = heading
    ground = np.concatenate([random.uniform(-12, 12, [_GROUND, 2]), np.zeros([_GROUND, 2])], -1)
    clouds[frame, :_GROUND] = ground
    for i, box in enumerate(boxes[frame, :num]):
      local = random.uniform(-0.5, 0.5, [_POINTS_EACH, 3]) * box[3:6]
      local[:, 2] *= np.where(local[:, 0] > 0, 0.5, 1.0)  # low in front
      turned = local[:, :1] * along[i] + local[:, 1:2] * [-along[i][1], along[i][0]]
      cloud = np.concatenate([turned + box[:2], local[:, 2:] + box[2], local[:, :1] * 0], -1)
      clouds[frame, _GROUND + i * _POINTS_EACH : _GROUND + (i + 1) * _POINTS_EACH] = cloud
  numbers = np.where(np.arange(4) < num, np.arange(1, 5), 0)
  return {
    "points": clouds,
    "num_points": np.full(frames, _GROUND + num * _POINTS_EACH, np.int32),
    "boxes": boxes,
    "classes": np.tile(numbers > 0, [frames, 1]).astype(np.int32),
    "tracks": np.tile(numbers, [frames, 1]).astype(np.int32),
    "box_points": np.tile(np.where(numbers > 0, _POINTS_EACH, 0), [frames, 1]).astype(np.int32),
  }


def network(**arguments):
  """The builder of a tiny network."""
  settings = {"pillar_channels": 16, "blocks": (1, 1), "channels": (16, 24), "strides": (1, 2)}
  settings.update({"up_channels": 16, "fusion_channels": 16, "normalization": "none"})
  return point_pillars.PointPillars(GRID, **{**settings, **arguments})


def tasks(frames: int = 2):
  """Detection and box flow on the field."""
  decoder = box_decoding.BoxDecoder(ANCHORS, max_boxes=8, iou_threshold=0.2)
  return detection.Detection(ANCHORS, decoder=decoder), box_flow.BoxFlow(ANCHORS, frames)


def collective(steps: int = 4, shared: bool = False, frames: int = 2, **arguments):
  """Detection and box flow: two modules, or one that performs both.

  Args:
    steps: of training.
    shared: one module.
    frames: of a sample.
    arguments: in place of the collective's.
  """
  performed = tasks(frames)
  groups = {"vehicles": performed} if shared else {task.name: [task] for task in performed}
  modules = [
    experiment.ModuleSpec(
      name=name,
      tasks=list(group),
      network=network(),
      dedicated=FieldSource(frames=frames),
      optimization=optimization.Optimization(learning_rate=0.01),
      batch_size=4,
      num_frames=frames,
    )
    for name, group in groups.items()
  ]
  weights = {"box_logits": 0.5, "box_flow": 0.1}
  values = dict(
    modules=modules,
    training=experiment.Training(steps=steps, steps_per_epoch=2, images_every_epochs=1),
    mediator=experiment.Mediator(source=FieldSource(frames=frames, seed=1), batch_size=4),
    consistency=[box_tracks.BoxTracks(ANCHORS, weights, frames, min_probability=0.0)],
    publishing=experiment.Publishing(every_steps=steps),
  )
  return experiment.Collective(**{**values, **arguments})
