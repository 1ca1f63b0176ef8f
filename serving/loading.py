"""Loads a version's SavedModel, batches its runs if so configured, and warms it up."""

from collections.abc import Sequence

from serving import (
  batch_queue,
  batched_model,
  batching_config,
  concurrent_model,
  errors,
  metrics,
  saved_model,
  version_source,
  warm_up,
)


class Loader:
  """Makes versions ready to serve."""

  def __init__(
    self,
    tags: Sequence[str] = ("serve",),
    session_config: bytes = b"",
    warmup_iterations: int = 1,
    warm_up_without_records: bool = True,
    batching: batching_config.Batching | None = None,
    concurrency: concurrent_model.Concurrency | None = None,
    metrics: metrics.Metrics | None = None,
  ):
    """Args:
    tags: which of a SavedModel's graphs.
    session_config: a serialized ConfigProto.
    warmup_iterations: how often each warm-up record is run; 0 for no warm-up.
    warm_up_without_records: run a version that has no records once on zeros, where that is possible.
    batching: whether and how runs are batched; None for not at all.
    concurrency: whether and how models get second sessions; None for not at all.
    metrics: where warm-up and batches are counted.
    """
    self._tags = tags
    self._session_config = session_config
    self._warmup_iterations = warmup_iterations
    self._warm_up_without_records = warm_up_without_records
    self._batching = batching
    self._concurrency = concurrency
    self._metrics = metrics
    self._scheduler = batch_queue.Scheduler(
      batching.parameters.num_batch_threads if batching else 1
    )

  def load(
    self, path: str
  ) -> saved_model.SavedModel | concurrent_model.ConcurrentModel | batched_model.BatchedModel:
    """Loads the version in a folder, and warms it up.

    Raises:
      errors.StatusError: if it cannot be loaded, or a warm-up record fails.
    """
    files = version_source.fingerprint(path)
    model = saved_model.SavedModel(path, self._tags, self._session_config)
    try:
      model = self._batched(self._concurrent(model, path, files), path)
      self._warm_up(model, path, self._metrics)
    except BaseException:
      model.close()
      raise
    return model

  def _warm_up(self, model, path: str, counted: metrics.Metrics | None) -> None:
    if self._warmup_iterations:
      warm_up.run(
        model,
        path,
        self._warmup_iterations,
        without_records=self._warm_up_without_records,
        counted=counted,
      )

  def _concurrent(
    self, model: saved_model.SavedModel, path: str, files: tuple
  ) -> saved_model.SavedModel | concurrent_model.ConcurrentModel:
    size = sum(bytes_ for *_, bytes_, _ in files)
    if self._concurrency is None or size > self._concurrency.max_bytes:
      return model
    return concurrent_model.ConcurrentModel(
      model, lambda: self._second(path, files), self._concurrency, path
    )

  def _second(self, path: str, files: tuple) -> saved_model.SavedModel:
    model = saved_model.SavedModel(
      path, self._tags, self._concurrency.session_config, refuses_state=True
    )
    try:
      if version_source.fingerprint(path) != files:
        raise errors.StatusError(
          "FAILED_PRECONDITION", "Its files have changed since it was loaded"
        )
      self._warm_up(model, path, None)
    except BaseException:
      model.close()
      raise
    return model

  def _batched(
    self, model: saved_model.SavedModel | concurrent_model.ConcurrentModel, path: str
  ) -> saved_model.SavedModel | concurrent_model.ConcurrentModel | batched_model.BatchedModel:
    parameters = self._batching.of(path) if self._batching else None
    if parameters is None:
      return model
    return batched_model.BatchedModel(model, parameters, self._scheduler, self._metrics)
