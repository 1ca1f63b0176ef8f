"""Predictions for many images: reading, asking and writing at the same time."""

import concurrent.futures
import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tf_taskology.peers import peer
from tf_taskology.prediction import image_files, model as model_lib, writer as writer_lib


@dataclasses.dataclass(frozen=True)
class Options:
  """How to go about it.

  Attributes:
    batch_size: images of one size in a request.
    in_flight: requests at a time.
  """

  batch_size: int = 8
  in_flight: int = 2

  def __post_init__(self):
    if self.batch_size < 1 or self.in_flight < 1:
      raise ValueError(
        "Options needs batch_size >= 1 and in_flight >= 1. "
        f"Received: batch_size={self.batch_size}, in_flight={self.in_flight}."
      )


@dataclasses.dataclass
class Summary:
  """What came of it.

  Attributes:
    written: images whose predictions were written.
    failures: path of an image -> why it has none.
    versions: images by the version that answered.
  """

  written: int = 0
  failures: dict[str, str] = dataclasses.field(default_factory=dict)
  versions: dict[int, int] = dataclasses.field(default_factory=dict)

  @property
  def done(self) -> int:
    return self.written + len(self.failures)

  def note(self) -> str:
    """Versions and failures, for people."""
    words = [f"version {', '.join(map(str, sorted(self.versions)))}"] if self.versions else []
    if self.failures:
      words.append(f"{len(self.failures)} unreadable")
    return " | ".join(words)


@dataclasses.dataclass(frozen=True)
class _Batch:
  """Images of one size that go through one signature."""

  images: tuple[image_files.ImageFile, ...]
  signature: model_lib.Signature


def predict(
  model: model_lib.Model,
  choice: model_lib.Choice,
  images: Sequence[image_files.ImageFile],
  writer: writer_lib.Writer,
  options: Options,
  report: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
  """Predicts and writes. Broken images are noted and left out.

  Args:
    model: the model.
    choice: its signatures to call.
    images: the images; for models that look at two frames, what `image_files.paired` gives.
    writer: where predictions go.
    options: how.
    report: called after every batch.

  Raises:
    peer.PeerError, model.ModelError: the model cannot answer. What was written stays.
    OSError: predictions cannot be written.
  """
  summary = Summary()
  running = deque()
  pool = concurrent.futures.ThreadPoolExecutor(options.in_flight, "predict")
  batches = _batches(images, choice, options.batch_size, summary.failures)
  try:
    for batch in batches:
      running.append(pool.submit(_Job(model, choice, writer).run, batch))
      if len(running) > options.in_flight:
        _collect(running.popleft(), writer, summary)
        report(summary)
    while running:
      _collect(running.popleft(), writer, summary)
      report(summary)
  finally:
    pool.shutdown(cancel_futures=True)
  return summary


def _batches(images, choice, batch_size, failures) -> Iterator[_Batch]:
  """Images put together by size and by signature, in about the order in which they come."""
  waiting: dict[tuple, list[image_files.ImageFile]] = {}
  for image in images:
    try:
      header = image_files.look(image.path)
    except image_files.BadImage as error:
      failures[image.path] = str(error)
      continue
    as_it_is = choice.encoded is not None and (choice.image is None or header.is_plain_jpeg)
    key = (header.size, as_it_is)
    together = waiting.setdefault(key, [])
    together.append(image)
    if len(together) == batch_size:
      yield _Batch(tuple(waiting.pop(key)), choice.encoded if as_it_is else choice.image)
  for (_, as_it_is), together in waiting.items():
    yield _Batch(tuple(together), choice.encoded if as_it_is else choice.image)


def _collect(future, writer, summary):
  """Takes over what a job has done."""
  lines, failures = future.result()
  summary.failures.update(failures)
  for line in lines:
    writer.note(line)
    summary.written += 1
    summary.versions[line["version"]] = summary.versions.get(line["version"], 0) + 1


class _Job:
  """Reads, asks for and writes one batch."""

  def __init__(self, model, choice, writer):
    self._model, self._choice, self._writer = model, choice, writer

  def run(self, batch: _Batch) -> tuple[list[dict], dict[str, str]]:
    """Lines for the index, and failures."""
    readable, data, failures = [], [], {}
    for image in batch.images:
      try:
        data.append(self._read(image, batch.signature))
        readable.append(image)
      except (image_files.BadImage, OSError) as error:
        failures[image.path] = str(error)
    if not readable:
      return [], failures
    try:
      answer = self._model.predict(batch.signature, self._stacked(data, batch.signature))
    except (peer.PeerMismatch, model_lib.ModelError) as error:
      return self._one_by_one(_Batch(tuple(readable), batch.signature), failures, error)
    return [
      self._write(i, image, answer, len(readable)) for i, image in enumerate(readable)
    ], failures

  def _read(self, image, signature):
    if signature.takes == model_lib.IMAGE:
      return image_files.decode(image.path)
    if signature.takes == model_lib.PAIR:
      return image_files.decode_pair(image)
    with open(image.path, "rb") as file:
      return file.read()

  def _stacked(self, data, signature):
    return data if signature.takes == model_lib.ENCODED else np.stack(data)

  def _one_by_one(self, batch, failures, error):
    """One file that the model cannot decode makes it refuse a whole batch: finds out which."""
    if batch.signature.takes != model_lib.ENCODED:
      raise error
    if len(batch.images) == 1:
      (image,) = batch.images
      try:
        image_files.decode(image.path)
      except image_files.BadImage as bad:
        return [], {**failures, image.path: str(bad)}
      raise error
    parts = [self.run(_Batch((image,), batch.signature)) for image in batch.images]
    lines = list(itertools.chain.from_iterable(lines for lines, _ in parts))
    for _, more in parts:
      failures = {**failures, **more}
    return lines, failures

  def _write(self, position, image, answer, size):
    outputs = {}
    for name in self._choice.outputs:
      if name not in answer.outputs or answer.outputs[name].shape[:1] != (size,):
        shape = list(answer.outputs[name].shape) if name in answer.outputs else None
        raise model_lib.ModelError(
          f"{self._model.title} answered {name!r} with shape {shape}; expected [{size}, ...] for {size} images."
        )
      outputs[name] = answer.outputs[name][position]
    return self._writer.write(image, outputs, answer.version)
