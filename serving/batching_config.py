"""How requests are batched: the message tensorflow.serving.BatchingParameters and where it comes from."""

import dataclasses
import os

from serving import errors, missing_protos, text_protos

_PER_MODEL_FILE = "batching_params.pbtxt"


@dataclasses.dataclass(frozen=True)
class Parameters:
  """BatchingParameters; the defaults are TensorFlow Serving's.

  Attributes:
    max_batch_size: rows (of dimension 0) that a request may have and, unless
      `max_execution_batch_size` says less, that a batch may have.
    batch_timeout_micros: how long a batch that is not full waits for more requests. See
      `batch_queue.Queue` for when it does not.
    max_enqueued_batches: batches that may wait; more is UNAVAILABLE.
    num_batch_threads: batches that run at a time, over all models of the server.
    thread_pool_name: label of the metrics.
    enable_large_batch_splitting: spread requests over `max_execution_batch_size` over batches.
    max_execution_batch_size: rows of a batch when large requests are split.
    allowed_batch_sizes: sizes up to which batches are padded; empty for any size.
    pad_variable_length_inputs: make inputs of different sizes agree by padding.
  """

  max_batch_size: int = 1000
  batch_timeout_micros: int = 0
  max_enqueued_batches: int = 10
  num_batch_threads: int = dataclasses.field(default_factory=lambda: os.cpu_count() or 1)
  thread_pool_name: str = "model_server_batch_threads"
  enable_large_batch_splitting: bool = False
  max_execution_batch_size: int = 0
  allowed_batch_sizes: tuple[int, ...] = ()
  pad_variable_length_inputs: bool = False

  def __post_init__(self):
    for name in ("max_batch_size", "num_batch_threads"):
      if getattr(self, name) < 1:
        _refuse(f"{name} must be positive; was {getattr(self, name)}")
    if self.batch_timeout_micros < 0:
      _refuse(f"batch_timeout_micros must be non-negative; was {self.batch_timeout_micros}")
    if self.max_enqueued_batches < 0:
      _refuse(f"max_enqueued_batches must be positive; was {self.max_enqueued_batches}")
    if self.enable_large_batch_splitting and self.max_execution_batch_size > self.max_batch_size:
      _refuse(
        "max_batch_size must be greater than or equal to max_execution_batch_size "
        f"({self.max_execution_batch_size}); was {self.max_batch_size}"
      )
    self._check_allowed_sizes()

  def _check_allowed_sizes(self) -> None:
    sizes = self.allowed_batch_sizes
    if not sizes:
      return
    if list(sizes) != sorted(set(sizes)) or sizes[0] < 1:
      _refuse("allowed_batch_sizes entries must be positive and monotonically increasing")
    if sizes[-1] == self.batch_size:
      return
    which = "must match max_batch_size"
    if self.enable_large_batch_splitting:
      which = "must be equal to max_execution_batch_size"
    _refuse(
      f"Last entry in allowed_batch_sizes {which}; last entry was {sizes[-1]}; "
      f"expected {self.batch_size}"
    )

  @property
  def batch_size(self) -> int:
    """Most rows of a batch."""
    if self.enable_large_batch_splitting:
      return self.max_execution_batch_size or self.max_batch_size
    return self.max_batch_size

  def padded(self, size: int) -> int:
    """The least allowed batch size of at least `size` rows."""
    return next((allowed for allowed in self.allowed_batch_sizes if allowed >= size), size)


@dataclasses.dataclass(frozen=True)
class Batching:
  """Whether and how each model's requests are batched.

  Attributes:
    parameters: for all models.
    per_model: a version is batched as the file batching_params.pbtxt in its folder says, and not at
      all if it has none.
  """

  parameters: Parameters
  per_model: bool = False

  def of(self, path: str) -> Parameters | None:
    """The parameters for the version in a folder; None if it is not batched.

    Raises:
      errors.StatusError: INVALID_ARGUMENT if its own file does not parse.
    """
    if not self.per_model:
      return self.parameters
    own = os.path.join(path, _PER_MODEL_FILE)
    return read_parameters(own) if os.path.exists(own) else None


def read_batching(*, enabled: bool, path: str, per_model: bool) -> Batching | None:
  """What the flags say about batching.

  Args:
    enabled: --enable_batching.
    path: --batching_parameters_file; empty for the defaults.
    per_model: --enable_per_model_batching_parameters.

  Raises:
    errors.StatusError: INVALID_ARGUMENT for a file without `enabled`, or one that says nothing
      usable; NOT_FOUND for no file.
  """
  if not enabled:
    if path:
      _refuse(
        "server_options.batching_parameters_file is set without setting "
        "server_options.enable_batching to true."
      )
    return None
  return Batching(read_parameters(path) if path else Parameters(), per_model)


def read_parameters(path: str) -> Parameters:
  """Reads a BatchingParameters in text form.

  Raises:
    errors.StatusError: INVALID_ARGUMENT or NOT_FOUND.
  """
  parsed = missing_protos.BatchingParameters()
  text_protos.read(path, parsed)
  set_values = {field.name: value for field, value in parsed.ListFields()}
  sizes = tuple(set_values.pop("allowed_batch_sizes", ()))
  plain = {name: getattr(value, "value", value) for name, value in set_values.items()}
  try:
    return Parameters(allowed_batch_sizes=sizes, **plain)
  except errors.StatusError as error:
    raise errors.StatusError(error.code, f"{error.message} (in {path})") from error


def _refuse(text: str) -> None:
  raise errors.StatusError("INVALID_ARGUMENT", text)
