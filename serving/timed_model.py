"""A model as one request sees it: notes how long its graph ran."""

import time
from collections.abc import Callable, Sequence

from serving import saved_model


class TimedModel:
  """Passes everything on to a model.

  Attributes:
    seconds: from the run's beginning until its outputs were there.
    has_run: whether there was a run that gave outputs.
  """

  def __init__(self, model: saved_model.SavedModel):
    self._model = model
    self.signature_defs = model.signature_defs
    self.seconds = 0.0
    self.has_run = False

  def signature(self, name: str) -> saved_model.Signature | None:
    """The signature of that name, or None."""
    return self._model.signature(name)

  def run(
    self,
    feeds: Sequence[tuple[saved_model.Endpoint, int]],
    fetches: Sequence[saved_model.Endpoint],
    timeout_ms: int | None,
    read: Callable[[list[int]], bytes],
  ) -> bytes:
    """Runs the graph once; arguments and errors are those of `saved_model.SavedModel.run`."""
    begin = time.perf_counter()

    def timed_read(tensors: list[int]) -> bytes:
      self.seconds = time.perf_counter() - begin
      self.has_run = True
      return read(tensors)

    return self._model.run(feeds, fetches, timeout_ms, timed_read)
