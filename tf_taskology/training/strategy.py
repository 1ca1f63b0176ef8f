"""Strategies, precision and threads, by the names that gin files use."""

import contextlib

import tensorflow as tf


def make(name: str) -> tf.distribute.Strategy:
  """A `tf.distribute` strategy.

  Args:
    name: "one_device": the first GPU if there is one, else the CPU; "mirrored": all local GPUs, else the
      logical CPU devices;
      "multi_worker_mirrored": the workers that the environment variable TF_CONFIG lists. Must be called before
      anything else runs in the process.
  """
  if name == "multi_worker_mirrored":
    return tf.distribute.MultiWorkerMirroredStrategy()
  if name == "mirrored":
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])
  if name == "one_device":
    return tf.distribute.get_strategy()
  raise ValueError(f"There is no strategy {name!r}.")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
  """Whether this process writes what only one worker may write (status, exports)."""
  resolver = strategy.cluster_resolver
  if resolver is None or not resolver.task_type:
    return True
  if "chief" in resolver.cluster_spec().jobs:
    return resolver.task_type == "chief"
  return resolver.task_type == "worker" and resolver.task_id == 0


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
  """Whether several processes train together under this strategy."""
  resolver = strategy.cluster_resolver
  if resolver is None or not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return False
  jobs = resolver.cluster_spec().as_dict()
  return len(jobs.get("chief", [])) + len(jobs.get("worker", [])) > 1


def any_worker(strategy: tf.distribute.Strategy, flag: bool) -> bool:
  """Whether any worker gives True. Every worker must call it at the same point, and waits there for the others."""
  if not is_multi_worker(strategy):
    return flag

  def count(value):
    value = tf.identity(value)  # on the replica's device, which a constant is not
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)

  total = tf.function(strategy.run)(count, args=(tf.constant(float(flag)),))
  return float(strategy.experimental_local_results(total)[0]) > 0


@contextlib.contextmanager
def precision(policy: str):
  """Keras layers that are made inside have this mixed-precision policy."""
  previous = tf.keras.mixed_precision.global_policy()
  tf.keras.mixed_precision.set_global_policy(policy)
  try:
    yield
  finally:
    tf.keras.mixed_precision.set_global_policy(previous)


def check_batch_size(name: str, batch_size: int, strategy: tf.distribute.Strategy):
  """Raises ValueError where a global batch does not divide over the replicas."""
  replicas = strategy.num_replicas_in_sync
  if batch_size % replicas:
    raise ValueError(
      f"{name} = {batch_size} does not divide over {replicas} replicas. Choose a multiple of {replicas}."
    )


def set_threads(threads: int):
  """Limits TensorFlow's threads for operations to `threads`; 0 leaves the choice to TensorFlow.

  Two small networks that train side by side are faster with one thread each than with two that get in each other's way.
  """
  if threads:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(max(2, threads))
