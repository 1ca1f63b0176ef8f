"""What the server counts and times, in the text form that Prometheus reads.

Names, labels, buckets and format are TensorFlow Serving's (servables/tensorflow/util.cc,
batching/batching_session.cc, util/prometheus_exporter.cc), with four metrics of this server's own:
see `_OWN`. Times are microseconds there, and seconds in the methods' arguments.
"""

import bisect
import re
import threading
from collections.abc import Sequence

_PREFIX = ":tensorflow:serving:"
_MICROSECONDS = 1e6

# Cells a metric may have. Names of models come from requests, so that without a limit a hostile
# client could make as many as it likes; what is over the limit is counted under `_OTHER`.
_MOST_CELLS = 1000
_OTHER = "(other)"


def _exponential(first: float, growth: float, count: int) -> list[float]:
  """Upper limits of buckets; each is `growth` times the one before."""
  limits = [first]
  while len(limits) < count:
    limits.append(limits[-1] * growth)
  return limits


_REQUEST_TIMES = _exponential(10, 1.8, 33)  # to about 20 minutes
_QUEUE_TIMES = _exponential(100, 1.2, 52)  # to about one second
_SIZES = _exponential(1, 2, 15)

# name: (kind, label names, limits of a histogram's buckets)
_SERVING = {
  "request_count": ("counter", ("model_name", "status"), ()),
  "request_latency": ("histogram", ("model_name", "API", "entrypoint"), _REQUEST_TIMES),
  "runtime_latency": ("histogram", ("model_name", "API", "runtime"), _REQUEST_TIMES),
  "request_example_counts": ("histogram", ("model",), _SIZES),
  "request_example_count_total": ("counter", ("model",), ()),
  "model_warmup_latency": ("histogram", ("model_path", "status"), _REQUEST_TIMES),
  "batching_session:queuing_latency": ("histogram", ("thread_pool_name",), _QUEUE_TIMES),
  "batching_session:wrapped_run_count": ("counter", (), ()),
  "batching_session:padding_size": ("histogram", ("execution_batch_size",), _SIZES),
  "batching_session:input_batch_size": ("histogram", (), _SIZES),
  "batching_session:processed_batch_size": ("histogram", (), _SIZES),
  # Always without values: this server neither logs requests nor knows ML Metadata.
  "request_log_count": ("counter", ("model_name", "status"), ()),
  "mlmd_map": ("gauge", ("model_name", "version"), ()),
}
_OWN = {
  "model_load_count": ("counter", ("model_name", "status"), ()),
  "model_load_latency": ("histogram", ("model_name",), _REQUEST_TIMES),
  "last_loaded_version": ("gauge", ("model_name",), ()),
  "failed_load_attempts": ("gauge", ("model_name", "version"), ()),
}


class _Scalar:
  """A counter or gauge: one number for every combination of labels."""

  def __init__(self, name: str, kind: str, labels: Sequence[str]):
    self.name = _PREFIX + name
    self._kind = kind
    self._labels = [_label_name(label) for label in labels]
    self._cells: dict[tuple, int] = {}

  def add(self, labels: Sequence[object], amount: int = 1) -> None:
    key = _bounded(self._cells, labels)
    self._cells[key] = self._cells.get(key, 0) + amount

  def set(self, labels: Sequence[object], value: int) -> None:
    self._cells[_bounded(self._cells, labels)] = value

  def remove(self, labels: Sequence[object]) -> None:
    self._cells.pop(tuple(labels), None)

  def total(self) -> int:
    return sum(self._cells.values())

  def lines(self) -> list[str]:
    lines = [f"# TYPE {self.name} {self._kind}"]
    for key, value in self._cells.items():
      lines.append(f"{self.name}{{{_labels(self._labels, key)}}} {value}")
    return lines


class _Histogram:
  """Counts of values by bucket, and their sum, for every combination of labels."""

  def __init__(self, name: str, labels: Sequence[str], limits: Sequence[float]):
    self.name = _PREFIX + name
    self._labels = [_label_name(label) for label in labels]
    self._limits = limits
    self._cells: dict[tuple, list] = {}  # counts by bucket, and last the sum

  def add(self, labels: Sequence[object], value: float) -> None:
    key = _bounded(self._cells, labels)
    cell = self._cells.get(key)
    if cell is None:
      cell = self._cells[key] = [0] * (len(self._limits) + 1) + [0.0]
    cell[bisect.bisect_right(self._limits, value)] += 1
    cell[-1] += value

  def total(self) -> int:
    return sum(sum(cell[:-1]) for cell in self._cells.values())

  def lines(self) -> list[str]:
    lines = [f"# TYPE {self.name} histogram"]
    limits = [f"{limit:g}" for limit in self._limits] + ["+Inf"]
    for key, cell in self._cells.items():
      labels = _labels(self._labels, key)
      so_far = 0
      for limit, count in zip(limits, cell[:-1], strict=True):
        so_far += count
        lines.append(f'{self.name}_bucket{{{labels}{"," if labels else ""}le="{limit}"}} {so_far}')
      lines.append(f"{self.name}_sum{{{labels}}} {cell[-1]:.16g}")
      lines.append(f"{self.name}_count{{{labels}}} {so_far}")
    return lines


