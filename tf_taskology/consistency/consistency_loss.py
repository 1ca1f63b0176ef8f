"""What a consistency loss is: a differentiable relation between several tasks' predictions."""

import abc
from collections.abc import Callable, Collection, Iterable, Mapping

import tensorflow as tf

Tensors = Mapping[str, tf.Tensor]


def compiled(compute: Callable, jit_compile: bool) -> Callable:
  """`compute`, a pure function of tensors, under XLA if so wished."""
  return tf.function(compute, jit_compile=True, autograph=False) if jit_compile else compute


class ConsistencyLoss(tf.Module, abc.ABC):
  """A relation that several predictions on one mediator batch must satisfy.

  A subclass is one file. The same object serves distributed training (own predictions live, peers' predictions
  constant), synchronous training (all live, each module's gradient on its own) and labelled data (labels stand for
  the other tasks' predictions). It may own weights (`tf.Module` tracks them).

  Attributes:
    needs: output name -> frames of the sample that are read, e.g. {"depth": (0, 1)}; of tasks that take pairs, the
      pairs (source, target), e.g. {"rotation": ((0, 1), (1, 0))}; of tasks that take sequences, the sequence, e.g.
      {"box_flow": ((0, 1, 2),)}.
    needs_inputs: inputs beside the image that must be in the sample, e.g. ("intrinsics", "pose").
    weights: output name -> weight of this loss in the training of the module that performs the output's task: a
      number, or a schedule (callable of the global step). A module whose outputs are not named, or have weight 0,
      is not trained by this loss.
    labelled_weights: the same for dedicated (labelled) samples, where the labels of the other outputs that the loss
      needs stand for predictions. Empty: not used there.
  """

  def __init__(self, weights=None, labelled_weights=None, name=None):
    super().__init__(name=name)
    self.weights = dict(weights or {})
    self.labelled_weights = dict(labelled_weights or {})
    for field in ("weights", "labelled_weights"):
      unknown = sorted(set(getattr(self, field)) - set(self.needs))
      if unknown:
        raise ValueError(
          f"{type(self).__name__}.{field} names {unknown}, which the loss does not read. "
          f"It reads {sorted(self.needs)}."
        )
      for output, weight in getattr(self, field).items():
        if not callable(weight) and not (isinstance(weight, (int, float)) and weight >= 0):
          raise ValueError(
            f"{type(self).__name__}.{field}[{output!r}] must be a number >= 0 or a schedule. Received: {weight!r}."
          )

  @property
  @abc.abstractmethod
  def needs(self) -> Mapping[str, tuple[int, ...] | tuple[tuple[int, int], ...]]:
    """Output name -> frames read, or pairs or sequences of frames."""

  @property
  def needs_inputs(self) -> tuple[str, ...]:
    return ("intrinsics",)

  @abc.abstractmethod
  def __call__(
    self, predictions: Tensors, inputs: Tensors, labels: Tensors | None = None
  ) -> dict[str, tf.Tensor]:
    """Loss terms by name.

    Args:
      predictions: output name -> [batch, frames, height, width, channels] float32, all at one resolution.
      inputs: "image" [batch, frames, H, W, 3] uint8 or float 0..255, "intrinsics" [batch, frames, 3, 3] float32 in
        pixels of `image`, and what else `needs_inputs` names ("pose" [batch, frames, 4, 4], camera to world).
      labels: outputs whose labels stand in place of predictions (same shapes; missing pixels hold the task's
        `missing` value). What is in here is trusted.

    Returns:
      Float32 scalars: means over what is valid, 0 where nothing is.
    """


def frames_read(
  relations: Iterable[ConsistencyLoss], outputs: Collection[str] | None = None
) -> int:
  """How many frames of a sample, from the first on, relations read; 0 if none.

  Args:
    relations: the relations.
    outputs: count only what is read of these outputs; None: of all.
  """
  frames = [
    frame
    for relation in relations
    for output, wanted in relation.needs.items()
    if outputs is None or output in outputs
    for frame in tf.nest.flatten(list(wanted))
  ]
  return 1 + max(frames, default=-1)
