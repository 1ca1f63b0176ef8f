"""Loads a version's SavedModel and runs its warm-up records."""

import dataclasses
import os
from collections.abc import Iterator, Sequence

from tensorflow_serving.apis import prediction_log_pb2

from serving import errors, predict, saved_model, tfrecord

_WARMUP_FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
_MOST_RECORDS = 1000  # TensorFlow Serving's limit


@dataclasses.dataclass(frozen=True)
class Loader:
  """How to load.

  Attributes:
    tags: which of a SavedModel's graphs.
    session_config: a serialized ConfigProto.
    warmup_iterations: how often each warm-up record is run; 0 for no warm-up.
  """

  tags: Sequence[str] = ("serve",)
  session_config: bytes = b""
  warmup_iterations: int = 1

  def load(self, path: str) -> saved_model.SavedModel:
    """Loads the version in a folder, and warms it up.

    Raises:
      errors.StatusError: if it cannot be loaded, or a warm-up record fails.
    """
    model = saved_model.SavedModel(path, self.tags, self.session_config)
    try:
      if self.warmup_iterations:
        self._warm_up(model, os.path.join(path, _WARMUP_FILE))
    except BaseException:
      model.close()
      raise
    return model

  def _warm_up(self, model: saved_model.SavedModel, path: str) -> None:
    for request in _warmup_requests(path):
      for _ in range(self.warmup_iterations):
        predict.run(model, 0, request, predict.Options())


def _warmup_requests(path: str) -> Iterator[predict.Request]:
  """The Predict requests of a warm-up file; none if there is no such file.

  Records of other methods are passed over.
  """
  if not os.path.isfile(path):
    return
  try:
    for number, record in enumerate(tfrecord.read(path)):
      if number == _MOST_RECORDS:
        raise errors.StatusError(
          "INVALID_ARGUMENT",
          f"Number of warmup records exceeds the maximum ({_MOST_RECORDS}) at {path}",
        )
      log = _parsed(record, path)
      if log.HasField("predict_log"):
        yield predict.parse(log.predict_log.request.SerializeToString())
  except errors.StatusError as error:
    if error.code != "DATA_LOSS":
      raise
    raise errors.StatusError(
      "DATA_LOSS",
      f"{error.message}. Please verify your warmup data is in TFRecord format.",
    ) from error


def _parsed(record: bytes, path: str) -> prediction_log_pb2.PredictionLog:
  try:
    return prediction_log_pb2.PredictionLog.FromString(record)
  except Exception as error:  # protobuf's DecodeError: no public base in all implementations
    raise errors.StatusError(
      "INVALID_ARGUMENT", f"Failed to parse warmup record: {record[:80]!r} from {path}"
    ) from error
