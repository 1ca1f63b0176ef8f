"""Batches of training: what is in them, their order by the seed, workers' shares, the clock."""

import time

import numpy as np
import tensorflow as tf
from absl.testing import parameterized

from tests.training import fixtures
from tf_taskology.datasets import augmentation, element, pipeline


def _batches(source=None, *, count=8, **arguments):
  """Ids and first pixels of the first batches."""
  settings = {"split": "train", "batch_size": 4, "num_frames": 1, "flip": False, **arguments}
  dataset = pipeline.training_batches(source or fixtures.PlanesSource(), **settings)
  return list(dataset.take(count))


def _ids(batches):
  return [[i.decode() for i in batch[element.SAMPLE_ID].numpy()] for batch in batches]


def _context(worker, workers=2):
  return tf.distribute.InputContext(workers, worker, workers)


class TrainingBatchesTest(tf.test.TestCase, parameterized.TestCase):
  def test_every_epoch_has_every_sample_once_in_another_order(self):
    ids = _ids(_batches())
    epochs = np.reshape(ids, [2, 16]).tolist()
    for epoch in epochs:
      self.assertCountEqual(epoch, [f"plane{i}" for i in range(16)])
    self.assertNotEqual(*epochs)

  def test_order_and_mirror_follow_the_seed_alone(self):
    once, again, other = (_batches(flip=True, count=3, seed=seed) for seed in (1, 1, 2))
    for x, y in zip(once, again, strict=True):
      tf.nest.map_structure(self.assertAllEqual, x, y)
    self.assertNotEqual(_ids(once), _ids(other))

  def test_about_half_is_mirrored(self):
    centres = np.concatenate(
      [
        batch[element.INTRINSICS].numpy()[:, 0, 0, 2]
        for batch in _batches(_OffCentre(), flip=True, count=32)
      ]
    )
    self.assertAllInSet(centres, [5.0, 10.0])
    self.assertBetween(np.mean(centres == 5.0), 0.35, 0.65)

  def test_what_is_kept(self):
    (batch,) = _batches(count=1, labels=("normals",))
    self.assertEqual(set(batch[element.LABELS]), {"normals"})
    self.assertEqual(batch[element.IMAGE].shape, (4, 1, *fixtures.IMAGE_SIZE, 3))
    (batch,) = _batches(count=1)
    self.assertNotIn(element.LABELS, batch)

  def test_batch_may_be_larger_than_the_source(self):
    (batch,) = _batches(fixtures.PlanesSource(count=3), count=1, batch_size=8)
    self.assertLen(set(_ids([batch])[0]), 3)

  def test_workers_share_the_samples(self):
    first, second = (
      {i for ids in _ids(_batches(input_context=_context(worker))) for i in ids}
      for worker in (0, 1)
    )
    self.assertLen(first, 8)
    self.assertLen(first | second, 16)

  @parameterized.named_parameters(
    ("labels", {"labels": ("depth", "motion")}, r"planes has no labels \['motion'\]. It has: \['depth', 'normals'\]"),
    ("frames", {"num_frames": 2}, r"planes gives 1 frame\(s\) a sample, but 2 are needed"),
    ("pose", {"pose": True}, "planes has no camera poses"),
    ("empty", {"source": fixtures.PlanesSource(count=0)}, "planes: split 'train' is empty"),
    (
      "workers",
      {"source": fixtures.PlanesSource(count=2), "input_context": _context(0, 3)},
      r"planes: split 'train' has 2 sample\(s\) for 3 workers",
    ),
  )  # fmt: skip
  def test_says_what_the_source_lacks(self, arguments, message):
    with self.assertRaisesRegex(ValueError, message):
      _batches(**arguments)


class _OffCentre(fixtures.PlanesSource):
  """Planes whose principal point is off the centre, so that a mirrored sample shows."""

  def dataset(self, split):
    shift = tf.constant([[0, 0, -2.5], [0, 0, 0], [0, 0, 0]], tf.float32)
    return super().dataset(split).map(
      lambda sample: {**sample, element.INTRINSICS: sample[element.INTRINSICS] + shift}
    )  # fmt: skip


class AugmentedTest(tf.test.TestCase):
  def test_adds_an_image_and_leaves_the_rest(self):
    plain = fixtures.PlanesSource().dataset("train").batch(4)
    augment = augmentation.ColorAugmentation()
    runs = [list(pipeline.augmented(plain, augment, seed=5).take(2)) for _ in range(2)]
    tf.nest.map_structure(self.assertAllEqual, *runs)
    for before, after in zip(plain.take(2), runs[0], strict=True):
      self.assertNotAllEqual(after[element.AUGMENTED_IMAGE], after[element.IMAGE])
      after.pop(element.AUGMENTED_IMAGE)
      tf.nest.map_structure(self.assertAllEqual, before, after)
    seeds = [tf.constant([5, index * 16], tf.int64) for index in (0, 1)]
    first, second = (augment(before[element.IMAGE], seed) for seed in seeds)
    self.assertNotAllEqual(first, second)


class TimedTest(tf.test.TestCase):
  def test_measures_what_the_consumer_waits_and_nothing_else(self):
    def slow(i):
      time.sleep(0.4 if i == 2 else 0.0)
      return i

    dataset = tf.data.Dataset.range(6).map(
      lambda i: {"i": tf.fill([3], tf.ensure_shape(tf.numpy_function(slow, [i], tf.int64), []))}
    )
    waits = []
    for batch in pipeline.timed(dataset):
      waits.append(float(batch["waiting_secs"][0]))
      self.assertEqual(batch["waiting_secs"].shape, [3])
      time.sleep(0.15)  # the consumer's own time is no wait
    self.assertBetween(waits[2], 0.4, 1.2)
    self.assertLess(np.median(np.delete(waits, 2)), 0.1)

  def test_wait_for_a_prefetched_batch_is_none(self):
    def slow(i):
      time.sleep(0.1)
      return i

    dataset = tf.data.Dataset.range(4).map(
      lambda i: {"i": tf.ensure_shape(tf.numpy_function(slow, [i], tf.int64), [])[tf.newaxis]}
    )
    waits = []
    for batch in pipeline.timed(dataset.prefetch(2)):
      waits.append(float(batch["waiting_secs"][0]))
      time.sleep(0.3)
    self.assertGreater(waits[0], 0.1)
    self.assertLess(np.median(waits[1:]), 0.05)

  def test_iterator_is_dropped_at_once(self):
    dataset = (
      tf.data.Dataset.range(10).repeat().map(lambda i: {"i": i[tf.newaxis]}, tf.data.AUTOTUNE)
    )
    # TensorFlow's tuner sleeps longer the longer it ran, so none may be there.
    self.assertFalse(pipeline.timed(dataset).options().autotune.enabled)
    iterator = iter(pipeline.timed(dataset))
    for _ in range(20):
      next(iterator)
      time.sleep(0.1)
    begin = time.monotonic()
    del iterator
    self.assertLess(time.monotonic() - begin, 0.5)

  def test_several_workers_wait_side_by_side(self):
    def slow(i):
      time.sleep(0.4)
      return i

    dataset = tf.data.Dataset.range(1).map(
      lambda i: {"i": tf.ensure_shape(tf.numpy_function(slow, [i], tf.int64), [])[tf.newaxis]}
    )
    (batch,) = pipeline.timed(dataset, num_workers=4)
    self.assertBetween(float(batch["waiting_secs"][0]), 0.1, 0.3)


if __name__ == "__main__":
  tf.test.main()
