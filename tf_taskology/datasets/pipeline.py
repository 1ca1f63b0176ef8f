"""From a source to the batches of training: select, cache, shuffle, repeat, batch, mirror, augment, make targets."""

from collections.abc import Sequence

import tensorflow as tf

from tf_taskology.datasets import element, observations
from tf_taskology.tasks import task as task_lib

SHUFFLE_BUFFER = 2048


def training_batches(
  source,
  *,
  split: str,
  batch_size: int,
  num_frames: int,
  labels=(),
  pose: bool = False,
  flip: bool = True,
  seed: int = 0,
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """Endless shuffled batches of a source.

  Args:
    source: a `datasets.source.Source`.
    split: which part of it.
    batch_size: samples a batch (of one replica).
    num_frames: frames kept of each sample.
    labels: names of the labels kept.
    pose: whether camera poses are kept.
    flip: whether samples are mirrored at random.
    seed: of the shuffle and the mirror. A resumed training passes another one, so as not to repeat its order.
    input_context: under a multi-worker strategy, what tells this worker's share of the samples.

  Raises:
    ValueError: if the source lacks what is asked for, or is empty.
  """
  _check(source, split, num_frames, labels, pose)
  dataset = source.dataset(split)
  observation = observations.of_element(dataset.element_spec)
  if input_context is not None and input_context.num_input_pipelines > 1:
    if source.num_samples(split) < input_context.num_input_pipelines:
      raise ValueError(
        f"{source.describe()}: split {split!r} has {source.num_samples(split)} sample(s) for "
        f"{input_context.num_input_pipelines} workers; each needs one at least."
      )
    dataset = dataset.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
  dataset = dataset.map(
    lambda e: element.select(e, num_frames, labels, pose, observation.kept),
    num_parallel_calls=tf.data.AUTOTUNE,
  ).cache()
  dataset = dataset.shuffle(min(source.num_samples(split), SHUFFLE_BUFFER), seed=seed).repeat()
  dataset = dataset.batch(batch_size, drop_remainder=True)
  if flip:
    dataset = dataset.enumerate().map(
      lambda i, b: observation.mirror(
        b, tf.random.stateless_uniform([batch_size], tf.stack([tf.cast(seed, tf.int64), i])) < 0.5
      ),
      num_parallel_calls=tf.data.AUTOTUNE,
    )
  return dataset


def augmented(dataset: tf.data.Dataset, augmentation, seed: int) -> tf.data.Dataset:
  """Batches of elements with an augmentation, see `Observation.augment`."""
  observation = observations.of_element(dataset.element_spec)

  def augment(index, batch):
    return observation.augment(batch, augmentation, tf.stack([tf.cast(seed, tf.int64), index * 16]))

  return dataset.enumerate().map(augment, num_parallel_calls=tf.data.AUTOTUNE)


def with_targets(dataset: tf.data.Dataset, tasks: Sequence[task_lib.Task]) -> tf.data.Dataset:
  """Batches of elements whose labels are what the tasks learn, see `Task.targets`.

  Labels that no task reads stay as they are; the others go, unless they are targets themselves.
  """
  read = {name for task in tasks for name in task.reads}

  def make(batch):
    labels = batch[element.LABELS]
    made = {name: label for name, label in labels.items() if name not in read}
    for task in tasks:
      made.update(task.targets(labels))
    return {**batch, element.LABELS: made}

  return dataset.map(make, num_parallel_calls=tf.data.AUTOTUNE)


def timed(dataset: tf.data.Dataset, num_workers: int = 1) -> tf.data.Dataset:
  """Adds "waiting_secs" [batch]: how long the consumer waited for each batch, measured in the pipeline itself.

  `zip` asks its parts in order, so the clock is read when the consumer asks and again when the batch is there.
  Nothing may be buffered behind this stage. Several workers wait side by side: each one's seconds are divided by their
  number, so that the sum over all is their mean.
  """
  asked = tf.data.Dataset.counter().map(lambda _: tf.timestamp())

  def measure(start, batch):
    with tf.control_dependencies(tf.nest.flatten(batch)):
      waited = tf.timestamp() - start
    size = tf.shape(tf.nest.flatten(batch)[0])[0]
    return {**batch, "waiting_secs": tf.fill([size], tf.cast(waited, tf.float32) / num_workers)}

  dataset = tf.data.Dataset.zip((asked, dataset)).map(measure)
  options = tf.data.Options()
  options.experimental_optimization.inject_prefetch = False
  return untuned(dataset.with_options(options))


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """The dataset with nothing tuned while it runs: maps run on all threads from the beginning.

  TensorFlow's tuner sleeps for up to a minute between two looks, and whoever drops the iterator waits for it: it is
  woken before it can see that it was cancelled, and sleeps on.
  """
  options = tf.data.Options()
  options.autotune.enabled = False
  return dataset.with_options(options)


def _check(source, split, num_frames, labels, pose):
  """Says what a source lacks, in words that name it."""
  missing = sorted(set(labels) - set(source.labels))
  if missing:
    raise ValueError(
      f"{source.describe()} has no labels {missing}. It has: {sorted(source.labels)}."
    )
  if source.num_frames < num_frames:
    raise ValueError(
      f"{source.describe()} gives {source.num_frames} frame(s) a sample, but {num_frames} are needed."
    )
  if pose and element.POSE not in source.element_spec:
    raise ValueError(f"{source.describe()} has no camera poses, but a consistency loss needs them.")
  if source.num_samples(split) == 0:
    raise ValueError(f"{source.describe()}: split {split!r} is empty.")
