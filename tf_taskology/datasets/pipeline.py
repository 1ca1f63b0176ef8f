"""From a source to the batches of training: select, cache, shuffle, repeat, batch, mirror, prefetch."""

import tensorflow as tf

from tf_taskology.datasets import element

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
  if input_context is not None and input_context.num_input_pipelines > 1:
    if source.num_samples(split) < input_context.num_input_pipelines:
      raise ValueError(
        f"{source.describe()}: split {split!r} has {source.num_samples(split)} sample(s) for "
        f"{input_context.num_input_pipelines} workers; each needs one at least."
      )
    dataset = dataset.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
  dataset = dataset.map(
    lambda e: element.select(e, num_frames, labels, pose), num_parallel_calls=tf.data.AUTOTUNE
  ).cache()
  dataset = dataset.shuffle(min(source.num_samples(split), SHUFFLE_BUFFER), seed=seed).repeat()
  dataset = dataset.batch(batch_size, drop_remainder=True)
  if flip:
    dataset = dataset.enumerate().map(
      lambda i, b: element.flip_left_right(
        b, tf.random.stateless_uniform([batch_size], tf.stack([tf.cast(seed, tf.int64), i])) < 0.5
      ),
      num_parallel_calls=tf.data.AUTOTUNE,
    )
  return dataset


def augmented(
  dataset: tf.data.Dataset, augmentation, part: str | None, seed: int
) -> tf.data.Dataset:
  """Adds "augmented_image" to batches (or to batches[part]); labels, poses and the image itself stay."""

  def augment(index, batch):
    target = dict(batch if part is None else batch[part])
    target[element.AUGMENTED_IMAGE] = augmentation(
      target[element.IMAGE], tf.stack([tf.cast(seed, tf.int64), index * 16])
    )
    return target if part is None else {**batch, part: target}

  return dataset.enumerate().map(augment, num_parallel_calls=tf.data.AUTOTUNE)


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
