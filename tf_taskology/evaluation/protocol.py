"""What an evaluation protocol is: the one interface through which evaluator, tables and report see metrics."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.evaluation import box_samples, trajectory

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Metric:
  """How one number of a protocol is read.

  Attributes:
    title: what a table calls it, e.g. "abs rel".
    unit: "m", "°", "%" (values are then 0..100), or "" for a plain ratio.
    higher_is_better: the direction of improvement.
  """

  title: str
  unit: str
  higher_is_better: bool


class Protocol(abc.ABC):
  """A named way to turn labels and predictions into numbers. A subclass is one file and states four things:

  1. `name`: the heading in tables, unique within an evaluation.
  2. `outputs`: the model outputs that it reads, `labels`: the labels that it compares them with (those of the same
     names unless it says otherwise), and `fields`: what else of an element it reads, e.g. "pose". It is skipped where
     the data set or the models lack one of them.
  3. `description`: one sentence that fixes what papers leave open (mask, range, alignment, how images are averaged).
  4. `metrics`: how each number of `result` is read.

  It accumulates: `reset`, then `update` once per batch, then `result`. Arrays are numpy, and `update` must not depend
  on how samples are grouped into batches.
  """

  name: str
  outputs: tuple[str, ...]
  fields: tuple[str, ...] = ()

  @property
  def labels(self) -> tuple[str, ...]:
    """Names of the labels that it reads."""
    return self.outputs

  @property
  @abc.abstractmethod
  def description(self) -> str:
    """The protocol in one sentence."""

  @property
  @abc.abstractmethod
  def metrics(self) -> Mapping[str, Metric]:
    """Metrics by name, in the order of the tables."""

  @property
  @abc.abstractmethod
  def num_images(self) -> int:
    """Images with at least one labelled pixel since `reset`."""

  @abc.abstractmethod
  def reset(self):
    """Forgets everything seen."""

  @abc.abstractmethod
  def update(self, labels: Arrays, predictions: Arrays):
    """Adds a batch.

    Args:
      labels: label name -> [..., height, width, channels]; every leading index is one image. Missing pixels hold
        the task's `missing` value. And the `fields`, by name, as the element has them: [batch, frames, ...].
      predictions: output name -> the same shapes; outputs of pairs of frames have pairs for frames, in the order of
        `tasks.motion.pairs`.
    """

  @abc.abstractmethod
  def result(self) -> dict[str, float]:
    """Values by metric name, without those that nothing defines. Raises ValueError if no labelled pixel was seen."""

  def trajectories(self) -> Sequence[trajectory.Trajectory]:
    """A few paths for pictures, if the protocol judges any."""
    return ()

  def curves(self) -> Sequence[box_samples.Curve]:
    """Precision over recall for pictures, if the protocol has any. To be called after an update."""
    return ()


AVERAGES = ("image", "pixel")


def check_average(average: str, owner: str):
  """Raises ValueError unless `average` is one of `AVERAGES`."""
  if average not in AVERAGES:
    raise ValueError(f"{owner}.average must be one of {AVERAGES}. Received: {average!r}.")


def images(array: np.ndarray, channels: int, what: str) -> np.ndarray:
  """Folds leading axes: [..., height, width, channels] -> [images, height, width, channels] float64."""
  if array.ndim < 3 or array.shape[-1] != channels:
    raise ValueError(
      f"{what} must be [..., height, width, {channels}]. Received shape {array.shape}."
    )
  return np.asarray(array, np.float64).reshape(-1, *array.shape[-3:])


def check_finite(values: np.ndarray, what: str):
  """Raises ValueError if a value is not finite: a diverged model has no metrics."""
  bad = int(np.count_nonzero(~np.isfinite(values)))
  if bad:
    raise ValueError(
      f"{what} must be finite at labelled pixels. Received {bad} NaN or infinite of {values.size}."
    )