class Metrics:
  """The metrics of one server; every method may be called from any thread."""

  def __init__(self):
    self._lock = threading.Lock()
    self._metrics = {}
    for name, (kind, labels, limits) in {**_SERVING, **_OWN}.items():
      if kind == "histogram":
        self._metrics[name] = _Histogram(name, labels, limits)
      else:
        self._metrics[name] = _Scalar(name, kind, labels)

  def answered(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
    """A request was answered.

    Args:
      model: its name.
      api: "Predict", "Classify", ... over gRPC; "predict", "classify", ... over REST; "" for GET.
      entrypoint: "GRPC" or "REST".
      status: name of a canonical code; the time of others than "OK" is not counted.
      seconds: from the request's arrival to its answer.
    """
    with self._lock:
      self._metrics["request_count"].add((model, status))
      if status == "OK":
        self._metrics["request_latency"].add((model, api, entrypoint), _micros(seconds))

  def ran(self, model: str, api: str, runtime: str, seconds: float) -> None:
    """A model's graph was run for a request; `runtime` is "TF1" or "TFLite"."""
    with self._lock:
      self._metrics["runtime_latency"].add((model, api, runtime), _micros(seconds))

  def examples(self, model: str, count: int) -> None:
    """A request came with that many Examples."""
    with self._lock:
      self._metrics["request_example_counts"].add((model,), count)
      self._metrics["request_example_count_total"].add((model,), count)

  def warmed_up(self, path: str, status: str, seconds: float) -> None:
    """A version's warm-up ended; `path` is its folder, `status` the name of a canonical code."""
    with self._lock:
      self._metrics["model_warmup_latency"].add((path, status), _micros(seconds))

  def batching(self, rows: int, inputs: int) -> None:
    """A request of that many rows in each of its inputs came to be batched."""
    with self._lock:
      for _ in range(inputs):
        self._metrics["batching_session:input_batch_size"].add((), rows)

  def batched(
    self,
    thread_pool_name: str,
    processed_batch_size: int,
    padding: int,
    queuing_seconds: float | Sequence[float],
  ) -> None:
    """A batch was run.

    Args:
      thread_pool_name: as the batching parameters have it.
      processed_batch_size: rows that were run.
      padding: rows that were added.
      queuing_seconds: how long its requests had waited; one number, or one for each request.
    """
    waits = [queuing_seconds] if isinstance(queuing_seconds, int | float) else queuing_seconds
    with self._lock:
      for wait in waits:
        self._metrics["batching_session:queuing_latency"].add((thread_pool_name,), _micros(wait))
      self._metrics["batching_session:wrapped_run_count"].add(())
      self._metrics["batching_session:processed_batch_size"].add((), processed_batch_size)
      self._metrics["batching_session:padding_size"].add((processed_batch_size,), padding)

  def loaded(self, model: str, version: int, seconds: float) -> None:
    """A version was loaded and warmed up."""
    with self._lock:
      self._metrics["model_load_count"].add((model, "OK"))
      self._metrics["model_load_latency"].add((model,), _micros(seconds))
      self._metrics["last_loaded_version"].set((model,), version)
      self._metrics["failed_load_attempts"].remove((model, version))

  def load_failed(self, model: str, version: int) -> None:
    """An attempt to load a version failed; it is listed until `loaded` or `gone`."""
    with self._lock:
      self._metrics["model_load_count"].add((model, "FAILED"))
      self._metrics["failed_load_attempts"].add((model, version))

  def gone(self, model: str, version: int) -> None:
    """A version that could not be loaded is not wanted any more."""
    with self._lock:
      self._metrics["failed_load_attempts"].remove((model, version))

  def value(self, name: str) -> int:
    """A metric's sum over all labels, or how many values a histogram has.

    Args:
      name: TensorFlow's, such as "/tensorflow/serving/request_count", or as `text` has it.

    Returns:
      0 for a metric that does not exist.
    """
    wanted = re.sub("[^a-zA-Z0-9_]", ":", name)
    with self._lock:
      return sum(metric.total() for metric in self._metrics.values() if metric.name == wanted)

  def text(self) -> str:
    """All metrics in Prometheus' text format, ordered by name."""
    with self._lock:
      blocks = [metric.lines() for _, metric in sorted(self._metrics.items())]
    return "".join(f"{line}\n" for block in blocks for line in block)


def _micros(seconds: float) -> float:
  return round(seconds * _MICROSECONDS)


def _bounded(cells: dict, labels: Sequence[object]) -> tuple:
  """The key of a cell that exists or may be made."""
  key = tuple(labels)
  if key in cells or len(cells) < _MOST_CELLS:
    return key
  return (_OTHER,) * len(key)


def _label_name(name: str) -> str:
  made = re.sub("[^a-zA-Z0-9]", "_", name)
  return "_" + made if made[0].isdigit() else made


def _labels(names: Sequence[str], values: Sequence[object]) -> str:
  return ",".join(
    f'{name}="{_escaped(str(value))}"' for name, value in zip(names, values, strict=True)
  )


def _escaped(value: str) -> str:
  return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
