"""The batches of a trainer: dedicated and mediator samples, peers' predictions, augmentation, clock."""

import tensorflow as tf

from tf_taskology.consistency import consistency_loss
from tf_taskology.datasets import pipeline
from tf_taskology.training import experiment


def module_batches(
  collective: experiment.Collective,
  spec: experiment.ModuleSpec,
  *,
  fetch=None,
  initial_step: int = 0,
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """What `Module.fit` trains on.

  Args:
    collective: the configuration.
    spec: the module.
    fetch: stage that adds "peers" and "peers_info" to batches (`peers.stage`); None without consistency on unlabelled
      samples. It comes last, so that it knows how long training waited for peers.
    initial_step: step at which training starts or resumes; changes the order of samples, so that a resumed training
      does not see the same ones again.
    input_context: this worker's place, under multi-worker strategies.
  """
  seed = _seed(collective, initial_step, input_context)
  parts = {}
  if spec.dedicated is not None:
    parts["dedicated"] = dedicated_batches(collective, spec, seed, input_context)
  if fetch is not None:
    parts["mediator"] = mediator_batches(collective, collective.mediated(spec), seed, input_context)
  if not parts:
    raise ValueError(
      f"Module {spec.name!r} has no labelled data and no consistency loss: nothing trains it."
    )
  dataset = _with_options(tf.data.Dataset.zip(parts).prefetch(2))
  return pipeline.timed(dataset if fetch is None else fetch(dataset), _num_workers(input_context))


def synchronous_batches(
  collective: experiment.Collective,
  *,
  fetch=None,
  initial_step: int = 0,
  input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
  """What `SynchronousCollective.fit` trains on: every module's dedicated batch and one mediator batch.

  `fetch` adds what frozen modules say; the others are as in `module_batches`.
  """
  seed = _seed(collective, initial_step, input_context)
  parts = {}
  for spec in collective.modules:
    if spec.dedicated is None:
      continue
    parts[spec.name] = tf.data.Dataset.zip(
      {"dedicated": dedicated_batches(collective, spec, seed, input_context)}
    )
  losses = [loss for loss in collective.consistency if loss.weights]
  if losses:
    parts["mediator"] = mediator_batches(collective, losses, seed, input_context)
  dataset = _with_options(tf.data.Dataset.zip(parts).prefetch(4))
  return pipeline.timed(dataset if fetch is None else fetch(dataset), _num_workers(input_context))


def dedicated_batches(collective, spec, seed, input_context=None) -> tf.data.Dataset:
  """A module's labelled batches, with what its tasks learn as labels."""
  dataset = pipeline.training_batches(
    spec.dedicated,
    split="train",
    batch_size=_per_replica(spec.batch_size, input_context),
    num_frames=spec.num_frames,
    labels=collective.labels_of(spec),
    flip=spec.flip,
    seed=seed,
    input_context=input_context,
  )
  # Boxes move with the points that an augmentation moves, so what is learnt of them comes after it.
  dataset = _augment(dataset, spec.augmentation, seed + 2)
  return pipeline.with_targets(dataset, collective.label_tasks(spec))


def mediator_batches(collective, losses, seed, input_context=None) -> tf.data.Dataset:
  """Unlabelled batches, with what the consistency losses read of them."""
  mediator = collective.mediator
  dataset = pipeline.training_batches(
    mediator.source,
    split=mediator.split,
    batch_size=_per_replica(mediator.batch_size, input_context),
    num_frames=consistency_loss.frames_read(losses),
    pose=collective.needs_pose(losses),
    flip=mediator.flip,
    seed=seed,
    input_context=input_context,
  )
  return _augment(dataset, mediator.augmentation, seed + 1)


def _augment(dataset, augmentation, seed):
  return dataset if augmentation is None else pipeline.augmented(dataset, augmentation, seed)


def _per_replica(batch_size, input_context):
  return input_context.get_per_replica_batch_size(batch_size) if input_context else batch_size


def _num_workers(input_context):
  return input_context.num_input_pipelines if input_context else 1


def _seed(collective, initial_step, input_context):
  """Differs between workers, so that they do not mirror and colour their samples alike."""
  worker = input_context.input_pipeline_id if input_context else 0
  return collective.training.seed + 7919 * initial_step + 104_729 * worker


def _with_options(dataset):
  options = tf.data.Options()
  options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
  return dataset.with_options(options)
