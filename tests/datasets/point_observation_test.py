"""Point clouds as networks look at them: mirrored, turned, folded."""

import math

import numpy as np
import tensorflow as tf

from tests.training import fixtures, point_fixtures
from tf_taskology.datasets import (
  element,
  observations,
  pipeline,
  point_augmentation,
  point_observation,
)
from tf_taskology.geometry import boxes as boxes_lib

_POINTS = point_observation.PointObservation()


def _batch():
  """Samples with poses."""
  batch = next(iter(point_fixtures.FieldSource().dataset("train").batch(4)))
  turn = [[0.6, -0.8, 0, 1], [0.8, 0.6, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
  return {**batch, element.POSE: tf.constant(turn, shape=[1, 1, 4, 4]) + tf.zeros([4, 2, 1, 1])}


def _inside(batch):
  """Points in each box: [batch, frames, boxes]."""
  counted = tf.sequence_mask(batch["num_points"], batch["points"].shape[2])
  inside = boxes_lib.contains(batch[element.LABELS]["boxes"], batch["points"])
  return tf.reduce_sum(tf.cast(inside & counted[..., tf.newaxis], tf.int32), axis=2)


def _in_world(batch):
  points = batch["points"][..., :3]
  pose = batch[element.POSE]
  return tf.einsum("bfij,bfnj->bfni", pose[..., :3, :3], points) + pose[:, :, tf.newaxis, :3, 3]


class PointObservationTest(tf.test.TestCase):
  def test_mirror_keeps_points_in_their_boxes(self):
    batch = _batch()
    mirrored = _POINTS.mirror(batch, tf.constant([True, False, True, False]))
    self.assertAllEqual(_inside(mirrored), _inside(batch))
    self.assertAllGreater(_inside(batch)[:, :, 0], 50)
    sign = np.array([-1, 1, -1, 1])[:, None, None]
    self.assertAllClose(mirrored["points"][..., 1], sign * batch["points"][..., 1])
    self.assertAllClose(mirrored["points"][..., 3], batch["points"][..., 3])
    heading = batch[element.LABELS]["boxes"][..., 6]
    self.assertAllClose(mirrored[element.LABELS]["boxes"][..., 6], sign * heading)
    world, before = _in_world(mirrored), _in_world(batch)
    self.assertAllClose(world[1], before[1])
    self.assertAllClose(world[0], before[0] * [1, -1, 1], atol=1e-5)

  def test_fold(self):
    seen = _POINTS.seen(_batch())
    folded = _POINTS.fold(seen, "frame")
    self.assertEqual(folded["points"].shape[1:], seen["points"].shape[2:])
    self.assertAllEqual(folded["num_points"], tf.reshape(seen["num_points"], [-1]))
    self.assertAllEqual(_POINTS.fold(seen, "sequence")["points"], seen["points"])
    self.assertEqual((_POINTS.count("frame", 3), _POINTS.count("sequence", 3)), (3, 1))

  def test_which_kind_elements_have(self):
    self.assertEqual(observations.of_element(_batch()).name, "points")
    images = fixtures.PlanesSource()
    self.assertEqual(observations.of_element(images.element_spec).name, "image")
    with self.assertRaisesRegex(ValueError, r"fields \('image',\) or .*Received: \['sound'\]"):
      observations.of_element({"sound": 1})
    with self.assertRaisesRegex(ValueError, "one of.*Received: 'smell'"):
      observations.named("smell")


class PointAugmentationTest(tf.test.TestCase):
  def test_points_stay_in_their_boxes_and_at_their_place_in_the_world(self):
    batch = _batch()
    changed = point_augmentation.PointAugmentation(math.pi, 0.0)(
      batch, tf.constant([1, 2], tf.int64)
    )
    self.assertAllEqual(_inside(changed), _inside(batch))
    self.assertNotAllClose(changed["points"], batch["points"])
    self.assertAllClose(_in_world(changed), _in_world(batch), atol=1e-4)
    self.assertAllInRange(changed[element.LABELS]["boxes"][..., 6], -math.pi, math.pi)

  def test_scale(self):
    batch = _batch()
    changed = point_augmentation.PointAugmentation(0.0, 0.2)(batch, tf.constant([1, 2], tf.int64))
    factor = changed[element.LABELS]["boxes"][:, 0, 0, 3] / 4.7
    self.assertAllInRange(factor, math.exp(-0.2), math.exp(0.2))
    self.assertGreater(np.ptp(factor), 0.01)
    wide = factor[:, tf.newaxis, tf.newaxis, tf.newaxis]
    self.assertAllClose(changed["points"][..., :3], batch["points"][..., :3] * wide)
    self.assertAllClose(_in_world(changed), _in_world(batch) * wide, rtol=1e-4, atol=1e-4)

  def test_nothing_and_too_much(self):
    batch = _batch()
    same = point_augmentation.PointAugmentation(0.0, 0.0)(batch, tf.constant([1, 2], tf.int64))
    for name in ("points", element.POSE):
      self.assertAllClose(same[name], batch[name], atol=1e-6)
    self.assertAllClose(same[element.LABELS]["boxes"], batch[element.LABELS]["boxes"], atol=1e-5)
    with self.assertRaisesRegex(ValueError, "rotation must be between 0 and 3.14.*Received: 4"):
      point_augmentation.PointAugmentation(4)

  def test_targets_follow_the_augmentation(self):
    task, _ = point_fixtures.tasks()
    source = point_fixtures.FieldSource()
    batches = pipeline.training_batches(
      source, split="train", batch_size=4, num_frames=2, labels=task.reads
    )
    batches = pipeline.augmented(batches, point_augmentation.PointAugmentation(math.pi), seed=1)
    moved = next(iter(batches))
    made = next(iter(pipeline.with_targets(tf.data.Dataset.from_tensors(moved), [task])))
    expected = task.targets(moved[element.LABELS])
    self.assertEqual(set(made[element.LABELS]), set(task.outputs))
    for name, value in made[element.LABELS].items():
      self.assertAllEqual(np.nan_to_num(value), np.nan_to_num(expected[name]))


if __name__ == "__main__":
  tf.test.main()
