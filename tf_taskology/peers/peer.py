"""What a peer is: another module, as a trainer sees it, and what can go wrong with it."""

import abc
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tf_taskology.tasks import task as task_lib


@dataclasses.dataclass(frozen=True)
class Answer:
  """What a peer says about n images, pairs of images, point clouds or sequences of them.

  Attributes:
    predictions: output name -> [n, h, w, channels] float32, at the peer's own resolution; of sequences
      [n, frames, h, w, channels].
    step: [n] int64, the global step of the peer's trainer when it published what answered.
    published_at: [n] float64, when that was, seconds since the epoch.
    version: the SavedModel version that answered (the highest, if a server mixed two in one batch).
    num_bytes: size of request and answer on the wire; 0 in process.
    seconds: how long the call took, retries included.
  """

  predictions: Mapping[str, np.ndarray]
  step: np.ndarray
  published_at: np.ndarray
  version: int
  num_bytes: int = 0
  seconds: float = 0.0


class Peer(abc.ABC):
  """Another module's predictions. Implementations are thread-safe: several batches are asked at once.

  Attributes:
    name: the module's name.
    outputs: prediction tensors that it answers, by name.
    takes: what it is asked about: a "frame", a "pair" of frames or a "sequence".
    target: where it is, for people to read: addresses or a folder.
  """

  name: str
  outputs: Mapping[str, task_lib.Output]
  takes: str = "frame"
  target: str = ""

  @abc.abstractmethod
  def predict(self, inputs: Mapping[str, np.ndarray]) -> Answer:
    """Asks for predictions.

    Args:
      inputs: what `Observation.fold` gives, by field: "image": uint8 [n, height, width, 3], or of pairs
        [n, height, width, 6]; of point clouds "points" and "num_points".

    Raises:
      PeerError: there is no usable answer; `error.temporary` says whether asking again may help.
    """

  @abc.abstractmethod
  def check(self):
    """Verifies, before training, that the peer answers what is expected of it.

    Raises:
      PeerError: it does not, or did not appear in time.
    """

  @abc.abstractmethod
  def close(self):
    """Ends calls in progress (they raise PeerClosed) and frees resources. May be called twice."""


class PeerError(RuntimeError):
  """No usable answer. `temporary`: whether asking again may help."""

  temporary = False


class PeerUnreachable(PeerError):
  """No model server answers, or it is in trouble."""

  temporary = True


class PeerDeadline(PeerError):
  """The answer did not come in time."""

  temporary = True


class PeerNotPublished(PeerError):
  """The model server has no version of the peer yet."""

  temporary = True


class PeerClosed(PeerError):
  """The peer was closed while it was asked: training ends."""


class PeerMismatch(PeerError):
  """The peer answers, but not what is expected; asking again does not help."""


class WrongSignature(PeerMismatch):
  """The published model lacks the signature, its input or an output."""


class WrongShape(PeerMismatch):
  """A tensor has another shape than the task's output."""


class WrongDtype(PeerMismatch):
  """A tensor has another data type than expected."""


def outputs_of(tasks: Sequence[task_lib.Task]) -> dict[str, task_lib.Output]:
  """Outputs by name of a module that performs these tasks."""
  return {name: output for task in tasks for name, output in task.outputs.items()}


def answer_shape(takes: str, output: task_lib.Output) -> list[int | str]:
  """Shape of an output in answers, without its first axis; words stand for sizes that may be any."""
  frames = [1 if output.per_sample else "frames"] if takes == "sequence" else []
  return [*frames, *(output.fixed_size or ("height", "width")), output.channels]


def fits(shape: Sequence[int], expected: Sequence[int | str]) -> bool:
  """Whether a shape, with -1 for what is not known, is as `answer_shape` has it."""
  return len(shape) == len(expected) and all(
    isinstance(wanted, str) or given in (-1, wanted)
    for given, wanted in zip(shape, expected, strict=True)
  )


def check_predictions(
  peer: Peer, predictions: Mapping[str, np.ndarray], num_asked: int
) -> dict[str, np.ndarray]:
  """The predictions as float32, after a look at each one's shape.

  Raises:
    WrongShape: a prediction is not [num_asked, h, w, channels of the output], with one axis more of sequences, or has
      another height and width than the output fixes.
  """
  for name, output in peer.outputs.items():
    shape = predictions[name].shape
    expected = [num_asked, *answer_shape(peer.takes, output)]
    if not fits(shape, expected):
      raise WrongShape(
        f"Peer {peer.name!r} at {peer.target} answered {name!r} with shape {list(shape)}; "
        f"expected [{', '.join(map(str, expected))}]."
      )
  return {name: np.asarray(predictions[name], np.float32) for name in peer.outputs}
